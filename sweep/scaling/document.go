package scaling

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
)

// A Document is a fit, or the refusal of one, as JSON has it. All keys are always there: null or an empty list where
// there is nothing.
type Document struct {
	Data          string               `json:"data,omitempty"` // name of the data set, if there are fits of several
	Form          Form                 `json:"form"`
	Without       []string             `json:"without"` // coefficients that were left out
	Formula       string               `json:"formula"`
	Determined    bool                 `json:"determined"`
	NotDetermined []string             `json:"not_determined"` // coefficients
	Why           *string              `json:"why"`            // they are not
	Coefficients  map[string]estimated `json:"coefficients"`
	Level         float64              `json:"level"`
	Resamples     int                  `json:"resamples"`
	Seed          uint64               `json:"seed"`
	Interval      string               `json:"interval"` // how it is made
	Sigma         *float64             `json:"sigma"`    // standard deviation of the residuals
	Points        []fittedPoint        `json:"points"`
	Residuals     []float64            `json:"residuals"` // ln L − ln L̂, in the order of the points
	Holdout       *Holdout             `json:"holdout"`
	HoldoutError  *string              `json:"holdout_error"`
	Selection     Selection            `json:"selection"`
	LeftOut       []LeftOut            `json:"left_out"`
	Warnings      []string             `json:"warnings"`
	Smaller       *Document            `json:"smaller"` // a smaller form that is determined
}

// estimated is a Coefficient: null where it is not fitted.
type estimated struct {
	Value    *float64   `json:"value"`
	Low      *float64   `json:"low"`
	High     *float64   `json:"high"`
	Interval []*float64 `json:"interval"` // low and high
}

type fittedPoint struct {
	Point
	Fitted   *float64 `json:"fitted"`
	Residual *float64 `json:"residual"`
}

const intervalRule = "percentiles of a bootstrap over the residuals of ln L, each divided by √(1 − leverage) and " +
	"multiplied by the ratio of the quantiles of Student's t and the normal distribution"

// NewDocument describes what came of FitPoints: a fit, or an error that wraps a NotDetermined. Any other error is
// returned.
func NewDocument(f *Fit, err error, points []Point, o Options, s Selection) (*Document, error) {
	o = o.withDefaults()
	d := &Document{
		Form: o.Form, Without: orEmpty(o.Without), Formula: o.Form.Formula(o.Without),
		NotDetermined: []string{}, Coefficients: map[string]estimated{},
		Level: o.Level, Resamples: o.Resamples, Seed: o.Seed, Interval: intervalRule,
		Points: []fittedPoint{}, Residuals: []float64{},
		Selection: s, LeftOut: s.LeftOut, Warnings: slices.Clone(orEmpty(s.Warnings)),
	}
	d.Selection.Chosen, d.Selection.Differing = orEmpty(s.Chosen), orEmpty(s.Differing)
	if d.LeftOut == nil {
		d.LeftOut = []LeftOut{}
	}
	for _, name := range o.Form.Coefficients() {
		d.Coefficients[name] = estimated{}
	}
	if no := (*NotDetermined)(nil); errors.As(err, &no) {
		d.NotDetermined, d.Why = no.Names, &no.Why
		for _, p := range sorted(points, o.Form) {
			d.Points = append(d.Points, fittedPoint{Point: p})
		}
		if no.Smaller != nil {
			o.Form, o.Without = no.Smaller.Form, no.Smaller.Without
			smaller := s
			smaller.Warnings = nil
			d.Smaller, err = NewDocument(no.Smaller, nil, points, o, smaller)
			return d, err
		}
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	d.Determined = true
	for name, c := range f.Coefficients {
		d.Coefficients[name] = estimated{
			Value: digits(c.Value), Low: digits(c.Low), High: digits(c.High),
			Interval: []*float64{digits(c.Low), digits(c.High)},
		}
	}
	d.Sigma = digits(f.Sigma)
	for i, p := range f.Points {
		d.Points = append(d.Points, fittedPoint{p, digits(f.Fitted[i]), digits(f.Residuals[i])})
		d.Residuals = append(d.Residuals, *digits(f.Residuals[i]))
	}
	if f.Holdout != nil {
		d.Holdout = &Holdout{f.Holdout.Point, *digits(f.Holdout.Predicted), *digits(f.Holdout.Error)}
	}
	if f.HoldoutError != "" {
		d.HoldoutError = &f.HoldoutError
	}
	d.Warnings = append(d.Warnings, f.Warnings...)
	return d, nil
}

// digits rounds to nine digits, so that an answer does not depend on the last bits of the iterations. What is below
// 1e-12 is 0: losses are between 0 and 1.
func digits(x float64) *float64 {
	if math.Abs(x) < 1e-12 {
		x = 0
	} else {
		x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 9, 64), 64)
	}
	return &x
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// WriteJSON writes the documents of data sets: one as an object, several as a list of them.
func WriteJSON(w io.Writer, documents ...*Document) error {
	if len(documents) == 1 {
		return documents[0].WriteJSON(w)
	}
	return writeJSON(w, documents)
}

// WriteJSON writes a document as indented JSON.
func (d *Document) WriteJSON(w io.Writer) error { return writeJSON(w, d) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
