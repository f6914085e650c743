package scaling

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/goldentest"
	"github.com/topksweep/sweep/sweep/table"
)

// results is a table of results with the paper's losses: two learning rates and two seeds, one failed run, and times.
func results(t *testing.T, ks, ns []int64) table.Table {
	var b strings.Builder
	fmt.Fprintln(&b, "cell,sweep,k,dict_size,lr,seed,nmse,activation_dim,batch_size,tokens,flops_executed,wall_seconds,"+
		"peak_bytes,class,device,status")
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range ns {
		for _, k := range ks {
			for _, lr := range []float64{0.001, 0.002} {
				for seed := range 2 {
					loss := paperLoss(float64(k), float64(n)) * (1 + (lr-0.001)*30) * (1 + 0.01*r.NormFloat64())
					executed := 1e6 * float64(2*64*n+8*64*k)
					status := "completed"
					if n == ns[0] && seed == 1 && lr > 0.001 {
						status = "failed"
					}
					fmt.Fprintf(&b, "c%d-%d-%g-%d,one,%d,%d,%g,%d,%.6f,64,1000,1000000,%g,%g,%d,cpu-avx512,CPU <|&> 1,%s\n",
						k, n, lr, seed, k, n, lr, seed, loss, executed, executed/1e10, 1000*n, status)
				}
			}
		}
	}
	return readCSV(t, b.String())
}

func document(t *testing.T, in table.Table, o Options) *Document {
	points, s, err := Points(in)
	if err != nil {
		t.Fatal(err)
	}
	f, refused := FitPoints(context.Background(), points, o)
	d, err := NewDocument(f, refused, points, o, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestGoldens(t *testing.T) {
	fitted := results(t, powers(8, 512, 4), powers(2048, 2_097_152, 4))
	narrow := results(t, powers(8, 32, 2), powers(512, 2048, 2))
	oneK := results(t, []int64{32}, powers(2048, 2_097_152, 4))
	for name, d := range map[string]*Document{
		"nk":      document(t, fitted, Options{Form: NK}),
		"refused": document(t, narrow, Options{Form: NK}),
		"one-k":   document(t, oneK, Options{Form: NK}),
		"n":       document(t, oneK, Options{Form: N}),
		"empty":   document(t, readCSV(t, "k,dict_size,nmse\n"), Options{Form: NK}),
	} {
		var text, json bytes.Buffer
		if err := d.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		goldentest.Check(t, "testdata/"+name+".txt", text.Bytes())
		if err := d.WriteJSON(&json); err != nil {
			t.Fatal(err)
		}
		goldentest.Check(t, "testdata/"+name+".json", json.Bytes())
	}
	points, selection, err := Points(fitted)
	if err != nil {
		t.Fatal(err)
	}
	f, err := FitPoints(context.Background(), points, Options{Form: NK})
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Forecast(fitted, selection, CostQuestion{K: 64, DictSize: 16_777_216, Tokens: 1_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	var text, json bytes.Buffer
	if err := p.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	goldentest.Check(t, "testdata/forecast.txt", text.Bytes())
	if err := p.WriteJSON(&json); err != nil {
		t.Fatal(err)
	}
	goldentest.Check(t, "testdata/forecast.json", json.Bytes())
}

// A law of one k, or of one dict_size, is not stretched to others.
func TestForecastRefuses(t *testing.T) {
	ctx := context.Background()
	one := plant(1, 0.001, []int64{32}, powers(2048, 2_097_152, 4), paperLoss)
	f, err := FitPoints(ctx, one, Options{Form: N})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Forecast(table.Table{}, Selection{}, CostQuestion{K: 64, DictSize: 4096}); err == nil ||
		!strings.Contains(err.Error(), "k=32 only") {
		t.Errorf("got %v", err)
	}
	p, err := f.Forecast(table.Table{}, Selection{}, CostQuestion{K: 32, DictSize: 4096})
	if err != nil || p.Cost != nil || p.CostUnknown == nil {
		t.Errorf("got %+v, %v", p, err)
	}
	flat, err := FitPoints(ctx, plant(1, 0.01, powers(8, 512, 2), []int64{4096}, paperLoss),
		Options{Form: NK, Without: []string{"beta_n", "gamma", "zeta", "eta"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flat.Forecast(table.Table{}, Selection{}, CostQuestion{K: 64, DictSize: 8192}); err == nil ||
		!strings.Contains(err.Error(), "one dict_size") {
		t.Errorf("got %v", err)
	}
	if _, err := flat.Forecast(table.Table{}, Selection{}, CostQuestion{K: 64, DictSize: 4096}); err != nil {
		t.Error(err)
	}
	diagonal := slices.DeleteFunc(plant(1, 0.003, powers(8, 512, 2), powers(2048, 131_072, 2), paperLoss),
		func(p Point) bool { return p.DictSize != 256*p.K })
	line, err := FitPoints(ctx, diagonal, Options{Form: NK, Without: []string{"beta_k", "gamma", "zeta", "eta"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := line.Form.Formula(line.Without), "L(n,k) = exp(α + β_n ln n)"; got != want {
		t.Errorf("the formula is %s, want %s", got, want)
	}
	if _, err := line.Forecast(table.Table{}, Selection{}, CostQuestion{K: 64, DictSize: 8192}); err == nil ||
		!strings.Contains(err.Error(), "rise or fall together") {
		t.Errorf("got %v", err)
	}
	if _, err := line.Forecast(table.Table{}, Selection{}, CostQuestion{K: 1024, DictSize: 262_144}); err != nil {
		t.Error(err)
	}
}

// A law that is flat does not rise, whatever the last bits say.
func TestFlat(t *testing.T) {
	points := plant(1, 0, powers(8, 512, 4), powers(2048, 2_097_152, 4), func(_, _ float64) float64 { return 0.3 })
	f, err := FitPoints(context.Background(), points, Options{Form: NK, Without: []string{"zeta", "eta"}})
	if err != nil || len(f.Warnings) > 0 {
		t.Errorf("%v, warnings %q", err, f.Warnings)
	}
}

// Losses that bend as the form does not are said to, where the seeds tell how much is noise.
func TestMisfit(t *testing.T) {
	power := func(k, n float64) float64 { return 0.9 * math.Pow(k, -0.1) * math.Pow(n, -0.05) }
	bent := func(k, n float64) float64 { return power(k, n) * (1 + 0.02*math.Pow(math.Log(k/64), 2)) }
	for _, c := range []struct {
		law  func(k, n float64) float64
		std  float64
		want bool
	}{{bent, 0.003, true}, {bent, 0.03, false}, {power, 0.003, false}, {bent, 0, false}} {
		points := plant(1, 0.002, powers(8, 512, 2), powers(2048, 2_097_152, 4), c.law)
		for i := range points {
			if std := c.std * points[i].NMSE; std > 0 {
				points[i].Seeds, points[i].Std = 2, &std
			}
		}
		f, err := FitPoints(context.Background(), points, Options{Form: NK, Without: []string{"zeta", "eta"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(f.Warnings, ""), "does not describe the rest"); got != c.want {
			t.Errorf("residuals %g, standard deviation over the seeds %g: warnings %q", f.Sigma, c.std, f.Warnings)
		}
	}
}
