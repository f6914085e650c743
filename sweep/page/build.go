package page

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/table"
	"github.com/topksweep/sweep/trainer"
)

// A document is the data of a page as the script reads it.
type document struct {
	Title   string      `json:"title"`
	Rows    int         `json:"rows"`
	Columns []column    `json:"columns"`
	Empty   []string    `json:"empty"` // names of the columns that have no value
	Sweeps  []sweepData `json:"sweeps"`
	Fields  []field     `json:"fields"` // settings, in the order of trainer.Fields
	Series  []string    `json:"series"` // of curves
	Steps   [][]int64   `json:"steps"`  // lists of steps that curves refer to
	Curves  []curve     `json:"curves"`
	Points  int         `json:"points"`         // that are kept of each curve, at most
	Spans   []spans     `json:"spans"`          // of the rows that have any
	Words   []string    `json:"words"`          // that spans refer to
	Poll    int         `json:"poll,omitempty"` // milliseconds until a served page asks again; 0: it is not served
}

// A field is a setting of a cell.
type field struct {
	Key string `json:"key"`
	Doc string `json:"doc"`
}

// A sweepData is what the page knows of a sweep besides its rows.
type sweepData struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	First     int              `json:"first"` // its first row
	Cells     int              `json:"cells"` // rows
	Axes      []string         `json:"axes"`
	Data      string           `json:"data"` // the section data of a grid, in YAML
	Info      trainer.DataInfo `json:"info"`
	Sets      []setData        `json:"sets,omitempty"`  // where the plan names its data sets; Info is without values then
	Older     bool             `json:"older,omitempty"` // planned under earlier semantics: it takes no new cells
	Semantics int              `json:"semantics"`
	Unshared  int64            `json:"steps_unshared"` // steps of all cells
	Warnings  []string         `json:"warnings,omitempty"`
	Forest    forest           `json:"forest"`
	Live      *Live            `json:"live,omitempty"`
}

// A setData is what the page knows of a named data set.
type setData struct {
	Name string           `json:"name"`
	Data string           `json:"data"` // the section data of a grid that has this set alone, in YAML
	Info trainer.DataInfo `json:"info"`
}

// A spans is who trained the steps of a row's run.
type spans struct {
	Row  int         `json:"row"`
	List [][]number6 `json:"list"` // from, to, cells, seconds, and indices in Words of class, device and build
}

// newDocument puts together what a page shows.
func newDocument(in Input) (document, error) {
	d := document{Title: in.Title, Series: curveSeries(), Steps: [][]int64{}, Curves: []curve{}}
	d.Sweeps, d.Spans, d.Words = []sweepData{}, []spans{}, []string{}
	for _, f := range trainer.Fields() {
		d.Fields = append(d.Fields, field{f.Key, f.Doc})
	}
	var results []table.Table
	first := 0
	var names []string
	words := map[string]int{}
	for _, s := range in.Sweeps {
		if s.Plan == nil || len(s.Table.Rows) != len(s.Results) || len(s.Results) != len(s.Plan.Cells) {
			return d, fmt.Errorf("page: a sweep's table, results and cells are not of one length")
		}
		if len(s.Plan.Sets) > 0 && d.Fields[0].Key != plan.DataKey {
			d.Fields = slices.Insert(d.Fields, 0, field{plan.DataKey, "name of the data set"})
		}
		results = append(results, withSweep(s.Table, s.Plan.ID))
		d.Sweeps = append(d.Sweeps, newSweepData(s, first))
		names = append(names, s.Plan.Name)
		for i, r := range s.Results {
			if len(r.Spans) > 0 {
				d.Spans = append(d.Spans, spans{first + i, d.spanList(r.Spans, words)})
			}
		}
		first += len(s.Results)
	}
	results = append(results, in.Results...)
	if d.Title == "" {
		d.Title = strings.Join(names, ", ")
	}
	if d.Title == "" {
		d.Title = "Results"
	}
	d.Columns, d.Empty, d.Rows = joinColumns(results)
	if d.Columns == nil {
		d.Columns = []column{}
	}
	return d, d.addCurves(in, rowFinder(results))
}

