package scaling

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Options say what is fitted, and how intervals are made.
type Options struct {
	Form      Form
	Without   []string // coefficients that are left out
	Level     float64  // of the intervals; 0 is 0.95
	Resamples int      // of the bootstrap; 0 is 1000
	Seed      uint64   // of the bootstrap
}

func (o Options) withDefaults() Options {
	o.Level = cmp.Or(o.Level, 0.95)
	o.Resamples = cmp.Or(o.Resamples, 1000)
	return o
}

// Check returns an error for options that mean nothing.
func (o Options) Check() error {
	if err := o.Form.CheckWithout(o.Without); err != nil {
		return err
	}
	if !(o.Level > 0 && o.Level < 1) {
		return fmt.Errorf("level %v: want a number over 0 and below 1", o.Level)
	}
	if float64(o.Resamples)*(1-o.Level) < 10 {
		return fmt.Errorf("%d resamples: want %.0f or more for intervals of %g", o.Resamples,
			math.Ceil(10/(1-o.Level)-1e-9), o.Level)
	}
	if o.Resamples > maxResamples {
		return fmt.Errorf("%d resamples: want %d or fewer", o.Resamples, maxResamples)
	}
	return nil
}

// maxResamples keeps the parameters of all resamples in memory.
const maxResamples = 1_000_000

// A Coefficient is a fitted number and its interval.
type Coefficient struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// A Fit is a form with its coefficients.
type Fit struct {
	Form         Form
	Without      []string
	Coefficients map[string]Coefficient
	Points       []Point
	Fitted       []float64 // L̂ of each point
	Residuals    []float64 // ln L − ln L̂ of each point
	Sigma        float64   // their standard deviation, of the degrees of freedom that are left
	Level        float64
	Resamples    int
	Seed         uint64
	Holdout      *Holdout // nil where the points without the largest one do not determine the form
	HoldoutError string   // why Holdout is nil
	Warnings     []string

	model   model
	theta   []float64
	samples [][]float64 // parameters of each resample
	noise   []float64   // a residual of a new point, of each resample
}

// NotDetermined is the error of a form that the points do not determine.
type NotDetermined struct {
	Form    Form
	Without []string
	Names   []string // coefficients that are not determined
	Why     string
	Smaller *Fit // a smaller form that is determined; nil if there is none
}

func (e *NotDetermined) Error() string {
	out := e.Short()
	if e.Smaller != nil {
		out += "; what the points determine is " + flags(e.Smaller.Form, e.Smaller.Without)
	}
	return out
}

// Short is the error without the smaller form.
func (e *NotDetermined) Short() string {
	verb, s := "are", "coefficients"
	if len(e.Names) == 1 {
		verb, s = "is", "coefficient"
	}
	name := string(e.Form)
	if len(e.Without) > 0 {
		name += " without " + join(e.Without)
	}
	return fmt.Sprintf("form %s: the %s %s %s not determined: %s", name, s, join(e.Names), verb, e.Why)
}

// FitPoints fits a form to points. The error is a *NotDetermined if they do not determine it.
func FitPoints(ctx context.Context, points []Point, o Options) (*Fit, error) {
	o = o.withDefaults()
	if err := o.Check(); err != nil {
		return nil, err
	}
	if err := checkPoints(points, o.Form); err != nil {
		return nil, err
	}
	points = sorted(points, o.Form)
	f, refused, err := fit(ctx, points, o)
	if err != nil || refused == nil {
		return f, err
	}
	for _, s := range smallerForms(points, o, refused.Names) {
		smaller, no, err := fit(ctx, points, s)
		if err != nil {
			return nil, err
		}
		if no == nil {
			refused.Smaller = smaller
			break
		}
	}
	return nil, refused
}

// checkPoints refuses what has no logarithm.
func checkPoints(points []Point, f Form) error {
	for _, p := range points {
		size := p.size(f)
		if !(p.NMSE > 0) || math.IsInf(p.NMSE, 0) || !(size > 0) || math.IsInf(size, 0) || p.K < 0 || f == NK && p.K == 0 {
			return fmt.Errorf("k=%d, dict_size=%d: nmse %v: a form is fitted to positive numbers", p.K, p.DictSize, p.NMSE)
		}
	}
	if f != NK {
		for _, p := range points {
			if p.K != points[0].K {
				return fmt.Errorf("form %s is for one k, and there are points of k=%d and k=%d", f, points[0].K, p.K)
			}
		}
	}
	return nil
}

