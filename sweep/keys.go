package sweep

import (
	"fmt"
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
			add(under, o.key)
			options(join(under, o.key), o.sub)
		}
	}
	add("the top level", "name", "data", "parameters", "train", "include", "exclude", "zip", "run")
	for _, f := range trainer.Fields() {
		if !f.FromData {
			add("parameters or train", f.Key)
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
		p.places, p.rivals = places(), rivals()
	}
	p.errorf(e.pos, join(path, e.key), "unknown key; %s", p.hint(e.key, known))
}

func (p *parse) hint(key string, known []string) string {
	bare, advice := normal(key), p.rivals[normal(key)]
	for _, k := range known {
		if normal(k) == bare || slices.Contains(advice.keys, k) {
			return didYouMean(place{key: k})
		}
	}
	for _, pl := range p.places {
		if pl.key == key {
			return "it belongs under " + pl.under
		}
	}
	for _, pl := range p.places {
		if normal(pl.key) == bare || slices.Contains(advice.keys, pl.key) {
			return didYouMean(pl)
		}
	}
	if advice.text != "" {
		return advice.text
	}
	if k := nearest(key, known); k != "" {
		return didYouMean(place{key: k})
	}
	all := make([]string, len(p.places))
	for i, pl := range p.places {
		all[i] = pl.key
	}
	if k := nearest(key, all); k != "" {
		return didYouMean(p.places[slices.Index(all, k)])
	}
	return "known here: " + strings.Join(known, ", ")
}

func didYouMean(p place) string {
	if p.under == "" {
		return fmt.Sprintf("did you mean %s?", p.key)
	}
	return fmt.Sprintf("did you mean %s, under %s?", p.key, p.under)
}

// normal brings the ways of writing one name together: parallelTrialCount,
// parallel-trial-count and parallel_trial_count.
func normal(key string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(key))
}

// nearest returns the key that word is most likely a misspelling of, or "".
func nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	if len(word) > 64 {
		return "" // no misspelling, and not worth the time
	}
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
