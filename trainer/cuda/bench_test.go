//go:build cuda

package cuda

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cuda/driver"
)

// A shape is the sizes of a model and its batch.
type shape struct{ d, f, k, b int }

// shapes returns the shapes of BENCHMARKS.md.
func shapes() []shape {
	return []shape{{512, 32768, 100, 2048}, {768, 131072, 32, 4096}, {4096, 65536, 64, 4096}}
}

// smallShape is one whose step is short, so that what a step waits for counts.
func smallShape() shape { return shape{512, 8192, 32, 1024} }

// tinyShape is for machines without a GPU, to see that the benchmark runs.
func tinyShape() shape { return shape{16, 128, 4, 32} }

// BenchmarkStep trains on batches that are on the GPU already. It reports tokens a second and
// the share of the floor, and prints the time of each kernel once a shape. BENCHMARKS.md
// explains the floor.
//
//	-test.bench 'Step/F=32768'
func BenchmarkStep(b *testing.B) {
	made, err := New(0)
	if err != nil {
		b.Fatal(err)
	}
	gpu := made.(*backend)
	for _, v := range append(shapes(), smallShape(), tinyShape()) {
		for _, dead := range []float64{0, 0.1} {
			name := fmt.Sprintf("D=%d,F=%d,K=%d,B=%d/f32/dead=%v", v.d, v.f, v.k, v.b, dead)
			b.Run(name, func(b *testing.B) {
				if gpu.dev.Info().Memory < 8<<30 && v.f > 1<<12 {
					b.Skip("not for an emulated GPU")
				}
				c := trainer.Config{
					Recipe: "corrected", ActivationDim: v.d, DictSize: v.f, K: v.k, BatchSize: v.b,
					Steps: 1 << 30, DecayStart: 1 << 29, AuxKAlpha: 1. / 32, DeadFeatureThreshold: 1 << 50, Precision: "f32",
				}.Resolve()
				benchmark(b, gpu, c, dead)
			})
		}
	}
}

// benchmark measures steps of a model with a share of dead latents.
func benchmark(b *testing.B, gpu *backend, c trainer.Config, dead float64) {
	s := trainer.Init(c)
	s.Step = 1 // without the median
	for f := range int(dead * float64(c.DictSize)) {
		// A dead latent, whose pre-activations are too small to be kept; half of them are
		// above 0, so that AuxK has work.
		s.SinceFired[f] = c.DeadFeatureThreshold + 1
		for i := range c.ActivationDim {
			s.W.WEnc[f*c.ActivationDim+i] *= 0x1p-10
		}
	}
	made, err := gpu.New(c, s, &random{d: c.ActivationDim, rows: int64(4 * c.BatchSize)})
	if err != nil {
		b.Fatal(err)
	}
	m := made.(*model)
	defer m.Close()
	if m.resident == nil {
		b.Fatal("the data is not on the GPU")
	}
	next, stop := iter.Pull2(m.Steps(b.Context(), math.MaxInt64))
	defer stop()
	step := func() {
		if _, err, _ := next(); err != nil {
			b.Fatal(err)
		}
	}
	for range 3 { // libraries initialise themselves, and the graph is captured
		step()
	}
	trace := traced(b, m, step)
	floor := measureFloor(b, gpu, c)
	b.ResetTimer()
	for b.Loop() {
		step()
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(c.BatchSize)/each.Seconds(), "tokens/s")
	b.ReportMetric(100*floor.Seconds()/each.Seconds(), "%floor")
	// b.Log would print the first ten lines only.
	fmt.Printf("floor %v, step %v; kernels, one at a time:\n%s",
		floor.Round(time.Microsecond), each.Round(time.Microsecond), trace)
}

// traced takes a step and measures its operations one by one, which it prints as a table. It
// waits for each operation, so that their sum is longer than a step.
func traced(b *testing.B, m *model, step func()) string {
	type sum struct {
		name string
		n    int
		time time.Duration
	}
	sums := map[string]*sum{}
	graph, initialised := m.graph, m.initialised
	m.graph, m.initialised = nil, false // launch kernel by kernel
	m.q.Trace = func(name string) func() {
		m.q.Stream().Synchronize()
		start := time.Now()
		return func() {
			m.q.Stream().Synchronize()
			s := cmp.Or(sums[name], &sum{name: name})
			sums[name] = s
			s.n++
			s.time += time.Since(start)
		}
	}
	step()
	m.q.Trace, m.graph, m.initialised = nil, graph, initialised
	var all []*sum
	for _, s := range sums {
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y *sum) int {
		return cmp.Or(cmp.Compare(y.time, x.time), cmp.Compare(x.name, y.name))
	})
	text := ""
	for _, s := range all {
		each := (s.time / time.Duration(s.n)).Round(100 * time.Nanosecond)
		text += fmt.Sprintf("%-16s %4d × %9v = %9v\n", s.name, s.n, each, s.time.Round(time.Microsecond))
	}
	return text
}

