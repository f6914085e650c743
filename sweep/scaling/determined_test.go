package scaling

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

// A form that the points do not determine is refused: the coefficients are named, and a smaller form is there.
func TestNotDetermined(t *testing.T) {
	power := func(k, n float64) float64 {
		return math.Exp(-0.5 - 0.1*math.Log(k) - 0.05*math.Log(n) - 0.01*math.Log(k)*math.Log(n))
	}
	// rounded gives points k = n/300.
	rounded := func(points []Point) []Point {
		for i, p := range points {
			points[i].K = int64(math.Round(float64(p.DictSize) / 300))
		}
		return points
	}
	floored := func(_, n float64) float64 { return 3*math.Pow(n, -0.3) + 0.1 }
	wideK, wideN := powers(8, 512, 2), powers(2048, 2_097_152, 4)
	for _, c := range []struct {
		name    string
		form    Form
		without []string
		points  []Point
		names   string // not determined; "" where all are
		why     string
		smaller string
	}{
		{"one k", NK, nil, plant(1, 0.003, []int64{32}, wideN, paperLoss), "beta_k, gamma, eta", "k=32", "--form n"},
		{"one dict_size", NK, nil, plant(1, 0.01, wideK, []int64{4096}, paperLoss),
			"alpha, beta_k, beta_n, gamma, zeta, eta", "one dict_size", "--form nk --without beta_n,gamma,zeta,eta"},
		{"one cell", NK, nil, plant(1, 0.01, []int64{8}, []int64{4096}, paperLoss),
			"alpha, beta_k, beta_n, gamma, zeta, eta", "k=8 and dict_size=4096", ""},
		{"no cell", NK, nil, nil, "alpha, beta_k, beta_n, gamma, zeta, eta", "no points", ""},
		{"two dict_size", NK, nil, plant(1, 0.01, wideK, []int64{2048, 8192}, paperLoss),
			"alpha, beta_k, beta_n, gamma, zeta, eta", "two values of dict_size", "--form nk --without zeta,eta"},
		{"six points", NK, nil, plant(1, 0.01, []int64{8, 64}, powers(2048, 32768, 4), paperLoss),
			"alpha, beta_k, beta_n, gamma, zeta, eta", "7 points or more", "--form nk --without zeta,eta"},
		{"a diagonal", NK, []string{"zeta", "eta"}, slices.DeleteFunc(
			plant(1, 0, wideK, powers(2048, 131_072, 2), paperLoss),
			func(p Point) bool { return p.DictSize != 256*p.K }),
			"alpha, beta_k, beta_n", "rise or fall together", "--form nk --without beta_k,gamma,zeta,eta"},
		{"a diagonal with a floor", NK, nil, slices.DeleteFunc(
			plant(1, 0.003, powers(8, 2048, 2), powers(2048, 524_288, 2), floored),
			func(p Point) bool { return p.DictSize != 256*p.K }),
			"alpha, beta_k, beta_n", "several dict_size of one k", "--form nk --without beta_k,gamma,eta"},
		{"three on a diagonal", NK, nil, slices.DeleteFunc(
			plant(1, 0.003, powers(8, 32, 2), powers(2048, 8192, 2), paperLoss),
			func(p Point) bool { return p.DictSize != 256*p.K }),
			"alpha, beta_k, beta_n, gamma, zeta, eta", "7 points or more", "--form nk --without beta_k,gamma,zeta,eta"},
		{"nearly a diagonal", NK, nil, rounded(plant(3, 0.01, []int64{1}, powers(2048, 2_097_152, 2), floored)),
			"beta_k, beta_n, gamma", "over 1,000", "--form nk --without beta_k,gamma,eta"},
		{"a cross", NK, nil, slices.DeleteFunc(plant(1, 0.003, wideK, wideN, paperLoss),
			func(p Point) bool { return p.K != 64 && p.DictSize != 131_072 }),
			"alpha, beta_k, beta_n, gamma", "the same to the loss", "--form nk --without gamma"},
		{"a diagonal that has no floor", NK, []string{"eta"}, slices.DeleteFunc(
			plant(1, 0, wideK, powers(2048, 131_072, 2), power),
			func(p Point) bool { return p.DictSize != 256*p.K }),
			"zeta", "floor of 0", "--form nk --without beta_k,gamma,zeta,eta"},
		{"a pure power law", NK, nil, plant(1, 0.01, wideK, wideN, power), "zeta, eta", "", "--form nk --without zeta,eta"},
		{"an exact pure power law", NK, nil, plant(1, 0, wideK, wideN, power), "zeta, eta", "floor of 0",
			"--form nk --without zeta,eta"},
		{"a narrow grid", NK, nil, plant(7, 0.01, powers(8, 64, 2), powers(512, 4096, 2), paperLoss),
			"zeta, eta", "over 1,000", "--form nk --without zeta,eta"},
		{"a narrow grid without noise", NK, nil, plant(7, 0, powers(8, 64, 2), powers(512, 4096, 2), paperLoss), "", "", ""},
		{"a constant", NK, nil, plant(1, 0, wideK, wideN, func(_, _ float64) float64 { return 0.5 }),
			"alpha, beta_k, zeta, eta", "the same to the loss", "--form nk --without zeta,eta"},
		{"n, wide", N, nil, plant(1, 0.003, []int64{32}, wideN, paperLoss), "", "", ""},
		{"n, narrow", N, nil, plant(7, 0.01, []int64{32}, powers(2048, 16384, 2), paperLoss), "e", "",
			"--form n --without e"},
		{"n, two points", N, nil, plant(1, 0.003, []int64{32}, []int64{2048, 4096}, paperLoss), "a, b, e", "takes three", ""},
		{"n, three points", N, nil, plant(1, 0.003, []int64{32}, powers(2048, 8192, 2), paperLoss), "a, b, e",
			"4 points or more", "--form n --without e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := FitPoints(context.Background(), c.points, Options{Form: c.form, Without: c.without, Resamples: 200})
			if c.names == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			no := (*NotDetermined)(nil)
			if !errors.As(err, &no) {
				t.Fatalf("got %v", err)
			}
			if got := join(no.Names); got != c.names || !strings.Contains(no.Why, c.why) {
				t.Errorf("%s: %s; want %s: %s", got, no.Why, c.names, c.why)
			}
			smaller := ""
			if no.Smaller != nil {
				smaller = flags(no.Smaller.Form, no.Smaller.Without)
			}
			if smaller != c.smaller {
				t.Errorf("the smaller form is %q, want %q", smaller, c.smaller)
			}
		})
	}
}

