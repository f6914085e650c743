package grid

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// A knownKey is a key of a grid, and where it belongs.
type knownKey struct {
	key   string
	where string // as in "under run.checkpoint" or "at the top level"; "" for the map that is being read
}

// knownKeys lists every key of a grid.
func knownKeys() []knownKey {
	var out []knownKey
	add := func(where string, keys ...string) {
		for _, k := range keys {
			out = append(out, knownKey{k, where})
		}
	}
	var addOptions func(path string, table []option)
	addOptions = func(path string, table []option) {
		for _, o := range table {
			add("under "+path, o.key)
			addOptions(join(path, o.key), o.sub)
		}
	}
	add("at the top level", topLevelKeys()...)
	for _, f := range trainer.Fields() {
		if !f.FromData {
			add("under parameters or train", f.Key)
		}
	}
	addOptions("run", runOptions(new(RunOptions)))
	addOptions("data", dataOptions(new(trainer.DataSpec), new(trainer.Synthetic)))
	return out
}

// unknown reports a key that its map cannot have, with a suggestion. known lists the keys that the map can have.
func (p *parser) unknown(e entry, path string, known []string) {
	if p.keys == nil {
		p.keys, p.foreignKeys, p.suggestions = knownKeys(), foreignKeys(), map[string]string{}
	}
	id := e.key + " among " + known[0] // no two maps have the same first key
	text, ok := p.suggestions[id]
	if !ok {
		text = p.suggest(e.key, known)
		p.suggestions[id] = text
	}
	p.errorf(e.pos, join(path, e.key), "unknown key; %s", text)
}

// suggest returns what to write instead of an unknown key. It tries, in this order:
//
//	learningRate      a name that lookUp finds                    did you mean lr?
//	stesp             a misspelt key of the same map              did you mean steps?
//	learning_rte      a misspelt key of any map, or other tool    did you mean lr?
//	zzzzzzzz          nothing is similar                          known here: recipe, dict_size, …
func (p *parser) suggest(key string, known []string) string {
	if len(key) > 64 {
		return "known here: " + strings.Join(known, ", ")
	}
	simple := simplify(key)
	if text := p.lookUp(simple, key, known); text != "" {
		return text
	}
	if k := nearest(simple, known); k != "" {
		return didYouMean(knownKey{key: k})
	}
	all := make([]string, 0, len(p.keys)+len(p.foreignKeys))
	for _, k := range p.keys {
		all = append(all, k.key)
	}
	all = append(all, slices.Sorted(maps.Keys(p.foreignKeys))...)
	if k := nearest(simple, all); k != "" {
		return p.lookUp(simplify(k), k, known)
	}
	return "known here: " + strings.Join(known, ", ")
}

// lookUp returns what to write for a name that is known: a key of this map, of another map, or the key of another
// tool. It returns "" for other names. simple is simplify(key).
func (p *parser) lookUp(simple, key string, known []string) string {
	foreign := p.foreignKeys[simple]
	for _, k := range known {
		if simplify(k) == simple || slices.Contains(foreign.keys, k) {
			return didYouMean(knownKey{key: k})
		}
	}
	for _, k := range p.keys {
		if k.key == key {
			return "it belongs " + k.where
		}
	}
	if foreign.text != "" {
		return foreign.text
	}
	for _, k := range p.keys {
		if simplify(k.key) == simple || slices.Contains(foreign.keys, k.key) {
			return didYouMean(k)
		}
	}
	return ""
}

func didYouMean(k knownKey) string {
	if k.where == "" {
		return fmt.Sprintf("did you mean %s?", k.key)
	}
	return fmt.Sprintf("did you mean %s, %s?", k.key, k.where)
}

// simplify returns the common form of the spellings of one name: parallelTrialCount, parallel-trial-count and
// parallel_trial_count are all paralleltrialcount.
func simplify(key string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(key))
}

// nearest returns the key of which word is most likely a misspelling, or "". A word of n letters may differ from the
// key in max(1, n/3) letters.
func nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// editDistance returns the number of edits that make b of a. An edit inserts, deletes or replaces a byte, or swaps two
// neighbours (optimal string alignment distance).
func editDistance(a, b string) int {
	// Row i of the usual table holds the distances of a[:i] from all prefixes of b. Three rows are kept.
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
