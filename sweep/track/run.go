package track

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/table"
)

// The statuses of a run that has ended.
const (
	completed = "completed"
	failed    = "failed"
	canceled  = "canceled"
)

// A run is one row of the results, with its curve.
type run struct {
	sweep  string // ID, safe as the name of a file, unique
	name   string // the settings that vary in its sweep and the cell's ID; safe, unique in the sweep
	cell   string
	number int // of the run among those of its sweep and cell, which is 0 but for tables with a row twice
	status string
	why    string // it failed; "" if it did not

	settings []field // the columns that are settings
	notes    []field // the other columns that are no measured number: texts, versions and lists
	final    []field // measured numbers
	points   []point // by step
}

// A field is a named value: string, int64, float64 or []int64.
type field struct {
	name  string
	value any
}

// A point is what a curve has at a step.
type point struct {
	step   int64
	values []field // numbers
}

// Columns of numbers that are no measurements.
var isNote = map[string]bool{"layer": true, "semantics": true, "scale": true}

// Columns of curves that are no values by step: they say which run it is, or are settings.
var isKey = map[string]bool{"sweep": true, "cell": true, "k": true, "dict_size": true, "seed": true, "step": true}

// runsOf makes the runs that have ended of the tables, in the order of the results. pending counts the others. A row
// without a status, as a file may have it, counts as completed.
func runsOf(results, curves table.Table, o Options) (runs []*run, pending int) {
	byRun := pointsOf(curves, results.Index("sweep") >= 0)
	names, numbers, sweeps := uniqueNames{}, map[[2]string]int{}, map[string]string{}
	isSetting := map[string]bool{}
	for _, s := range o.Settings {
		isSetting[s] = true
	}
	columns := safeColumns(results)
	varies := varyingSettings(results, isSetting)
	for i := range results.Rows {
		r := &run{
			sweep: table.Print(results.Value(i, "sweep")), cell: table.Print(results.Value(i, "cell")),
			status: cmp.Or(table.Print(results.Value(i, "status")), completed),
			why:    table.Print(usable(results.Value(i, "error"))),
		}
		if r.status != completed && r.status != failed && r.status != canceled {
			pending++
			continue
		}
		key := [2]string{r.sweep, r.cell}
		if r.points = byRun[key]; r.cell == "" {
			r.cell, r.points = fmt.Sprintf("row-%d", i+1), nil
		}
		r.number = numbers[key]
		numbers[key]++
		var parts []string
		for j, c := range results.Columns {
			v := usable(results.Rows[i][j])
			_, isText := v.(string)
			_, isList := v.([]int64)
			f := field{columns[j], v}
			switch {
			case v == nil || c.Name == "error":
			case isSetting[c.Name]:
				r.settings = append(r.settings, f)
				if varies[r.sweep][c.Name] {
					parts = append(parts, f.name+"="+table.Print(v))
				}
			case isText || isList || isNote[c.Name]:
				r.notes = append(r.notes, f)
			default:
				r.final = append(r.final, f)
			}
		}
		if sweeps[r.sweep] == "" {
			sweeps[r.sweep] = names.of("", cmp.Or(safe(r.sweep), "sweep"))
		}
		r.sweep = sweeps[r.sweep]
		r.name = names.of(r.sweep, nameOf(parts, r.cell))
		runs = append(runs, r)
	}
	return runs, pending
}

// shownID is how much of a cell's ID a name has, as in the tables of results. If that is not unique, uniqueNames is.
const shownID = 10

// nameOf makes the name of a run, as k=8,dict_size=512,cell=7f70019b3d. A long name loses settings, not the cell's ID.
func nameOf(parts []string, cell string) string {
	id := "cell=" + shortened(safe(cell), shownID)
	settings := shortened(safe(strings.Join(parts, ",")), maxName-len(id)-1)
	return strings.TrimPrefix(settings+","+id, ",")
}

// varyingSettings says for each sweep which settings do not have the same value in all its runs.
func varyingSettings(t table.Table, isSetting map[string]bool) map[string]map[string]bool {
	first := map[string]int{}
	out := map[string]map[string]bool{}
	for i, row := range t.Rows {
		sweep := table.Print(t.Value(i, "sweep"))
		if out[sweep] == nil {
			first[sweep], out[sweep] = i, map[string]bool{}
		}
		for j, c := range t.Columns {
			if isSetting[c.Name] && table.Print(row[j]) != table.Print(t.Rows[first[sweep]][j]) {
				out[sweep][c.Name] = true
			}
		}
	}
	return out
}

// pointsOf sorts the rows of the curves by sweep and cell, and then by step. Rows of one step become one point.
func pointsOf(t table.Table, bySweep bool) map[[2]string][]point {
	out := map[[2]string][]point{}
	columns := safeColumns(t)
	for i, row := range t.Rows {
		step, ok := t.Value(i, "step").(int64)
		if !ok || step < 0 {
			continue
		}
		p := point{step: step}
		for j, c := range t.Columns {
			v := usable(row[j])
			_, isText := v.(string)
			_, isList := v.([]int64)
			if v != nil && !isText && !isList && !isKey[c.Name] {
				p.values = append(p.values, field{columns[j], v})
			}
		}
		key := [2]string{"", table.Print(t.Value(i, "cell"))}
		if bySweep {
			key[0] = table.Print(t.Value(i, "sweep"))
		}
		out[key] = append(out[key], p)
	}
	for key, points := range out {
		slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.step, b.step) })
		out[key] = merged(points)
	}
	return out
}

// merged joins neighbours of one step. Of two values with a name the later one counts.
func merged(points []point) (out []point) {
	for _, p := range points {
		if n := len(out); n == 0 || out[n-1].step != p.step {
			out = append(out, p)
			continue
		}
		last := &out[len(out)-1]
		for _, f := range p.values {
			if i := slices.IndexFunc(last.values, func(g field) bool { return g.name == f.name }); i >= 0 {
				last.values[i] = f
			} else {
				last.values = append(last.values, f)
			}
		}
	}
	return out
}

// lastStep is the step under which the final values stand: that of the last point, or 0 without a curve.
func (r *run) lastStep() int64 {
	if len(r.points) == 0 {
		return 0
	}
	return r.points[len(r.points)-1].step
}

// setting is the value of a setting: nil if the run has none.
func (r *run) setting(name string) any {
	for _, f := range r.settings {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// config is all that is no measured number, with the status and what the run failed of.
func (r *run) config() []field {
	out := slices.Concat(r.settings, r.notes)
	if !slices.ContainsFunc(out, func(f field) bool { return f.name == "status" }) {
		out = append(out, field{"status", r.status})
	}
	if r.why != "" {
		out = append(out, field{"error", r.why})
	}
	return out
}

// usable returns a value, or nil in the place of one that is not there or not finite.
func usable(v any) any {
	switch x := v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
	case []int64:
		if x == nil {
			return nil
		}
	case string:
		if x == "" {
			return nil
		}
		return strings.ToValidUTF8(x, "\uFFFD")
	}
	return v
}

// number returns the value of a field that is a number.
func (f field) number() float64 {
	if i, ok := f.value.(int64); ok {
		return float64(i)
	}
	x, _ := f.value.(float64)
	return x
}

// jsonOf is a value of a field in JSON.
func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null" // only of a number that is not finite, which usable takes out
	}
	return string(b)
}