// measureFloor measures the rate of a large product of float16 numbers and the
// bandwidth of a large copy, and returns the time that a step takes at least at these rates.
func measureFloor(b *testing.B, gpu *backend, c trainer.Config) time.Duration {
	n, bytes := 8192, int64(1<<30)
	if gpu.dev.Info().Memory < 8<<30 {
		n, bytes = 64, 1<<20
	}
	leave, err := gpu.dev.Enter()
	if err != nil {
		b.Fatal(err)
	}
	defer leave()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	s, err := gpu.dev.Stream()
	must(err)
	defer s.Close()
	blas, err := gpu.dev.Blas()
	must(err)
	defer blas.Close()
	x, err := gpu.dev.Alloc(max(2*bytes, int64(6*n*n)))
	must(err)
	defer gpu.dev.Free(x)
	must(fillRandom(gpu.dev, s, x, max(2*bytes, int64(6*n*n))))
	product := best(b, gpu.dev, s, func() error {
		return blas.Gemm(s, driver.GemmSpec{
			TransA: true, M: n, N: n, K: n, A: x, LDA: n, B: x.Add(int64(2 * n * n)), LDB: n, C: x.Add(int64(4 * n * n)), LDC: n,
			Alpha: 1,
		})
	})
	copied := best(b, gpu.dev, s, func() error { return s.Copy(x.Add(bytes), x, bytes) })
	flops := 2 * math.Pow(float64(n), 3) / product
	bandwidth := 2 * float64(bytes) / copied
	seconds := rates{flops: flops, memory: bandwidth, cache: ratesH200().cache}.floor(c)
	fmt.Printf("%s: %.1f TFLOP/s in float16, copies at %.2f TB/s\n",
		gpu.dev.Info().Name, flops/1e12, bandwidth/1e12)
	return time.Duration(seconds * 1e9)
}

// fillRandom fills memory with numbers that are finite in every type: a product of zeros would be faster than others.
// In float16 they are 1/2 to 1, of either sign.
func fillRandom(dev *driver.Device, s *driver.Stream, x driver.Ptr, bytes int64) error {
	some := make([]uint16, min(bytes/2, 1<<20))
	for i := range some {
		some[i] = 0x3800 | uint16(trainer.Rand(1, 4, uint64(i)))&0x83ff
	}
	err := dev.Upload(x, driver.Bytes(some))
	for done := int64(2 * len(some)); done < bytes; done *= 2 {
		err = errors.Join(err, s.Copy(x.Add(done), x, min(done, bytes-done)))
	}
	return errors.Join(err, s.Synchronize())
}

// best returns the shortest time of ten calls, in seconds on the GPU.
func best(b *testing.B, dev *driver.Device, s *driver.Stream, do func() error) float64 {
	from, err := dev.Event()
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close()
	to, err := dev.Event()
	if err != nil {
		b.Fatal(err)
	}
	defer to.Close()
	shortest := math.Inf(1)
	for range 10 {
		err := errors.Join(from.Record(s), do(), to.Record(s), to.Synchronize())
		if err != nil {
			b.Fatal(err)
		}
		seconds, err := to.Elapsed(from)
		if err != nil {
			b.Fatal(err)
		}
		shortest = min(shortest, seconds)
	}
	return shortest
}

// random is data whose rows are nearly normal. Batches take the rows in order.
type random struct {
	d    int
	rows int64
}

func (r *random) Dataset() trainer.Dataset { return r }
func (r *random) Identity() string         { return fmt.Sprintf("random %d×%d", r.rows, r.d) }
func (r *random) Rows() int64              { return r.rows }
func (r *random) Dim() int                 { return r.d }

func (r *random) Format() trainer.Format { return trainer.Format{Type: trainer.F32, Scale: 1} }

func (r *random) ReadStored(rows []int64, x []byte) error {
	for i, row := range rows {
		r.read(row, driver.View[float32](x[4*i*r.d:4*(i+1)*r.d]))
	}
	return nil
}

func (r *random) read(row int64, x []float32) {
	for i := range x {
		at := uint64(row)*uint64(r.d) + uint64(i)
		x[i] = float32(trainer.Uniform(1, 1, at) + trainer.Uniform(1, 2, at) + trainer.Uniform(1, 3, at) - 1.5)
	}
}

func (r *random) BatchRows(_, step int64, rows []int64) error {
	for i := range rows {
		rows[i] = (step*int64(len(rows)) + int64(i)) % r.rows
	}
	return nil
}

func (r *random) Batch(seed, step int64, x []float32) error {
	rows := make([]int64, len(x)/r.d)
	err := r.BatchRows(seed, step, rows)
	for i, row := range rows {
		r.read(row, x[i*r.d:(i+1)*r.d])
	}
	return err
}
