package data

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// The file of held-out rows is a shard of the rows that Eval gives, unscaled, also those of an eval_source.
func TestWriteHeldOut(t *testing.T) {
	dir := t.TempDir()
	source := write(t, dir, "a.npy", npyOf(t, 0, 300, 4))
	apart := write(t, dir, "b.npy", npyOf(t, 1000, 50, 4))
	for _, spec := range []trainer.DataSpec{
		{Source: source, EvalTokens: 20, Normalize: "mean_square"},
		{Source: source, EvalTokens: 20, MaxNorm: "400"},
		{Source: source, EvalSource: apart, Normalize: "mean_square"},
		{Source: source, EvalSource: apart, EvalTokens: 7},
	} {
		s := open(t, spec, Options{})
		want := make([]float32, int(s.EvalRows())*4)
		if err := s.Eval(0, want); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "held-out.npy")
		n, err := WriteHeldOut(t.Context(), spec, Options{}, file)
		if err != nil || n != s.EvalRows() {
			t.Fatalf("%+v: %d rows, %v", spec, n, err)
		}
		held, err := OpenHeldOut(t.Context(), trainer.DataSpec{Source: file}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := allRows(t, held)
		for i := range got {
			got[i] *= float32(s.Info().Scale)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", spec, got[:8], want[:8])
		}
		held.Close()
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// The program of docs/data.md names the rows that Eval and Batch give.
func TestDocumentedOrder(t *testing.T) {
	doc, err := os.ReadFile("../../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```python\n")
	program, _, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatal("docs/data.md has no program")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, tt := range []struct{ rows, held, seed, step, batch int64 }{
		{100, 10, 0, 0, 8}, {64, 5, 1, 3, 30}, {1000, 65, 1 << 40, 17, 128}, {33, 32, 7, 2, 3},
	} {
		x := make([]float32, tt.rows)
		for i := range x {
			x[i] = float32(i) + 1
		}
		s := memory{"a.safetensors": tensorFile(t, 1, x)}.open(t, trainer.DataSpec{EvalTokens: tt.held})
		var want strings.Builder
		line := func(x []float32, err error) {
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range x {
				fmt.Fprint(&want, int64(v)-1, map[bool]string{true: "\n", false: " "}[i == len(x)-1])
			}
		}
		held, batch := make([]float32, tt.held), make([]float32, tt.batch)
		line(held, s.Eval(0, held))
		line(batch, s.Batch(tt.seed, tt.step, batch))
		args := []string{"-c", program}
		for _, n := range []int64{tt.rows, tt.held, tt.seed, tt.step, tt.batch} {
			args = append(args, fmt.Sprint(n))
		}
		got, err := exec.Command(python, args...).Output()
		if err != nil || string(got) != want.String() {
			t.Errorf("%+v: %v\n%s\nwant\n%s", tt, err, got, want.String())
		}
	}
}

// The share of the mean row is 1 where all rows are equal, and 0 where they cancel out.
func TestInspectNorms(t *testing.T) {
	same, opposite := make([]float32, 400), make([]float32, 400)
	for i := range same {
		same[i], opposite[i] = float32(i%4)+1, float32(1-2*(i/4%2))
	}
	for _, tt := range []struct {
		x    []float32
		want float64
	}{{same, 1}, {opposite, 0}} {
		// Of the 100 rows all but one train, so that opposite rows nearly cancel out.
		m := memory{"a.safetensors": tensorFile(t, 4, tt.x)}
		r, err := inspectFrom(t.Context(), m, trainer.DataSpec{Source: "memory", EvalTokens: 1}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Sample.MeanShare; !(got >= tt.want-0.001 && got <= tt.want+0.001) {
			t.Errorf("the mean row's share is %g, want %g", got, tt.want)
		}
	}
	ramp := make([]float32, 1001)
	for i := range ramp {
		ramp[i] = float32(i + 1)
	}
	r, err := inspectFrom(t.Context(), memory{"a.safetensors": tensorFile(t, 1, ramp)},
		trainer.DataSpec{Source: "memory", EvalTokens: 1}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[float64]float64{10: r.Sample.Norm1, 100: r.Sample.Norm10, 500: r.Sample.Norm50,
		900: r.Sample.Norm90, 990: r.Sample.Norm99, 999: r.Sample.Norm999} {
		if !(got >= want && got <= want+1) {
			t.Errorf("a norm is %g, want %g", got, want)
		}
	}
}
