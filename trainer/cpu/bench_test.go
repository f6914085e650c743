package cpu

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// The shapes of PERFORMANCE.md: D, F, K, B.
func benchShapes() [][4]int {
	return [][4]int{{512, 8192, 32, 1024}, {512, 32768, 100, 1024}, {384, 3072, 32, 512}, {768, 16384, 64, 1024}}
}

// benchModel is a model a few steps in, with share of its latents dead, less those
// that fire all the same.
func benchModel(b *testing.B, shape [4]int, dead float64) (*model, []float32) {
	b.Helper()
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: shape[0], DictSize: shape[1], K: shape[2], BatchSize: shape[3], Steps: 1 << 30, DecayStart: 1 << 29,
		AuxKAlpha: 1.0 / 32, DeadFeatureThreshold: 1 << 40, Precision: "f32",
		LR: 1e-12, // AuxK revives dead latents: every step is to find the same ones
	}.Resolve()
	s := trainer.Init(c)
	s.Step = 1
	for f := range int(dead * float64(c.DictSize)) {
		s.SinceFired[f] = 1 << 41
		s.W.BEnc[f] = -0.5
	}
	made, err := New(0).New(c, s, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = made.Close() })
	m := made.(*model)
	x := make([]float32, c.BatchSize*c.ActivationDim)
	gaussian(x, 0)
	for range 2 {
		if _, err := m.train(x); err != nil {
			b.Fatal(err)
		}
	}
	return m, x
}

// gaussian fills x with numbers of nearly normal distribution.
func gaussian(x []float32, stream uint64) {
	for i := range x {
		sum := -6.0
		for j := range 12 {
			sum += trainer.Uniform(9, stream<<4|uint64(j), uint64(i))
		}
		x[i] = float32(sum)
	}
}

func eachShape(b *testing.B, run func(b *testing.B, shape [4]int, f *trainer.Roofline)) {
	f, err := backend{}.MeasureRoofline()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range benchShapes() {
		b.Run(fmt.Sprintf("D=%d/F=%d/K=%d/B=%d", s[0], s[1], s[2], s[3]), func(b *testing.B) { run(b, s, f) })
	}
}

// rate reports work done in the benchmark against its ceiling, both in giga per
// second.
func rate(b *testing.B, unit string, work, ceiling float64) {
	got := work * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(got, unit)
	b.ReportMetric(100*got/ceiling, "%ceiling")
}

// BenchmarkStep's dead latents are so for as long as nothing fires them. The
// fastest step, by the clock and in processor time, is what compare.py reads.
func BenchmarkStep(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		for _, dead := range []float64{0, 0.02, 0.2} {
			b.Run(fmt.Sprintf("dead=%v", dead), func(b *testing.B) {
				m, x := benchModel(b, shape, dead)
				fastest, cpu := math.Inf(1), math.Inf(1)
				for b.Loop() {
					before := cpuSeconds()
					fastest = min(fastest, seconds(func() {
						if _, err := m.train(x); err != nil {
							b.Fatal(err)
						}
					}))
					cpu = min(cpu, cpuSeconds()-before)
				}
				step := b.Elapsed().Seconds() / float64(b.N)
				b.ReportMetric(m.c.ProductFlops()/step/1e9, "GFLOP/s")
				b.ReportMetric(float64(m.z.b)/step, "tokens/s")
				b.ReportMetric(1e3*fastest, "fastest-ms")
				b.ReportMetric(1e3*cpu, "cpu-ms")
				b.ReportMetric(1e3*f.StepSeconds(m.c), "floor-ms")
				b.ReportMetric(1e3*f.ProductStepSeconds(m.c), "own-floor-ms")
				b.ReportMetric(100*f.StepSeconds(m.c)/step, "%floor")
			})
		}
	})
}

// BenchmarkEncode is the product with the selection.
func BenchmarkEncode(b *testing.B) { encodeBench(b, 0) }

// BenchmarkGEMM is BenchmarkEncode with k = 1: the product with next to no
// selection.
func BenchmarkGEMM(b *testing.B) { encodeBench(b, 1) }

// encodeBench times the encoder; its ceiling is the rate of its product in the L1
// cache. k 0 is the shape's.
func encodeBench(b *testing.B, k int) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		if k > 0 {
			shape[2] = k
		}
		m, x := benchModel(b, shape, 0)
		for b.Loop() {
			if err := m.forward(x); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, "GFLOP/s", m.c.ProductFlops(), f.Product)
	})
}

// exact is the judge of bounds that are the values.
type exact struct{}

func (exact) atLeast(_ int, bounds []key, _ int) float32 { return max(0, slices.Min(bounds).act()) }
func (exact) decide(_ int, bounds []key) []key           { return bounds }

// BenchmarkTopK selects from ready pre-activations, in the encoder's tiles; its
// ceiling is reading them once.
func BenchmarkTopK(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		const blocks = 8 // of mr rows
		kern, err := kernelsFor(os.Getenv(PathVariable))
		if err != nil {
			b.Fatal(err)
		}
		k, panels := shape[2], roundUp(shape[1], nr)/nr
		pre := make([][mr][nr]float32, panels*blocks)
		for i := range pre {
			for r := range pre[i] {
				gaussian(pre[i][r][:], uint64(i*mr+r))
			}
		}
		var s sieve
		var hit [mr]uint32
		for b.Loop() {
			s.shape(blocks*mr, k, panels*nr)
			for i := range pre {
				first := i % blocks * mr
				kern.over(&pre[i], (*[mr]float32)(s.above[first:]), &hit)
				for r, hits := range hit {
					if hits != 0 {
						s.add(first+r, hits, &pre[i][r], i/blocks*nr, exact{})
					}
				}
			}
			for row := range blocks * mr {
				s.kept(row, exact{})
			}
		}
		rate(b, "GB/s", float64(4*mr*nr*len(pre)), f.GBs/float64(f.Threads))
	})
}

// BenchmarkDecode counts the rows of W_dec and x − b_dec read, and the residual
// written.
func BenchmarkDecode(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		m, _ := benchModel(b, shape, 0)
		for b.Loop() {
			m.decode()
		}
		rate(b, "GB/s", 4*float64(m.z.b)*float64(m.z.d)*float64(m.c.K+2), f.GBs)
	})
}

// BenchmarkBackward counts the rows of residual and x − b_dec read for each
// activation, and for each latent its weights read and its gradients written.
func BenchmarkBackward(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		m, _ := benchModel(b, shape, 0)
		for b.Loop() {
			m.backward(m.mainGradient())
		}
		rate(b, "GB/s", 8*float64(m.z.d)*float64(m.z.b*m.c.K+2*m.z.f), f.GBs)
	})
}

func BenchmarkAdam(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		m, _ := benchModel(b, shape, 0)
		for b.Loop() {
			b.StopTimer() // an update uses the gradients up
			m.backward(m.mainGradient())
			b.StartTimer()
			m.update(1e-4, 1)
		}
		rate(b, "GB/s", m.c.UpdateBytes(), f.GBs)
	})
}

func BenchmarkRoofline(b *testing.B) {
	for b.Loop() {
		f, err := backend{}.MeasureRoofline()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(f.GFLOPS, "GFLOP/s")
		b.ReportMetric(f.Product, "own-GFLOP/s")
		b.ReportMetric(f.GBs, "GB/s")
	}
}