// addCurves adds the curves of the sweeps and of the files.
func (d *document) addCurves(in Input, rowOf func(sweep, cell string) (int, bool)) error {
	ofFiles := findCurves(in.Curves, rowOf)
	n := len(ofFiles)
	for _, s := range in.Sweeps {
		if s.Curve != nil {
			n += counts(s.Results)[plan.Completed]
		}
	}
	d.Points = pointsEach(n)
	known := map[string]int{}
	add := func(c *curveRows) {
		curve, steps := c.curve(d.Points)
		if len(steps) == 0 {
			return
		}
		key := fmt.Sprint(steps)
		i, ok := known[key]
		if !ok {
			i = len(d.Steps)
			known[key] = i
			d.Steps = append(d.Steps, steps)
		}
		curve.Steps = i
		d.Curves = append(d.Curves, curve)
	}
	first := 0
	for _, s := range in.Sweeps {
		for i, r := range s.Results {
			if s.Curve == nil || r.Status != plan.Completed {
				continue
			}
			t, err := s.Curve(i)
			if err != nil {
				return err
			}
			rows := make([]int, len(t.Rows))
			for j := range rows {
				rows[j] = j
			}
			add(&curveRows{t: &t, rows: rows, row: first + i})
		}
		first += len(s.Results)
	}
	for _, c := range ofFiles {
		add(c)
	}
	return nil
}

// number6 is a number with six significant digits, or an integer.
type number6 float64

// MarshalJSON implements json.Marshaler.
func (n number6) MarshalJSON() ([]byte, error) {
	if n == number6(int64(n)) {
		return json.Marshal(int64(n))
	}
	return fmt.Appendf(nil, "%.6g", float64(n)), nil
}

func (d *document) spanList(list []ledger.Span, words map[string]int) [][]number6 {
	word := func(s string) number6 {
		i, ok := words[s]
		if !ok {
			i = len(d.Words)
			words[s] = i
			d.Words = append(d.Words, s)
		}
		return number6(i)
	}
	var out [][]number6
	for _, s := range list {
		out = append(out, []number6{
			number6(s.From), number6(s.To), number6(s.Cells), number6(s.Seconds), word(s.Class), word(s.Device), word(s.Build),
		})
	}
	return out
}

func newSweepData(s Sweep, first int) sweepData {
	h := s.Plan.Header
	out := sweepData{
		ID: h.ID, Name: h.Name, First: first, Cells: len(s.Results), Axes: h.Axes, Data: dataSections(&h), Info: h.Info,
		Semantics: h.SemanticsVersion(), Older: h.SemanticsVersion() != trainer.SemanticsVersion,
		Warnings: h.Warnings, Forest: newForest(s, first), Live: s.Live,
	}
	for _, set := range h.Sets {
		out.Sets = append(out.Sets, setData{set.Name, dataSection(set.Data), set.Info})
	}
	if out.Axes == nil {
		out.Axes = []string{}
	}
	for _, c := range s.Plan.Cells {
		out.Unshared += int64(c.Config.Steps)
	}
	return out
}

// withSweep returns a table whose column sweep has the ID in each row.
func withSweep(t table.Table, id string) table.Table {
	at := t.Index("sweep")
	out := table.Table{Columns: t.Columns, Rows: make([][]any, len(t.Rows))}
	if at < 0 {
		out.Columns = append(t.Columns[:len(t.Columns):len(t.Columns)],
			table.Column{Name: "sweep", Kind: table.Text, Doc: "ID of the sweep"})
	}
	for i, row := range t.Rows {
		if at < 0 {
			out.Rows[i] = append(row[:len(row):len(row)], id)
			continue
		}
		out.Rows[i] = append([]any(nil), row...)
		out.Rows[i][at] = id
	}
	return out
}

// rowFinder returns a function that finds the row of a cell in joined tables: by sweep and cell, else by the cell alone
// where only one row has it.
func rowFinder(tables []table.Table) func(sweep, cell string) (int, bool) {
	exact, alone := map[[2]string]int{}, map[string]int{}
	row := 0
	for i := range tables {
		t := &tables[i]
		atSweep, atCell := t.Index("sweep"), t.Index("cell")
		for r := range t.Rows {
			cell := textAt(t, r, atCell)
			exact[[2]string{textAt(t, r, atSweep), cell}] = row
			if _, twice := alone[cell]; twice {
				alone[cell] = -1
			} else {
				alone[cell] = row
			}
			row++
		}
	}
	return func(sweep, cell string) (int, bool) {
		if r, ok := exact[[2]string{sweep, cell}]; ok {
			return r, true
		}
		r, ok := alone[cell]
		return r, ok && r >= 0 && cell != ""
	}
}

// counts counts the cells of a sweep by status.
func counts(results []ledger.Result) map[plan.Status]int {
	out := map[plan.Status]int{}
	for _, r := range results {
		out[r.Status]++
	}
	return out
}
