package figures

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A point is the runs of one k and dict_size that are drawn as one: those of the setting with the least mean nmse. They
// differ in the seed alone.
type point struct {
	k, n  float64
	alpha number  // auxk_alpha, if the runs were chosen for each
	nmse  float64 // mean over the seeds
	sd    float64 // standard deviation over the seeds, with n − 1; 0 for one seed
	dead  number  // mean share of dead latents over the runs that have it
	runs  []run
}

// chosen are the points of a figure, and what they were chosen from.
type chosen struct {
	points []point  // by k, then dict_size, then auxk_alpha
	varied []string // settings that had several values for some k and dict_size, in the order of the settings
	seeds  int      // the most runs of a point
	least  int      // the least runs of a point
	failed int      // runs without nmse
}

// choose returns a point for each k and dict_size, or with eachAlpha for each k, dict_size and auxk_alpha.
func choose(runs []run, eachAlpha bool) chosen {
	type place struct {
		k, n  float64
		alpha number
	}
	groups := map[place]map[string][]run{} // by place, then by the settings
	values := map[place]map[string]string{}
	varied := map[string]bool{}
	var c chosen
	for _, r := range runs {
		if !r.nmse.ok {
			c.failed++
			continue
		}
		p := place{k: r.k, n: r.n}
		if eachAlpha {
			p.alpha = r.alpha
		}
		if groups[p] == nil {
			groups[p], values[p] = map[string][]run{}, map[string]string{}
		}
		var id strings.Builder
		for _, key := range settingsOf(eachAlpha) {
			v := r.setting(key)
			if old, ok := values[p][key]; ok && old != v {
				varied[key] = true
			}
			values[p][key] = v
			fmt.Fprintf(&id, "%q,", v)
		}
		groups[p][id.String()] = append(groups[p][id.String()], r)
	}
	for p, bySettings := range groups {
		var best point
		var bestID string
		for id, of := range bySettings {
			q := average(of)
			if best.runs == nil || q.nmse < best.nmse || q.nmse == best.nmse && id < bestID {
				best, bestID = q, id
			}
		}
		best.alpha = p.alpha
		c.points = append(c.points, best)
		c.seeds = max(c.seeds, len(best.runs))
		if c.least == 0 || len(best.runs) < c.least {
			c.least = len(best.runs)
		}
	}
	slices.SortFunc(c.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.k, b.k), cmp.Compare(a.n, b.n), cmp.Compare(a.alpha.v, b.alpha.v))
	})
	for _, key := range settingsOf(eachAlpha) {
		if varied[key] {
			c.varied = append(c.varied, key)
		}
	}
	return c
}

// settingsOf lists the settings that a point is chosen over.
func settingsOf(eachAlpha bool) []string {
	if eachAlpha {
		return otherSettings()
	}
	return append([]string{"auxk_alpha"}, otherSettings()...)
}

// setting returns a setting of a run as text.
func (r run) setting(key string) string {
	if key != "auxk_alpha" {
		return r.settings[key]
	}
	if !r.alpha.ok {
		return ""
	}
	return plain(r.alpha.v)
}

// average makes a point of the runs of one setting, sorted by their seeds. Sums are over values divided by the number
// of runs, so that they do not overflow.
func average(runs []run) point {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(a.seed, b.seed) })
	p := point{k: runs[0].k, n: runs[0].n, runs: runs}
	count := float64(len(runs))
	for _, r := range runs {
		p.nmse += r.nmse.v / count
	}
	if len(runs) > 1 {
		var largest, sum float64
		for _, r := range runs {
			largest = max(largest, math.Abs(r.nmse.v-p.nmse))
		}
		for _, r := range runs {
			if largest > 0 {
				sum += math.Pow((r.nmse.v-p.nmse)/largest, 2)
			}
		}
		p.sd = largest * math.Sqrt(sum/(count-1))
	}
	dead := 0.0
	for _, r := range runs {
		if r.dead.ok {
			dead++
			p.dead.v += r.dead.v
		}
	}
	if dead > 0 {
		p.dead = number{p.dead.v / dead, true}
	}
	return p
}

// distinct returns the different values of some points, ascending.
func distinct[T any](of []T, get func(T) float64) []float64 {
	var out []float64
	for _, v := range of {
		out = append(out, get(v))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func kOf(p point) float64 { return p.k }
func nOf(p point) float64 { return p.n }
