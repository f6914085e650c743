package report

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// A Column is one column of the results.
type Column struct {
	table.Column
	Varies bool // differs between two equal sweeps: times, and what they were trained on

	group columnGroup
	get   func(r *ledger.Result) any // a value as tables have it, or nil where the result has none

	// Of groupRows: info takes the place of get where there is a plan, and tables show the column where a value is above
	// a limit.
	info  func(i trainer.DataInfo) any
	above float64
}

// A columnGroup says what a column is about. The order of the columns, and which of them a table shows, depend on it.
type columnGroup int

const (
	groupID      columnGroup = iota // identifies the run
	groupSweep                      // the sweep; in tables of several
	groupSetting                    // a field of trainer.Config; tables show it if it varies
	groupWritten                    // a setting as the grid has it; in tables only with Rows.AllColumns
	groupMetric                     // a measurement; tables show tableMetrics, where there is a value
	groupRun                        // about the run as a whole
	groupCost                       // what the run took; in tables only with Rows.AllColumns
	groupTime                       // differs between two equal runs; never in tables
	groupData                       // what the run trained on; in tables only with Rows.AllColumns
	groupOld                        // in tables if a result is of an older version than this program's
	groupRows                       // what is said of the data's rows; in tables where it is much
	groupFile                       // for programs; never in tables
)

// Columns lists every column in order, but for the one of sets.go.
func Columns() []Column {
	out := slices.Concat(identityColumns(), settingColumns(), metricColumns(), costColumns(), dataColumns(), endColumns())
	for i := range out {
		out[i].Unit = unitOf(out[i].Name)
	}
	return out
}

// Schema describes every column of the results and of the curves, for reading them from files.
func Schema() []table.Column {
	var out []table.Column
	for _, c := range append(Columns(), fingerprintColumn()) {
		out = append(out, c.Column)
	}
	lr := float(lrSetting, "setting lr of the run")
	lr.Exact = true
	for _, c := range append(CurveColumns(), lr) {
		if !slices.ContainsFunc(out, func(o table.Column) bool { return o.Name == c.Name }) {
			out = append(out, c)
		}
	}
	return out
}

func text(name, doc string) table.Column  { return table.Column{Name: name, Kind: table.Text, Doc: doc} }
func whole(name, doc string) table.Column { return table.Column{Name: name, Kind: table.Int, Doc: doc} }
func float(name, doc string) table.Column {
	return table.Column{Name: name, Kind: table.Float, Doc: doc}
}

func identityColumns() []Column {
	return []Column{
		{
			Column: text("cell", "ID of the cell: the hash of its settings, the data and the training semantics"),
			group:  groupID, get: func(r *ledger.Result) any { return r.Cell },
		},
		{
			Column: text("sweep", "ID of the sweep whose plan has the cell"),
			group:  groupSweep, get: func(r *ledger.Result) any { return textOrNil(r.Sweep) },
		},
		{
			Column: text("run", "ID of the run in the store: that of the cell, or that and the end of the sweep's"),
			group:  groupFile, get: func(r *ledger.Result) any { return textOrNil(r.Run) },
		},
	}
}

// settingColumns returns a column for each field of trainer.Config, as resolved, and one for each field that a grid may
// give as a fraction or a word, as written.
func settingColumns() []Column {
	var settings, written []Column
	for _, f := range trainer.Fields() {
		c := table.Column{Name: f.Key, Kind: table.Int, Doc: f.Doc, Exact: true}
		switch f.Kind {
		case trainer.Word:
			c.Kind = table.Text
		case trainer.File:
			c.Kind, c.Doc = table.Text, f.Doc+": 12 digits of its hash"
		case trainer.Float:
			c.Kind = table.Float
		}
		settings = append(settings, Column{Column: c, group: groupSetting, get: func(r *ledger.Result) any {
			if r.Config.ActivationDim == 0 { // the note of a failure is damaged
				return nil
			}
			return settingOf(f, r.Config)
		}})
		if !f.Auto && f.Fraction == "" && f.Kind != trainer.File {
			continue
		}
		written = append(written, Column{
			Column: text(f.Key+"_written", f.Key+" as the grid has it"),
			group:  groupWritten, get: func(r *ledger.Result) any {
				if r.Written == nil || r.Config.ActivationDim == 0 {
					return nil
				}
				if text, ok := r.Written[f.Key]; ok {
					return text
				}
				return table.Print(settingOf(f, r.Config))
			},
		})
	}
	return append(settings, written...)
}

// settingOf returns a field of a Config as a value of a table.
func settingOf(f trainer.Field, c trainer.Config) any {
	if f.Kind == trainer.File {
		return f.Text(c)
	}
	return f.Get(c)
}

// metricColumns returns a column for each field of trainer.Metrics, and those that follow from them. Only completed
// runs have metrics.
func metricColumns() []Column {
	var out []Column
	t := reflect.TypeFor[trainer.Metrics]()
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		c := table.Column{Name: name, Kind: kindOf(field.Type), Doc: field.Tag.Get("doc")}
		group := groupMetric
		if c.Kind == table.Ints {
			group = groupFile
		}
		out = append(out, Column{Column: c, group: group, get: func(r *ledger.Result) any {
			if r.Status != plan.Completed {
				return nil
			}
			return valueOf(reflect.ValueOf(&r.Metrics).Elem().Field(i))
		}})
	}
	return append(out,
		Column{
			Column: float("mse", "l2_loss ÷ scale²: mean ‖x̂−x‖² of the rows as stored"),
			group:  groupMetric, get: func(r *ledger.Result) any {
				if r.Status != plan.Completed || r.Scale == 0 {
					return nil
				}
				return finiteOrNil(r.Metrics.L2Loss / r.Scale / r.Scale)
			},
		},
		Column{
			Column: float("threshold", "recipe upstream: keep activations above it, instead of the top k"),
			group:  groupMetric, get: func(r *ledger.Result) any {
				if r.Status != plan.Completed || r.Threshold == nil {
					return nil
				}
				return finiteOrNil(*r.Threshold)
			},
		})
}

// kindOf returns the kind of a column whose values are those of a field.
func kindOf(t reflect.Type) table.Kind {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Float64:
		return table.Float
	case reflect.Slice:
		return table.Ints
	}
	return table.Int
}

// valueOf returns a field of trainer.Metrics as a value of a table.
func valueOf(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		if counts, ok := v.Interface().([]int64); ok && counts != nil {
			return counts
		}
		return nil
	case v.CanInt():
		return v.Int()
	}
	return finiteOrNil(v.Float())
}

func finiteOrNil(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func noValue(*ledger.Result) any { return nil }
