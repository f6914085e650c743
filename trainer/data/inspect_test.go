package data

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

func TestInspectGolden(t *testing.T) {
	var last, total int64
	progress := func(done, of int64) {
		if done <= last && last != total { // the next scan begins where one has ended
			t.Errorf("progress %d after %d", done, last)
		}
		last, total = done, of
	}
	r, err := Inspect(t.Context(), trainer.DataSpec{Source: "testdata/tiny"}, Options{Workers: 3, Progress: progress})
	if err != nil {
		t.Fatal(err)
	}
	if last != 352 || total != 352 {
		t.Errorf("progress ends at %d of %d", last, total)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "inspect.json", string(b)+"\n")
}

func TestInspectFindsBadRows(t *testing.T) {
	const rows, dim = 10_000, 3
	a := numbered(1, rows, dim)
	a[0] = float32(math.NaN())
	a[9_000*dim+2] = float32(math.Inf(1))
	b := make([]float32, 300*dim)
	for i := range b {
		b[i] = float32(math.NaN())
	}
	m := memory{"a.safetensors": tensorFile(t, dim, a), "b.safetensors": tensorFile(t, dim, b)}
	var want string
	for _, workers := range []int{1, 2, 7} {
		r, err := inspectFrom(t.Context(), m, trainer.DataSpec{Source: "memory"}, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if r.NonFiniteRows != 302 || r.Shards[0].NonFiniteRows != 2 || r.Shards[1].NonFiniteRows != 300 ||
			len(r.NonFinite) != 100 || r.NonFinite[1] != (BadRow{"a.safetensors", 9000, 2}) ||
			r.NonFinite[99] != (BadRow{"b.safetensors", 97, 0}) {
			t.Errorf("%d workers: %+v", workers, r)
		}
		if r.Min != 2 || r.Max != rows+2./3 || !(r.MeanNorm > 0) {
			t.Errorf("min %v max %v mean norm %v over the finite rows", r.Min, r.Max, r.MeanNorm)
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = string(text)
		}
		if string(text) != want {
			t.Errorf("%d workers: another report", workers)
		}
	}
}

func TestInspectErrors(t *testing.T) {
	for _, m := range []memory{{}, {"a.npy": nil}, {"a.npy": []byte("x"), "b.safetensors": nil}} {
		if _, err := inspectFrom(t.Context(), m, trainer.DataSpec{Source: "memory"}, Options{}); !errors.Is(err, ErrBad) {
			t.Errorf("%v", err)
		}
	}
	m := memory{"a.safetensors": tensorFile(t, 4, numbered(0, 50, 4))}
	for n := 0; ; n++ {
		left := n
		spec := trainer.DataSpec{Source: "memory"}
		_, err := inspectFrom(t.Context(), failingOpener{m, &left}, spec, Options{Workers: 1})
		if err == nil {
			break
		}
		if !errors.Is(err, errDisk) || errors.Is(err, ErrBad) {
			t.Fatalf("read %d: %v", n, err)
		}
	}
}

// With the same normalize and eval_tokens, Report.Data is the fingerprint that Open
// computes and results hold. Report.Content depends on the rows alone.
func TestInspectAgainstOpen(t *testing.T) {
	content := ""
	for _, spec := range []trainer.DataSpec{
		{}, {EvalTokens: 4}, {Normalize: "mean_square"}, {Normalize: "mean_square", EvalTokens: 4},
	} {
		spec.Source = "testdata/tiny"
		r, err := Inspect(t.Context(), spec, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i := open(t, spec, Options{}).Info(); r.Data != i.Fingerprint || r.EvalRows != i.EvalRows || r.NoData != "" {
			t.Errorf("%+v: %+v, opened %+v", spec, r, i)
		}
		if r.Content == r.Data || content != "" && r.Content != content {
			t.Errorf("%+v: content %s, before %s", spec, r.Content, content)
		}
		content = r.Content
	}
	few := memory{"a.safetensors": tensorFile(t, 2, numbered(0, 9, 2))}
	spec := trainer.DataSpec{Source: "memory"}
	r, err := inspectFrom(t.Context(), few, spec, Options{})
	if err != nil || r.Rows != 9 || r.Data != "" || r.NoData == "" {
		t.Errorf("nine rows: %+v, %v", r, err)
	}
	for _, bad := range []trainer.DataSpec{
		{Normalize: "l2"}, {MaxNorm: "ten"}, {Verify: "half"}, {EvalTokens: -1},
		{Synthetic: &trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2}},
	} {
		if bad.Synthetic == nil {
			bad.Source = "memory"
		}
		if _, err := inspectFrom(t.Context(), few, bad, Options{}); !errors.Is(err, ErrBad) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
