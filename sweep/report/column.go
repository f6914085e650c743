package report

import (
	"reflect"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// A Column is one column of the results. Its name and its meaning come from the
// tags of trainer's Config and Metrics; those of a run as such stand here.
type Column struct {
	Name string // snake case
	Doc  string
	Text bool // words, not numbers: aligned to the left

	in  group
	get func(r ledger.Result) any // int64, float64, string, or nil for what is not there
}

// A group says where a column belongs, and so in which tables it is shown.
type group int

const (
	id      group = iota // names the run
	setting              // a field of Config: shown in tables if it varies
	metric               // measured: shown in tables by choice, and only if there
	run                  // of the run as such
	clock                // differs between two equal runs: never in tables
	origin               // what the run trained on: in tables only when all are asked for
)

// Columns lists every column in order.
func Columns() []Column {
	out := []Column{{"cell", "ID of the cell: the hash of its settings, the data and the training semantics", true, id,
		func(r ledger.Result) any { return r.Cell }}}
	for _, f := range trainer.Fields() {
		out = append(out, Column{f.Key, f.Doc, f.Kind == trainer.Word, setting, func(r ledger.Result) any { return f.Get(r.Config) }})
	}
	out = append(out, metrics()...)
	return append(out,
		Column{"tokens", "tokens trained on: steps × batch_size", false, run, func(r ledger.Result) any {
			if r.Tokens == 0 && r.Status != plan.Completed {
				return nil
			}
			return r.Tokens
		}},
		Column{"wall_seconds", "time spent in training steps, over all attempts", false, clock, func(r ledger.Result) any {
			if r.Status != plan.Completed {
				return nil
			}
			return r.WallSeconds
		}},
		Column{"data", "fingerprint of what the run trained on: rows, normalisation, held-out rows", true, origin, func(r ledger.Result) any { return words(r.Data) }},
		Column{"lm_name", "the language model, as the grid names it", true, origin, func(r ledger.Result) any { return words(r.LMName) }},
		Column{"layer", "the layer of the activations, as the grid names it", false, origin, func(r ledger.Result) any {
			if r.Layer == nil {
				return nil
			}
			return int64(*r.Layer)
		}},
		Column{"submodule_name", "the place in the layer, as the grid names it", true, origin, func(r ledger.Result) any { return words(r.Submodule) }},
		Column{"status", "pending, running, completed, failed or canceled", true, run, func(r ledger.Result) any { return words(string(r.Status)) }},
		Column{"error", "why the run failed", true, run, func(r ledger.Result) any { return words(r.Error) }},
	)
}

// metrics makes a column of each field of trainer.Metrics. A run that has not
// been completed has none of them.
func metrics() []Column {
	var out []Column
	t := reflect.TypeFor[trainer.Metrics]()
	for i := range t.NumField() {
		f := t.Field(i)
		out = append(out, Column{f.Tag.Get("json"), f.Tag.Get("doc"), false, metric, func(r ledger.Result) any {
			v := reflect.ValueOf(r.Metrics).Field(i)
			if r.Status != plan.Completed || v.Kind() == reflect.Pointer && v.IsNil() {
				return nil
			}
			if v.Kind() == reflect.Pointer {
				v = v.Elem()
			}
			if v.CanInt() {
				return v.Int()
			}
			return v.Float()
		}})
	}
	return out
}

func words(s string) any {
	if s == "" {
		return nil
	}
	return s
}
