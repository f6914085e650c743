package report

import (
	"reflect"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// A Column is one column of the results.
type Column struct {
	Name string // in snake case
	Doc  string
	Text bool // holds text, not numbers: aligned to the left

	group columnGroup
	get   func(r ledger.Result) any // int64, float64, string, or nil where the result has no value

	// Of groupRows: info takes the place of get where there is a plan, and tables show the column where a value is above
	// a limit.
	info  func(i trainer.DataInfo) any
	above float64
}

// A columnGroup says what a column is about. The order of the columns, and which of them a table shows, depend on it.
type columnGroup int

const (
	groupID      columnGroup = iota // identifies the run
	groupSetting                    // a field of trainer.Config; tables show it if it varies
	groupMetric                     // a field of trainer.Metrics; tables show tableMetrics, where there is a value
	groupRun                        // about the run as a whole
	groupTime                       // differs between two equal runs; never in tables
	groupData                       // what the run trained on; in tables only with Rows.AllColumns
	groupOld                        // in tables if a result is of an older version than this program's
	groupRows                       // what is said of the data's rows; in tables where it is much
)

// Columns lists every column in order.
func Columns() []Column {
	out := []Column{{
		Name: "cell", Doc: "ID of the cell: the hash of its settings, the data and the training semantics", Text: true,
		group: groupID, get: func(r ledger.Result) any { return r.Cell },
	}}
	for _, f := range trainer.Fields() {
		out = append(out, Column{
			Name: f.Key, Doc: f.Doc, Text: f.Kind == trainer.Word,
			group: groupSetting, get: func(r ledger.Result) any { return f.Get(r.Config) },
		})
	}
	out = append(out, metricColumns()...)
	return append(out,
		Column{
			Name: "threshold", Doc: "recipe upstream: keep activations above it, instead of the top k",
			group: groupMetric, get: func(r ledger.Result) any {
				if r.Status != plan.Completed || r.Threshold == nil {
					return nil
				}
				return *r.Threshold
			},
		},
		Column{
			Name: "tokens", Doc: "tokens trained on: steps × batch_size",
			group: groupRun, get: func(r ledger.Result) any {
				if r.Tokens == 0 && r.Status != plan.Completed {
					return nil
				}
				return r.Tokens
			},
		},
		Column{
			Name: "wall_seconds", Doc: "time spent in training steps, over all attempts",
			group: groupTime, get: func(r ledger.Result) any {
				if r.Status != plan.Completed {
					return nil
				}
				return r.WallSeconds
			},
		},
		Column{
			Name: "data", Text: true,
			Doc:   "fingerprint of what the run trained on: rows, normalisation, held-out rows",
			group: groupData, get: func(r ledger.Result) any { return textOrNil(r.Data) },
		},
		Column{
			Name: "scale", Doc: "what normalize multiplied the stored activations by",
			group: groupData, get: func(r ledger.Result) any {
				if r.Scale == 0 {
					return nil
				}
				return r.Scale
			},
		},
		Column{
			Name: "semantics", Doc: "version of the definitions that the metrics follow; 1 is that of sweep 0.1.0",
			group: groupOld, get: func(r ledger.Result) any {
				if r.Status != plan.Completed {
					return nil
				}
				return int64(r.SemanticsVersion())
			},
		},
		Column{
			Name: "lm_name", Doc: "the language model, as the grid names it", Text: true,
			group: groupData, get: func(r ledger.Result) any { return textOrNil(r.LMName) },
		},
		Column{
			Name: "layer", Doc: "the layer of the activations, as the grid names it",
			group: groupData, get: func(r ledger.Result) any {
				if r.Layer == nil {
					return nil
				}
				return int64(*r.Layer)
			},
		},
		Column{
			Name: "submodule_name", Doc: "the place in the layer, as the grid names it", Text: true,
			group: groupData, get: func(r ledger.Result) any { return textOrNil(r.Submodule) },
		},
		Column{
			Name: "huge_rows_share", above: tableHugeShare,
			Doc:   "share of the mean square in rows of over 10 median norms",
			group: groupRows, get: noValue, info: func(i trainer.DataInfo) any { return i.HugeShare },
		},
		Column{
			Name: "rows_left_out", Doc: "rows that data.max_norm left out",
			group: groupRows, get: noValue, info: func(i trainer.DataInfo) any { return i.LeftOut },
		},
		Column{
			Name: "status", Doc: "pending, running, completed, failed or canceled", Text: true,
			group: groupRun, get: func(r ledger.Result) any { return textOrNil(string(r.Status)) },
		},
		Column{
			Name: "error", Doc: "why the run failed", Text: true,
			group: groupRun, get: func(r ledger.Result) any { return textOrNil(r.Error) },
		},
	)
}

// tableHugeShare is the share of huge rows above which tables show it, and noteHugeShare the one above which a note
// says what it means.
const (
	tableHugeShare = 0.1
	noteHugeShare  = 0.5
)

// metricColumns returns a column for each field of trainer.Metrics. Only completed runs have metrics.
func metricColumns() []Column {
	var out []Column
	t := reflect.TypeFor[trainer.Metrics]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		out = append(out, Column{
			Name: tag.Get("json"), Doc: tag.Get("doc"),
			group: groupMetric, get: func(r ledger.Result) any {
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
			},
		})
	}
	return out
}

func noValue(ledger.Result) any { return nil }

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
