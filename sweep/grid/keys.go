package grid

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// A place is a key and where in the file it stands.
type place struct{ key, under string }

// places lists every key of a grid.
func places() []place {
	var out []place
	add := func(under string, keys ...string) {
		for _, k := range keys {
			out = append(out, place{k, under})
		}
	}
	var options func(under string, table []option)
	options = func(under string, table []option) {
		for _, o := range table {
			add("under "+under, o.key)
			options(join(under, o.key), o.sub)
		}
	}
	add("at the top level", "name", "data", "parameters", "train", "include", "exclude", "zip", "run")
	for _, f := range trainer.Fields() {
		if !f.FromData {
			add("under parameters or train", f.Key)
		}
	}
	options("run", runOptions(new(RunOptions)))
	options("data", dataOptions(new(trainer.DataSpec), new(trainer.Synthetic)))
	return out
}

// unknown reports a key that has no meaning where it stands, with what was
// probably meant: a key of this map, of another, or what another tool calls it.
func (p *parse) unknown(e entry, path string, known []string) {
	if p.places == nil {
		p.places, p.rivals, p.hints = places(), rivals(), map[string]string{}
	}
	at := e.key + " among " + known[0]
	hint, ok := p.hints[at]
	if !ok {
		hint = p.hint(e.key, known)
		p.hints[at] = hint
	}
	p.errorf(e.pos, join(path, e.key), "unknown key; %s", hint)
}

func (p *parse) hint(key string, known []string) string {
	if len(key) > 64 {
		return "known here: " + strings.Join(known, ", ")
	}
	bare := normal(key)
	if hint := p.called(bare, key, known); hint != "" {
		return hint
	}
	if k := nearest(bare, known); k != "" {
		return didYouMean(place{key: k})
	}
	all := make([]string, 0, len(p.places)+len(p.rivals))
	for _, pl := range p.places {
		all = append(all, pl.key)
	}
	// A misspelt word of another tool leads to ours as well.
	words := slices.Sorted(maps.Keys(p.rivals))
	if k := nearest(bare, append(all, words...)); k != "" {
		return p.called(normal(k), k, known)
	}
	return "known here: " + strings.Join(known, ", ")
}

// called returns what is known under a name: a key of this map, of another, or
// the word of another tool.
func (p *parse) called(bare, key string, known []string) string {
	advice := p.rivals[bare]
	for _, k := range known {
		if normal(k) == bare || slices.Contains(advice.keys, k) {
			return didYouMean(place{key: k})
		}
	}
	for _, pl := range p.places {
		if pl.key == key {
			return "it belongs " + pl.under
		}
	}
	if advice.text != "" {
		return advice.text
	}
	for _, pl := range p.places {
		if normal(pl.key) == bare || slices.Contains(advice.keys, pl.key) {
			return didYouMean(pl)
		}
	}
	return ""
}

func didYouMean(p place) string {
	if p.under == "" {
		return fmt.Sprintf("did you mean %s?", p.key)
	}
	return fmt.Sprintf("did you mean %s, %s?", p.key, p.under)
}

// normal brings the ways of writing one name together: parallelTrialCount,
// parallel-trial-count and parallel_trial_count.
func normal(key string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(key))
}

// nearest returns the key that word is most likely a misspelling of, or "".
func nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
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