// A smaller form that is asked for is fitted, and its coefficients are those that were planted.
func TestWithout(t *testing.T) {
	floor := func(k, n float64) float64 {
		return math.Exp(1-0.1*math.Log(k)-0.3*math.Log(n)) + math.Exp(-2.3)
	}
	f, err := FitPoints(context.Background(), plant(1, 0, powers(8, 512, 2), powers(2048, 2_097_152, 4), floor),
		Options{Form: NK, Without: []string{"eta", "gamma"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"alpha": 1, "beta_k": -0.1, "beta_n": -0.3, "zeta": -2.3} {
		if got := f.Coefficients[name].Value; !(math.Abs(got-want) <= 1e-6) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if len(f.Coefficients) != 4 {
		t.Errorf("the coefficients are %v", f.Coefficients)
	}
}

// The coefficients of L(n) and L(C) come back, for the compute of the paper too.
func TestPowerLaws(t *testing.T) {
	var n, c []Point
	for i := range 12 {
		size := int64(512) << i
		n = append(n, Point{K: 32, DictSize: size, NMSE: 0.1 + 4*math.Pow(float64(size), -0.5), Seeds: 1})
		flops := math.Pow(10, 12+float64(i)/2)
		c = append(c, Point{K: 32, DictSize: size, Flops: &flops, NMSE: 0.09 + 2.5*math.Pow(flops, -0.084), Seeds: 1})
	}
	for _, test := range []struct {
		form    Form
		points  []Point
		a, b, e float64
	}{{N, n, 4, 0.5, 0.1}, {C, c, 2.5, 0.084, 0.09}} {
		f, err := FitPoints(context.Background(), test.points, Options{Form: test.form})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{"a": test.a, "b": test.b, "e": test.e} {
			if got := f.Coefficients[name].Value; !(math.Abs(got/want-1) <= 1e-5) {
				t.Errorf("form %s: %s is %v, want %v", test.form, name, got, want)
			}
		}
		if f.Holdout == nil || !(math.Abs(f.Holdout.Error) <= 1e-5) {
			t.Errorf("form %s: left out %+v", test.form, f.Holdout)
		}
	}
}

// Options and points that mean nothing are errors.
func TestBadInput(t *testing.T) {
	good := plant(1, 0.01, powers(8, 512, 2), powers(2048, 131_072, 2), paperLoss)
	with := func(change func(p *Point)) []Point {
		points := slices.Clone(good)
		change(&points[3])
		return points
	}
	for _, c := range []struct {
		points []Point
		o      Options
		want   string
	}{
		{good, Options{}, `form ""`},
		{good, Options{Form: "kn"}, `form "kn"`},
		{good, Options{Form: NK, Without: []string{"alpha"}}, "without alpha"},
		{good, Options{Form: NK, Without: []string{"zeta"}}, "without zeta"},
		{good, Options{Form: N, Without: []string{"e"}}, "one k"},
		{good, Options{Form: NK, Level: 1}, "level 1"},
		{good, Options{Form: NK, Level: math.NaN()}, "level NaN"},
		{good, Options{Form: NK, Level: 0.99, Resamples: 500}, "want 1000 or more"},
		{good, Options{Form: NK, Resamples: -1}, "resamples"},
		{good, Options{Form: NK, Resamples: 1e9}, "or fewer"},
		{with(func(p *Point) { p.NMSE = math.NaN() }), Options{Form: NK}, "positive"},
		{with(func(p *Point) { p.NMSE = math.Inf(1) }), Options{Form: NK}, "positive"},
		{with(func(p *Point) { p.NMSE = 0 }), Options{Form: NK}, "positive"},
		{with(func(p *Point) { p.NMSE = -1 }), Options{Form: NK}, "positive"},
		{with(func(p *Point) { p.DictSize = 0 }), Options{Form: NK}, "positive"},
		{with(func(p *Point) { p.K = -8 }), Options{Form: NK}, "positive"},
	} {
		if _, err := FitPoints(context.Background(), c.points, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.o, err, c.want)
		}
	}
}

// A far prediction is a number or an error, and says that it is far.
func TestFar(t *testing.T) {
	f, err := FitPoints(context.Background(), paperGrid(5, 0.01), Options{Form: NK, Resamples: 200})
	if err != nil {
		t.Fatal(err)
	}
	out := f.Outside(1024, 1024)
	if len(out) != 2 || !strings.Contains(out[0], "2 times the largest") ||
		!strings.Contains(out[1], "0.5 times the smallest") {
		t.Errorf("got %q", out)
	}
	if out := f.Outside(8, 2_097_152); len(out) != 0 {
		t.Errorf("got %q", out)
	}
	p := f.Predict(1, 1<<40)
	if !(p.Low <= p.CurveLow && p.CurveLow <= p.NMSE && p.NMSE <= p.CurveHigh && p.CurveHigh <= p.High) {
		t.Errorf("got %+v", p)
	}
}

// Losses that lie absurdly far apart end in a refusal or in finite numbers, as JSON needs them.
func TestFarApart(t *testing.T) {
	for _, tiny := range []float64{1e-300, 5e-324, 1e-30} {
		for _, form := range []Form{N, NK} {
			ks := []int64{8}
			if form == NK {
				ks = powers(8, 64, 2)
			}
			points := plant(1, 0.01, ks, powers(2048, 131_072, 2), func(k, n float64) float64 {
				if n > 10_000 && n < 20_000 || k == 16 {
					return tiny
				}
				return 0.5
			})
			f, err := FitPoints(context.Background(), points, Options{Form: form, Resamples: 200})
			d, err := NewDocument(f, err, points, Options{Form: form, Resamples: 200}, Selection{})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.WriteJSON(io.Discard); err != nil {
				t.Errorf("form %s, %g: %v", form, tiny, err)
			}
		}
	}
}
