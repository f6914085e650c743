package trainer_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// BenchmarkHeldOut measures what held-out points cost training, on the CPU backend:
//
//	step-ms    the time of a step, the median
//	steps/point  the time of a point, in steps
//	%most      the time of all points of a run of n steps, as a share of its steps: the largest for any n
//	%10000     the same for a run of 10,000 steps
func BenchmarkHeldOut(b *testing.B) {
	for _, shape := range [][4]int{ // D, F, K, B
		{384, 3072, 32, 512}, {512, 8192, 32, 1024}, {768, 16384, 64, 1024}, {512, 32768, 100, 1024},
		{768, 16384, 32, 64}, {384, 1024, 8, 256}, {384, 2048, 512, 256}, {64, 256, 4, 32}, {16, 64, 4, 4096},
	} {
		b.Run(fmt.Sprintf("D=%d/F=%d/K=%d/B=%d", shape[0], shape[1], shape[2], shape[3]), func(b *testing.B) {
			heldOutCost(b, shape)
		})
	}
}

func heldOutCost(b *testing.B, shape [4]int) {
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: shape[0], DictSize: shape[1], K: shape[2], BatchSize: shape[3],
		Steps: 1 << 30, DecayStart: 1 << 29, DeadFeatureThreshold: 1 << 40, Precision: "f32", LR: 1e-4,
	}.Resolve()
	const rows = 512
	at := int64(0) // the first step with a point
	for !trainer.OnHeldOut(at, c.BatchSize, rows) {
		at++
	}
	const around = 5 // steps before and after it
	var steps, points []float64
	for b.Loop() {
		s := trainer.Init(c)
		s.Step = at - around
		loop, err := trainer.Start(cpu.New(runtime.GOMAXPROCS(0)), c, s, &noise{d: c.ActivationDim, rows: rows})
		if err != nil {
			b.Fatal(err)
		}
		last := time.Now()
		err = loop.Run(b.Context(), at+around, func(done int64, _ trainer.Stats) error {
			took := time.Since(last).Seconds()
			if done-1 == at {
				points = append(points, took)
			} else if done-1 > at-around+1 {
				steps = append(steps, took)
			}
			last = time.Now()
			return nil
		})
		if err := errors.Join(err, loop.Close()); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(steps)
	slices.Sort(points)
	step := steps[len(steps)/2]
	point := max(0, points[len(points)/2]/step-1)
	most, at10k, n := 0.0, 0.0, 0
	for at := range int64(1 << 16) {
		if trainer.OnHeldOut(at, c.BatchSize, rows) {
			n++
			most = max(most, 100*float64(n)*point/float64(at))
		}
		if at == 10000 {
			at10k = 100 * float64(n) * point / float64(at)
		}
	}
	b.ReportMetric(1e3*step, "step-ms")
	b.ReportMetric(point, "steps/point")
	b.ReportMetric(most, "%most")
	b.ReportMetric(at10k, "%10000")
	b.ReportMetric(0, "ns/op")
}
