package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeRuns writes results with the losses of Gao et al. 2024 (arXiv 2406.04093) to runs.csv in a folder.
func writeRuns(t *testing.T, dir string, ks, ns []int) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "cell,k,dict_size,lr,nmse,activation_dim,batch_size,tokens,flops_executed,wall_seconds")
	for _, n := range ns {
		for _, k := range ks {
			lk, ln := math.Log(float64(k)), math.Log(float64(n))
			loss := math.Exp(-0.50+0.26*lk-0.017*ln-0.042*lk*ln) + math.Exp(-1.32-0.085*lk)
			for i, worse := range []float64{1.1, 1, 1.2} {
				fmt.Fprintf(&b, "%d-%d-%d,%d,%d,%g,%.9f,64,100,1000,%d,2\n", k, n, i, k, n, 0.001*float64(i+1), loss*worse,
					1000*(2*64*n+8*64*k))
			}
		}
	}
	path := filepath.Join(dir, "runs.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The planted coefficients come back from a file, by name.
func TestFit(t *testing.T) {
	dir := t.TempDir()
	runs := writeRuns(t, dir, []int{8, 16, 64, 512}, []int{2048, 16384, 131072, 2097152})
	var got struct {
		Coefficients map[string]struct {
			Value, Low, High float64
			Interval         [2]float64
		}
		Points    []struct{ Setting string }
		LeftOut   []struct{ Reason string } `json:"left_out"`
		Residuals []float64
	}
	out := mustRun(t, dir, "fit", runs, "--form", "nk", "-o", "json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"alpha": -0.50, "beta_k": 0.26, "beta_n": -0.017, "gamma": -0.042, "zeta": -1.32, "eta": -0.085,
	} {
		c := got.Coefficients[name]
		if !(math.Abs(c.Value-want) <= 1e-4) || !(c.Low <= c.Value && c.Value <= c.High) ||
			c.Interval != [2]float64{c.Low, c.High} {
			t.Errorf("%s: %+v, want %v", name, c, want)
		}
	}
	if len(got.Points) != 16 || len(got.Residuals) != 16 || len(got.LeftOut) != 32 || got.Points[0].Setting != "lr=0.002" {
		t.Errorf("got %s", out)
	}
	if again := mustRun(t, dir, "fit", runs, "-o", "json"); again != out {
		t.Errorf("again:\n%s\nwant\n%s", again, out)
	}
	text := mustRun(t, dir, "fit", runs, "--form", "n", "--where", "k=8")
	if !strings.Contains(text, "L(n) = e + a·n^−b") || !strings.Contains(text, "4 points") {
		t.Errorf("got %s", text)
	}
}

// A form that is not determined ends with exit status 1, and the output has the smaller form.
func TestFitNotDetermined(t *testing.T) {
	dir := t.TempDir()
	runs := writeRuns(t, dir, []int{32}, []int{2048, 8192, 32768, 131072, 524288})
	p := startProgram(t, dir, "fit", runs, "--form", "nk", "-o", "json")
	status, message := p.exitStatus(t), p.err.String()
	if status != exitError || !strings.Contains(message, "beta_k, gamma, eta are not determined: all points have k=32") {
		t.Errorf("status %d: %s", status, message)
	}
	var got struct {
		Determined    bool
		NotDetermined []string `json:"not_determined"`
		Coefficients  map[string]struct{ Value *float64 }
		Smaller       struct{ Form string }
	}
	if err := json.Unmarshal([]byte(p.out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Determined || strings.Join(got.NotDetermined, " ") != "beta_k gamma eta" || got.Smaller.Form != "n" ||
		len(got.Coefficients) != 6 || got.Coefficients["gamma"].Value != nil {
		t.Errorf("got %s", p.out.String())
	}
}

func TestPredict(t *testing.T) {
	dir := t.TempDir()
	runs := writeRuns(t, dir, []int{8, 16, 64, 512}, []int{2048, 16384, 131072, 2097152})
	var got struct {
		NMSE, Low, High float64
		Extrapolation   []string
		Cost            struct {
			Flops         float64
			DeviceSeconds float64 `json:"device_seconds"`
		}
	}
	out := mustRun(t, dir, "predict", runs, "--k", "64", "--dict-size", "4_194_304", "--tokens", "1e6", "-o", "json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	lk, ln := math.Log(64), math.Log(4_194_304)
	want := math.Exp(-0.50+0.26*lk-0.017*ln-0.042*lk*ln) + math.Exp(-1.32-0.085*lk)
	if !(math.Abs(got.NMSE/want-1) <= 1e-4) || got.Cost.Flops != 12*64*4_194_304*1e6 || len(got.Extrapolation) != 1 {
		t.Errorf("want nmse %v, got %s", want, out)
	}
	// The largest runs do 1000·(2·64·2,097,152 + 8·64·k) operations in 2 s, k = 8, 16, 64 and 512 alike.
	rate := 1000 * (2*64*2_097_152 + 8*64*150.0) / 2
	if seconds := 1e6 * (2*64*4_194_304 + 8*64*64) / rate; !(math.Abs(got.Cost.DeviceSeconds/seconds-1) <= 1e-6) {
		t.Errorf("%v s, want %v", got.Cost.DeviceSeconds, seconds)
	}
}

// Wrong input ends with exit status 2, and says what is wrong.
func TestFitBadInput(t *testing.T) {
	dir := t.TempDir()
	runs := writeRuns(t, dir, []int{8, 32}, []int{2048, 8192, 32768})
	curves := filepath.Join(dir, "curves.csv")
	if err := os.WriteFile(curves, []byte("k,dict_size,step,flops,nmse\n8,512,1,1e9,0.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The envelope is of k=32 alone, and yet there are two k. The models are of two data.
	files := map[string]string{
		"two-k.csv":  "k,dict_size,step,flops,nmse\n8,512,1,1e9,0.5\n32,512,1,1e9,0.4\n32,512,2,2e9,0.3\n",
		"models.csv": "cell,k,dict_size,nmse,data\na,8,512,0.5,one\nb,8,1024,0.4,other\n",
		"points.csv": "cell,k,dict_size,step,flops,nmse\na,8,512,1,1e9,0.5\nb,8,1024,1,2e9,0.4\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"fit", filepath.Join(dir, "two-k.csv"), "--form", "c"}, "there are 8, 32: choose with --where k=8"},
		{[]string{"fit", filepath.Join(dir, "models.csv"), filepath.Join(dir, "points.csv"), "--form", "c"},
			"differ in data (one, other)"},
		{[]string{"fit"}, "usage"},
		{[]string{"fit", runs, "--form", "kn"}, `form "kn"`},
		{[]string{"fit", runs, "--form", "n"}, "there are 8, 32: choose with --where k=8"},
		{[]string{"fit", runs, "--form", "c"}, "fitted to curves"},
		{[]string{"fit", curves, "--form", "nk"}, "holds curves"},
		{[]string{"fit", runs, "--where", "k~8"}, "--where"},
		{[]string{"fit", runs, "--without", "alpha"}, "without alpha"},
		{[]string{"fit", runs, "--without", "eta,eta"}, "eta is there twice"},
		{[]string{"fit", runs, "--level", "95"}, "level 95"},
		{[]string{"fit", runs, "--resamples", "20"}, "want 200 or more"},
		{[]string{"fit", filepath.Join(dir, "nothing.csv")}, "nothing.csv"},
		{[]string{"predict", runs, "--k", "8"}, "--k and --dict-size"},
		{[]string{"predict", runs, "--k", "64", "--dict-size", "32"}, "more than"},
		{[]string{"predict", runs, "--k", "0", "--dict-size", "32"}, "whole number over 0"},
		{[]string{"predict", runs, "--k", "8", "--dict-size", "1.5"}, "whole number over 0"},
		{[]string{"predict", runs, "--k", "8", "--dict-size", "32", "--steps", "1", "--tokens", "1"}, "not both"},
		{[]string{"predict", runs, "--k", "8", "--dict-size", "32", "--form", "c"}, "predicts no cell"},
	} {
		p := startProgram(t, dir, c.args...)
		status, message := p.exitStatus(t), p.err.String()
		if status != exitBadInput || !strings.Contains(message, c.want) || p.out.Len() > 0 {
			t.Errorf("%v: status %d, %q, want %q\n%s", c.args, status, message, c.want, p.out.String())
		}
	}
}

// Curves that no result tells of by a cell are taken as they are, and --where chooses among them itself.
func TestCurvesWithoutCells(t *testing.T) {
	dir := t.TempDir()
	const results = "cell,k,dict_size,nmse\na,8,512,0.4\nb,32,512,0.3\n"
	const curves = "cell,k,dict_size,step,tokens,flops,nmse\na,8,512,1,10,1e9,0.5\na,8,512,2,20,2e9,0.4\n" +
		"b,32,512,1,10,1e9,0.4\nb,32,512,2,20,2e9,0.3\n"
	withoutCell := func(text string) string {
		var out []string
		for _, line := range strings.Split(text, "\n") {
			_, rest, _ := strings.Cut(line, ",")
			out = append(out, rest)
		}
		return strings.Join(out, "\n")
	}
	for name, c := range map[string]struct{ results, curves string }{
		"both": {results, curves}, "curves": {withoutCell(results), curves},
		"results": {results, withoutCell(curves)}, "neither": {withoutCell(results), withoutCell(curves)},
	} {
		t.Run("cells of "+name, func(t *testing.T) {
			files := []string{filepath.Join(dir, "results.csv"), filepath.Join(dir, "curves.csv")}
			for i, text := range []string{c.results, c.curves} {
				if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out := mustRun(t, dir, "plot", files[0], files[1], "--out", t.TempDir(), "--format", "svg")
			if !strings.Contains(out, "nmse-by-flops.svg") || !strings.Contains(out, "curves.svg") {
				t.Errorf("the curves are not drawn:\n%s", out)
			}
			p := startProgram(t, dir, "fit", files[0], files[1], "--form", "c", "--where", "k=8")
			if status := p.exitStatus(t); status != exitError || !strings.Contains(p.out.String(), "\n8  512 ") ||
				strings.Contains(p.out.String(), "\n32 ") {
				t.Errorf("status %d, %s\n%s", status, p.err.String(), p.out.String())
			}
		})
	}
}

func FuzzCount(f *testing.F) {
	for _, s := range []string{"1", "131_072", "1e9", "0x10", "-1", "1e300", "NaN", "", "1.5", "9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var n int64
		if err := (count{&n}).Set(s); (err == nil) != (n > 0) {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	})
}
