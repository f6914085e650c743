package scaling

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/topksweep/sweep/sweep/table"
)

// A Forecast is what is said of a cell that was not trained, as JSON has it.
type Forecast struct {
	K        int64    `json:"k"`
	DictSize int64    `json:"dict_size"`
	Form     Form     `json:"form"`
	Without  []string `json:"without"`
	Formula  string   `json:"formula"`
	Refused  *string  `json:"refused"` // why a larger form is not fitted
	Points   int      `json:"points"`  // that the law is fitted to
	Level    float64  `json:"level"`
	Prediction
	Extrapolation []string `json:"extrapolation"` // how far the cell lies outside of the points
	Cost          *Cost    `json:"cost"`
	CostUnknown   *string  `json:"cost_unknown"` // why cost is null
	Warnings      []string `json:"warnings"`     // on the points and on the law
}

// Forecast predicts the nmse of a cell, and its cost by the results that the points were selected from. The error says
// why the law says nothing of the cell.
func (f *Fit) Forecast(results table.Table, s Selection, q CostQuestion) (*Forecast, error) {
	if f.Form != NK && f.Points[0].K != q.K {
		return nil, fmt.Errorf("the points determine a law for k=%d only, which says nothing of k=%d", f.Points[0].K, q.K)
	}
	out := &Forecast{
		K: q.K, DictSize: q.DictSize, Form: f.Form, Without: orEmpty(f.Without), Formula: f.Form.Formula(f.Without),
		Points: len(f.Points), Level: f.Level, Prediction: f.Predict(q.K, q.DictSize),
		Extrapolation: orEmpty(f.Outside(q.K, q.DictSize)),
		Warnings:      slices.Concat([]string{}, s.Warnings, f.Warnings),
	}
	if n := f.Points[0].DictSize; out.Form == NK && !f.model.has("beta_n") && n != q.DictSize {
		return nil, fmt.Errorf("the points determine a law for dict_size=%d only, which says nothing of %d: all points "+
			"have one dict_size", n, q.DictSize)
	}
	cell := Point{K: q.K, DictSize: q.DictSize}
	if out.Form == NK && !f.model.has("beta_k") && offLine(f.Points) < nearLine &&
		!(offLine(append(slices.Clone(f.Points), cell)) < nearLine) {
		return nil, fmt.Errorf("the points determine a law for k and dict_size that rise or fall together as theirs do, "+
			"which says nothing of k=%d, dict_size=%d", q.K, q.DictSize)
	}
	for _, x := range []*float64{&out.NMSE, &out.Low, &out.High, &out.CurveLow, &out.CurveHigh} {
		if math.IsNaN(*x) || math.IsInf(*x, 0) {
			return nil, fmt.Errorf("k=%d, dict_size=%d is too far from the points for any prediction", q.K, q.DictSize)
		}
		*x = *digits(*x)
	}
	if out.NMSE > 1 {
		out.Extrapolation = append(out.Extrapolation, "an nmse over 1 is worse than always predicting the mean")
	}
	var why string
	if out.Cost, why = CostOf(results, q); why != "" {
		out.CostUnknown = &why
	}
	return out, nil
}

func (m *model) has(name string) bool {
	for _, t := range m.terms {
		if t.name == name {
			return true
		}
	}
	return false
}

// WriteJSON writes a forecast as indented JSON.
func (f *Forecast) WriteJSON(w io.Writer) error { return writeJSON(w, f) }

// WriteText writes a forecast for a person.
func (f *Forecast) WriteText(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("cell", "k=%d, dict_size=%d", f.K, f.DictSize)
	line("nmse", "%s", short(f.NMSE))
	line(fmt.Sprintf("%g %% interval", 100*f.Level), "%s to %s, of a new point", short(f.Low), short(f.High))
	line("", "%s to %s, of the law", short(f.CurveLow), short(f.CurveHigh))
	line("law", "form %s, fitted to %d points", f.Form, f.Points)
	line("", "%s", f.Formula)
	if f.Refused != nil {
		line("", "%s", *f.Refused)
	}
	if c := f.Cost; c != nil {
		tokens := fmt.Sprint(c.Tokens)
		if c.Steps != nil {
			tokens += fmt.Sprintf(" (%d steps of %d)", *c.Steps, *c.BatchSize)
		}
		line("tokens", "%s", tokens)
		line("params", "%.4g", c.Params)
		line("flops", "%.4g dense-equivalent", c.Flops)
		if c.FlopsExecuted != nil {
			line("", "%.4g executed", *c.FlopsExecuted)
		}
		line("device time", "%s", c.time())
		memory := "not known"
		if c.PeakBytes != nil {
			memory = humanize.IBytes(uint64(min(*c.PeakBytes, 1<<62)))
		}
		line("memory", "%s", memory)
	} else {
		line("cost", "not known: %s", *f.CostUnknown)
	}
	t.Flush()
	if f.Cost != nil && len(f.Cost.Assumes) > 0 {
		fmt.Fprintf(&b, "\nThe cost assumes:\n")
		for _, s := range f.Cost.Assumes {
			fmt.Fprintf(&b, "  %s\n", s)
		}
	}
	for _, s := range f.Extrapolation {
		fmt.Fprintf(&b, "\nwarning: %s: the law is not tested there\n", s)
	}
	for _, s := range f.Warnings {
		fmt.Fprintf(&b, "\nwarning: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// time writes the device time for a person.
func (c *Cost) time() string {
	if c.DeviceSeconds == nil {
		return "not known"
	}
	s := *c.DeviceSeconds
	on := ""
	if c.Device != nil {
		on = " on " + *c.Device
	}
	switch {
	case s >= 48*3600:
		return fmt.Sprintf("%.4g days%s", s/86400, on)
	case s >= 120:
		return time.Duration(s*float64(time.Second)).Round(time.Second).String() + on
	}
	return fmt.Sprintf("%.3g s%s", s, on)
}
