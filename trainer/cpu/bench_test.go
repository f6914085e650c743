package cpu

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// benchShapes returns the shapes of PERFORMANCE.md: D, F, K, B.
func benchShapes() [][4]int {
	return [][4]int{{512, 8192, 32, 1024}, {512, 32768, 100, 1024}, {384, 3072, 32, 512}, {768, 16384, 64, 1024}}
}

// benchModel returns a model a few steps into training, and a batch for it. The share
// dead of its latents is dead, but for those that the batch fires.
func benchModel(b *testing.B, shape [4]int, dead float64) (*model, []float32) {
	b.Helper()
	c := trainer.Config{
		Recipe: "corrected", ActivationDim: shape[0], DictSize: shape[1], K: shape[2], BatchSize: shape[3],
		Steps: 1 << 30, DecayStart: 1 << 29, AuxKAlpha: 1.0 / 32, DeadFeatureThreshold: 1 << 40, Precision: "f32",
		LR: 1e-12, // so low that AuxK does not revive dead latents: each step finds the same ones
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

// gaussian fills x with numbers that have nearly a normal distribution.
func gaussian(x []float32, stream uint64) {
	for i := range x {
		sum := -6.0
		for j := range 12 {
			sum += trainer.Uniform(9, stream<<4|uint64(j), uint64(i))
		}
		x[i] = float32(sum)
	}
}

// eachShape runs a benchmark for each shape, with the rates of this machine.
func eachShape(b *testing.B, run func(b *testing.B, shape [4]int, f *trainer.Roofline)) {
	f, err := backend{}.MeasureRoofline()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range benchShapes() {
		b.Run(fmt.Sprintf("D=%d/F=%d/K=%d/B=%d", s[0], s[1], s[2], s[3]), func(b *testing.B) { run(b, s, f) })
	}
}

// rate reports the rate of the benchmark in units of 10⁹ a second, and its share of
// the ceiling, which is in the same unit. work is what one iteration does.
func rate(b *testing.B, unit string, work, ceiling float64) {
	got := work * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(got, unit)
	b.ReportMetric(100*got/ceiling, "%ceiling")
}

// BenchmarkStep times steps, with a share of the latents dead. compare.py reads the
// fastest step by the clock; cpu-ms is the fastest in processor time.
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

// BenchmarkEncode times the product with the selection of the K largest.
func BenchmarkEncode(b *testing.B) { encodeBench(b, 0) }

// BenchmarkGEMM is BenchmarkEncode with K = 1: the product with nearly no selection.
func BenchmarkGEMM(b *testing.B) { encodeBench(b, 1) }

// encodeBench times the encoder. Its ceiling is the rate of its product on operands
// in the L1 cache. With k = 0, K is the shape's.
func encodeBench(b *testing.B, k int) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		if k > 0 {
			shape[2] = k
		}
		m, x := benchModel(b, shape, 0)
		for b.Loop() {
			m.centre(x)
			if err := m.encodeBatch(nil); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, "GFLOP/s", m.c.ProductFlops(), f.Product)
	})
}

// identity is the evaluator of bounds that are the values themselves.
type identity struct{}

func (identity) lowerBound(_ int, bounds []key, _ int) float32 {
	return max(0, slices.Min(bounds).act())
}
func (identity) evaluate(_ int, bounds []key) []key { return bounds }

// BenchmarkTopK times the selection alone, from pre-activations that lie in memory in
// the encoder's tiles. Its ceiling is to read them once.
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
		var c candidates
		var hit [mr]uint32
		for b.Loop() {
			c.reset(blocks*mr, k, panels*nr)
			for i := range pre {
				first := i % blocks * mr
				kern.over(&pre[i], (*[mr]float32)(c.cutoff[first:]), &hit)
				for r, hits := range hit {
					if hits != 0 {
						c.add(first+r, hits, &pre[i][r], i/blocks*nr, identity{})
					}
				}
			}
			for row := range blocks * mr {
				c.selected(row, identity{})
			}
		}
		rate(b, "GB/s", float64(4*mr*nr*len(pre)), f.GBs/float64(f.Threads))
	})
}

// BenchmarkDecode counts as bytes the rows of W_dec and x − b_dec that are read and
// the residual that is written.
func BenchmarkDecode(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		m, _ := benchModel(b, shape, 0)
		var st trainer.Stats
		for b.Loop() {
			if err := m.decodeBatch(&st); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, "GB/s", 4*float64(m.z.b)*float64(m.z.d)*float64(m.c.K+2), f.GBs)
	})
}

// BenchmarkBackward counts as bytes the rows of the residual and of x − b_dec that are
// read for each activation, and for each latent the weights read and the gradients
// written.
func BenchmarkBackward(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		m, _ := benchModel(b, shape, 0)
		var st trainer.Stats
		for b.Loop() {
			if err := m.backward(&st); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, "GB/s", 8*float64(m.z.d)*float64(m.z.b*m.c.K+2*m.z.f), f.GBs)
	})
}

// BenchmarkAdam times the update: Adam, unit norms, and screening the encoder.
func BenchmarkAdam(b *testing.B) {
	eachShape(b, func(b *testing.B, shape [4]int, f *trainer.Roofline) {
		m, _ := benchModel(b, shape, 0)
		st := trainer.Stats{LR: 1e-4}
		for b.Loop() {
			b.StopTimer() // an update overwrites the gradients
			if err := m.backward(&st); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := m.update(&st); err != nil {
				b.Fatal(err)
			}
		}
		rate(b, "GB/s", m.c.UpdateBytes(), f.GBs)
	})
}

// BenchmarkRoofline prints the rates that the other benchmarks are compared with.
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
