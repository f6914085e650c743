package trainer_test

import (
	"encoding/json"
	"math"
	"math/bits"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// Which steps have held-out points follows from the step, the batch and the number of rows, and they are few.
func TestOnHeldOut(t *testing.T) {
	steps := func(batch int, rows, to int64) (all []int64) {
		for step := range to {
			if trainer.OnHeldOut(step, batch, rows) {
				all = append(all, step)
			}
		}
		return all
	}
	for _, test := range []struct {
		batch int
		rows  int64
		want  []int64 // before step 3,000
	}{
		{4096, 100_000, []int64{128, 192, 256, 384, 512, 768, 1024, 1536, 2048}},
		{1024, 512, []int64{128, 192, 256, 384, 512, 768, 1024, 1536, 2048}},
		{1023, 512, []int64{192, 256, 384, 512, 768, 1024, 1536, 2048}},
		{256, 100_000, []int64{512, 768, 1024, 1536, 2048}},
		{128, 512, []int64{1024, 1536, 2048}},
		{1, 4, []int64{1024, 1536, 2048}},
		{1, 512, nil},
		{math.MaxInt, math.MaxInt64, []int64{128, 192, 256, 384, 512, 768, 1024, 1536, 2048}},
		{256, 0, nil},
		{256, -1, nil},
		{0, 512, nil},
	} {
		if got := steps(test.batch, test.rows, 3000); !slices.Equal(got, test.want) {
			t.Errorf("batch %d, %d rows: %v, want %v", test.batch, test.rows, got, test.want)
		}
	}
	for i, step := range steps(1<<20, 512, 1_000_000) {
		if !trainer.OnCurve(step) {
			t.Errorf("step %d has no point of the curve", step)
		}
		if most := 2 * (bits.Len64(uint64(step)) - 7); i+1 > most {
			t.Errorf("%d points up to step %d, want at most %d", i+1, step, most)
		}
	}
	if trainer.OnHeldOut(math.MaxInt64, 512, 512) || trainer.OnHeldOut(-128, 512, 512) {
		t.Error("points at steps that are not 2^j")
	}
	if !trainer.OnHeldOut(1<<62, 1, 512) {
		t.Error("no point at step 2^62")
	}
}

// curveOf trains 200 steps on so many threads and returns the curve.
func curveOf(t *testing.T, data trainer.Batches, threads int) []trainer.Point {
	t.Helper()
	c := config(t, func(c *trainer.Config) { c.Steps, c.DecayStart = 200, 150 })
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	l, err := trainer.Start(cpu.New(threads), c, trainer.Init(c), data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Run(t.Context(), 200, func(int64, trainer.Stats) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s := trainer.NewState(c)
	if err := l.Save(s); err != nil {
		t.Fatal(err)
	}
	return decode(t, c, encode(t, c, s)).Curve
}

// The points do not depend on the number of threads, and a checkpoint holds them.
func TestHeldOutPointsDependOnStepsAlone(t *testing.T) {
	var first []trainer.Point
	for _, threads := range []int{1, 2, 5} {
		curve := curveOf(t, &noise{d: 12, rows: 8}, threads)
		if first == nil {
			first = curve
		}
		if !reflect.DeepEqual(curve, first) {
			t.Errorf("%d threads: another curve", threads)
		}
	}
	if p := first[128]; p.Step != 128 || p.EvalNMSE == nil || !(*p.EvalNMSE > 0 && *p.EvalNMSE < 2) || !(p.GradNorm > 0) {
		t.Errorf("point %+v", p)
	}
}

// A point is the nmse that Evaluate measures of the first 512 rows, or of all if there are fewer, bit for bit: also of
// rows that are more than one goroutine sums.
func TestHeldOutPointsOfManyRows(t *testing.T) {
	for _, rows := range []int{65, 511, 512, 513, 900} {
		c := config(t, func(c *trainer.Config) { c.Steps, c.DecayStart = 1<<20, 1<<19 })
		s := trainer.Init(c)
		s.Step = 1 << 14
		m, err := cpu.New(1).New(c, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		want, err := trainer.Evaluate(t.Context(), m, c, s, &noise{d: c.ActivationDim, rows: min(rows, 512)})
		if err != nil {
			t.Fatal(err)
		}
		l, err := trainer.Start(cpu.New(1), c, s, &noise{d: c.ActivationDim, rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := l.Run(t.Context(), s.Step+1, func(int64, trainer.Stats) error { return nil }); err != nil {
			t.Fatal(err)
		}
		out := trainer.NewState(c)
		if err := l.Save(out); err != nil {
			t.Fatal(err)
		}
		if len(out.Curve) != 1 || out.Curve[0].EvalNMSE == nil ||
			math.Float64bits(*out.Curve[0].EvalNMSE) != math.Float64bits(*want.NMSE) {
			t.Errorf("%d rows: %+v, want %v", rows, out.Curve, *want.NMSE)
		}
	}
}

// heldRows is noise with other held-out rows.
type heldRows struct {
	noise
	fill func(x []float32)
}

func (h *heldRows) Eval(_ int64, x []float32) error { h.fill(x); return nil }

// A point that is no number is left out, and training goes on.
func TestHeldOutPointsThatAreNoNumbers(t *testing.T) {
	for name, fill := range map[string]func(x []float32){
		"equal rows": func(x []float32) { clear(x) },
		"NaN":        func(x []float32) { x[5] = float32(math.NaN()) },
		"infinite":   func(x []float32) { x[5] = float32(math.Inf(-1)) },
		"too large": func(x []float32) {
			for i := range x {
				x[i] = math.MaxFloat32 * float32(1-2*(i%2))
			}
		},
	} {
		for _, p := range curveOf(t, &heldRows{noise{d: 12, rows: 8}, fill}, 1) {
			if p.EvalNMSE != nil {
				t.Errorf("%s: nmse %v at step %d", name, *p.EvalNMSE, p.Step)
			}
		}
	}
}

// A curve of an earlier version has neither gradient norms nor held-out points.
func TestCurveOfEarlierVersion(t *testing.T) {
	var p trainer.Point
	const old = `{"step":3,"loss":1.5,"l2_loss":1,"auxk_loss":0.5,"dead_latents":2}`
	if err := json.Unmarshal([]byte(old), &p); err != nil || p.GradNorm != 0 || p.EvalNMSE != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if b, err := json.Marshal(p); err != nil || string(b) != old {
		t.Errorf("%s, %v", b, err)
	}
}

// What a point takes of memory is counted for runs that are long enough for one.
func TestHeldOutBytes(t *testing.T) {
	c := config(t, func(c *trainer.Config) { c.Steps = 128 })
	if n := trainer.HeldOutBytes(c); n != 0 {
		t.Errorf("%d bytes without a point", n)
	}
	c.Steps = 129
	if n, least := trainer.HeldOutBytes(c), int64(4*(512+40)*12); n < least {
		t.Errorf("%d bytes, want %d or more", n, least)
	}
}
