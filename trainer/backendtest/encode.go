package backendtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/plain"
)

// Encode compares a model's Encode with a plain sort. Small integers make every
// pre-activation exact, and give ties and zeros.
func Encode(t *testing.T, b trainer.Backend) {
	for _, v := range []struct {
		d, f, k, n int
		among      int // 0: all latents; else those f with f%among == 1
		spread     int // values are integers in [-spread, spread]
	}{
		{8, 40, 5, 10, 0, 2}, {8, 40, 40, 3, 0, 1}, {1, 1, 1, 1, 0, 3}, {3, 7, 7, 29, 0, 1}, {5, 1000, 64, 41, 0, 1},
		{5, 1000, 64, 41, 3, 1}, {16, 96, 3, 1, 7, 2}, {12, 333, 111, 50, 3, 3}, {31, 2000, 1, 1100, 0, 2},
		{2, 4096, 300, 17, 0, 4}, {4, 64, 32, 13, 2, 0},
	} {
		name := fmt.Sprintf("D=%d,F=%d,K=%d,n=%d,among=%d,spread=%d", v.d, v.f, v.k, v.n, v.among, v.spread)
		t.Run(name, func(t *testing.T) {
			c := config("corrected")
			c.ActivationDim, c.DictSize, c.K, c.BatchSize = v.d, v.f, 1, 32
			s := trainer.NewState(c)
			integers(s.W.WEnc, 1, v.spread)
			integers(s.W.BEnc, 2, v.spread)
			integers(s.W.BDec, 3, v.spread)
			var among []bool
			if v.among > 0 {
				among = make([]bool, v.f)
				for f := range among {
					among[f] = f%v.among == 1
				}
			}
			x := make([]float32, v.n*v.d)
			integers(x, 4, v.spread)
			acts, latents := make([]float32, v.n*v.k), make([]int32, v.n*v.k)
			m := model(t, b, c, s, nil)
			if err := m.Encode(x, v.k, among, acts, latents); err != nil {
				t.Fatal(err)
			}
			SameState(t, c, save(t, m, c), s)
			for row := range v.n {
				from, to := row*v.k, (row+1)*v.k
				compareRow(t, s, x[row*v.d:(row+1)*v.d], among, acts[from:to], latents[from:to])
			}
		})
	}
	t.Run("without moments", func(t *testing.T) {
		c := config("corrected")
		s := trainer.Init(c)
		whole := model(t, b, c, s, nil)
		s.M, s.V = trainer.Params{}, trainer.Params{}
		if m, err := b.New(c, s, Data(c)); err == nil {
			t.Errorf("a model of it trains; closed: %v", m.Close())
		}
		m := model(t, b, c, s, nil)
		x := make([]float32, c.BatchSize*c.ActivationDim)
		Batch(c, 0, x)
		n := c.BatchSize * c.K
		acts, latents, wantActs, want := make([]float32, n), make([]int32, n), make([]float32, n), make([]int32, n)
		if err := errors.Join(m.Encode(x, c.K, nil, acts, latents), whole.Encode(x, c.K, nil, wantActs, want)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(acts, wantActs) || !slices.Equal(latents, want) {
			t.Error("it encodes to other activations than with moments")
		}
		if err := m.Save(trainer.NewState(c)); !errors.Is(err, trainer.ErrNoMoments) {
			t.Errorf("saved: %v, want ErrNoMoments", err)
		}
	})
	t.Run("errors", func(t *testing.T) {
		c := config("corrected")
		m := model(t, b, c, trainer.Init(c), nil)
		few := make([]bool, c.DictSize)
		few[3] = true
		x, acts, latents := make([]float32, c.ActivationDim), make([]float32, 2), make([]int32, 2)
		for name, err := range map[string]error{
			"k over the latents admitted": m.Encode(x, 2, few, acts, latents),
			"k 0":                         m.Encode(x, 0, nil, nil, nil),
			"rows of another width":       m.Encode(x[:5], 2, nil, acts, latents),
			"room too small":              m.Encode(x, 2, nil, acts[:1], latents),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

func integers(v []float32, stream uint64, spread int) {
	for i := range v {
		v[i] = float32(int(trainer.Uniform(11, stream, uint64(i))*float64(2*spread+1)) - spread)
	}
}

func compareRow(
	t *testing.T, s *trainer.State, x []float32, among []bool, acts []float32, latents []int32,
) {
	t.Helper()
	d, pre := len(x), make([]float32, len(s.W.BEnc))
	for f := range pre {
		sum := s.W.BEnc[f]
		for i, w := range s.W.WEnc[f*d : (f+1)*d] {
			sum += (x[i] - s.W.BDec[i]) * w
		}
		pre[f] = max(0, sum)
	}
	want := plain.TopK(pre, among, len(acts))
	slices.Sort(want)
	got := slices.Clone(latents)
	slices.Sort(got)
	for i, f := range want {
		if int(got[i]) != f {
			t.Fatalf("latents kept are %v, want %v", got, want)
		}
	}
	for i, f := range latents {
		if acts[i] != pre[f] {
			t.Fatalf("latent %d has activation %v, want %v", f, acts[i], pre[f])
		}
	}
}
