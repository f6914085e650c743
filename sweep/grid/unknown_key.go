package grid

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/spelling"
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
	add("under parameters or train", Lengths()...)
	add("under parameters or train", normalizeInit)
	addOptions("run", runOptions(new(RunOptions)))
	addOptions("data", dataOptions(new(trainer.DataSpec), new(trainer.Synthetic), new(trainer.Raw)))
	return out
}

// unknown reports a key that its map cannot have, with a suggestion. known lists the keys that the map can have.
func (p *parser) unknown(e entry, path string, known []string) {
	if p.keys == nil {
		p.keys, p.foreignKeys, p.suggestions = knownKeys(), foreignKeys(), map[string]string{}
	}
	id := fmt.Sprint(e.key, " among ", len(known), known[0]) // no two maps have as many keys and the same first one
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
	simple := spelling.Simplify(key)
	if text := p.lookUp(simple, key, known); text != "" {
		return text
	}
	if k := spelling.Nearest(simple, known); k != "" {
		return didYouMean(knownKey{key: k})
	}
	all := make([]string, 0, len(p.keys)+len(p.foreignKeys))
	for _, k := range p.keys {
		all = append(all, k.key)
	}
	all = append(all, slices.Sorted(maps.Keys(p.foreignKeys))...)
	if k := spelling.Nearest(simple, all); k != "" {
		return p.lookUp(spelling.Simplify(k), k, known)
	}
	return "known here: " + strings.Join(known, ", ")
}

// lookUp returns what to write for a name that is known: a key of this map, of another map, or the key of another
// tool. It returns "" for other names. simple is spelling.Simplify(key).
func (p *parser) lookUp(simple, key string, known []string) string {
	foreign := p.foreignKeys[simple]
	for _, k := range known {
		if spelling.Simplify(k) == simple || slices.Contains(foreign.keys, k) {
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
		if spelling.Simplify(k.key) == simple || slices.Contains(foreign.keys, k.key) {
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