// sorted returns points in the order of their size, then of k.
func sorted(points []Point, f Form) []Point {
	out := slices.Clone(points)
	slices.SortStableFunc(out, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.size(f), b.size(f)), cmp.Compare(a.K, b.K), cmp.Compare(a.DictSize, b.DictSize))
	})
	return out
}

// smallerForms lists what is tried where a form is not determined, because of the coefficients in names.
func smallerForms(points []Point, o Options, names []string) []Options {
	var out []Options
	add := func(f Form, without []string) {
		s := o
		s.Form, s.Without = f, without
		out = append(out, s)
	}
	// also adds to what is left out already.
	also := func(without []string) {
		if len(without) > len(o.Without) && !slices.ContainsFunc(o.Without, func(name string) bool {
			return !slices.Contains(without, name)
		}) {
			add(o.Form, without)
		}
	}
	ks, sizes := distinct(points, o.Form)
	if o.Form == NK && ks == 1 {
		add(N, nil)
		add(N, []string{"e"})
		return out
	}
	away := offLine(points)
	if o.Form == NK && slices.Contains(names, "gamma") && !slices.Contains(names, "zeta") {
		// The floor is determined, and the law without it would be another one.
		also([]string{"gamma"})
		also([]string{"gamma", "eta"})
	}
	for _, without := range o.Form.smaller() {
		// Without beta_n, nothing falls with n: that is for one n only.
		if slices.Contains(without, "beta_n") == (sizes == 1) && !(o.Form == NK && away < onLine) {
			also(without)
		}
	}
	if o.Form == NK && away < nearLine {
		for _, without := range smallerOnLine() {
			also(without)
		}
	}
	return out
}

// distinct counts the different k and sizes of points.
func distinct(points []Point, f Form) (ks, sizes int) {
	k, s := map[int64]bool{}, map[float64]bool{}
	for _, p := range points {
		k[p.K], s[p.size(f)] = true, true
	}
	return len(k), len(s)
}

// fit fits one form. refused says why it does not.
func fit(ctx context.Context, points []Point, o Options) (f *Fit, refused *NotDetermined, err error) {
	no := func(names []string, format string, args ...any) (*Fit, *NotDetermined, error) {
		return nil, &NotDetermined{Form: o.Form, Without: o.Without, Names: names, Why: fmt.Sprintf(format, args...)}, nil
	}
	if names, why := undesigned(points, o); len(names) > 0 {
		return no(names, "%s", why)
	}
	m := newModel(o.Form, o.Without, points)
	p := newProblem(&m, points)
	s := p.solve()
	if s.theta == nil {
		return no(o.kept(), "no start of the least squares gives a finite loss")
	}
	h, open := p.leverages(s.theta)
	if names, why := p.vanished(s.theta); len(names) > 0 {
		return no(names, "%s", why)
	}
	if len(open) > 0 {
		if o.Form == NK && offLine(points) < onLine {
			return no(m.named(open), "k and dict_size rise or fall together at all points, and to tell one from the "+
				"other takes several dict_size of one k")
		}
		return no(m.named(open), "at these points they do the same to the loss, and nothing tells them apart")
	}
	f = &Fit{
		Form: o.Form, Without: o.Without, Points: points, Level: o.Level, Resamples: o.Resamples, Seed: o.Seed,
		model: m, theta: s.theta, Coefficients: map[string]Coefficient{},
		Residuals: make([]float64, len(points)),
	}
	p.residuals(s.theta, f.Residuals, nil)
	free := len(points) - len(s.theta)
	f.Sigma = math.Sqrt(s.cost / float64(free))
	for i := range points {
		f.Fitted = append(f.Fitted, math.Exp(p.y[i]-f.Residuals[i]))
	}
	if err := f.bootstrap(ctx, p, h, free); err != nil {
		return nil, nil, err
	}
	if names, why := f.vague(p); len(names) > 0 {
		return no(names, "%s", why)
	}
	f.intervals()
	if names := f.notFinite(); len(names) > 0 {
		return no(names, "they are too large for any number: the losses lie too far apart")
	}
	f.holdOut()
	f.warn()
	return f, nil, nil
}

// notFinite lists the coefficients of which a number is too large for a float64.
func (f *Fit) notFinite() (names []string) {
	for _, t := range f.model.terms {
		c := f.Coefficients[t.name]
		if sum := c.Value + c.Low + c.High; math.IsNaN(sum) || math.IsInf(sum, 0) {
			names = append(names, t.name)
		}
	}
	return names
}
