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

// targets are the shapes that BENCHMARKS.md is about; tiny is for machines
// without a GPU, to see that the benchmark runs.
var targets = []struct{ d, f, k, b int }{{512, 32768, 100, 2048}, {768, 131072, 32, 4096}, {4096, 65536, 64, 4096}, {16, 128, 4, 32}}

// BenchmarkStep trains on batches that are on the GPU already. It reports tokens
// a second, the share of the floor (BENCHMARKS.md) and, once a shape, what each
// kernel takes.
//
//	-test.bench 'Step/F=32768/tf32'
func BenchmarkStep(b *testing.B) {
	made, err := New(0)
	if err != nil {
		b.Fatal(err)
	}
	gpu := made.(*backend)
	for _, v := range targets {
		for _, precision := range []string{"f32", "tf32", "bf16"} {
			for _, dead := range []float64{0, 0.1} {
				b.Run(fmt.Sprintf("D=%d,F=%d,K=%d,B=%d/%s/dead=%v", v.d, v.f, v.k, v.b, precision, dead), func(b *testing.B) {
					if gpu.dev.Info().Memory < 8<<30 && v.f > 1<<12 {
						b.Skip("not for an emulated GPU")
					}
					c := trainer.Config{
						Recipe: "corrected", ActivationDim: v.d, DictSize: v.f, K: v.k, BatchSize: v.b, Steps: 1 << 30, DecayStart: 1 << 29,
						AuxKAlpha: 1. / 32, DeadFeatureThreshold: 1 << 50, Precision: precision,
					}.Resolve()
					benchmark(b, gpu, c, dead)
				})
			}
		}
	}
}

func benchmark(b *testing.B, gpu *backend, c trainer.Config, dead float64) {
	s := trainer.Init(c)
	s.Step = 1 // without the median
	for f := range int(dead * float64(c.DictSize)) {
		// Dead, and too small to be kept; half of its activations are above 0.
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
	if m.dataset == nil {
		b.Fatal("the data is not on the GPU")
	}
	next, stop := iter.Pull2(m.Steps(b.Context(), math.MaxInt64))
	defer stop()
	step := func() {
		if _, err, _ := next(); err != nil {
			b.Fatal(err)
		}
	}
	for range 3 { // libraries set themselves up, and the graph is made
		step()
	}
	trace := traced(b, m, step)
	floor := floorOf(b, gpu, c)
	b.ResetTimer()
	for b.Loop() {
		step()
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64(c.BatchSize)/each.Seconds(), "tokens/s")
	b.ReportMetric(100*floor.Seconds()/each.Seconds(), "%floor")
	// Not b.Log, which keeps ten lines.
	fmt.Printf("floor %v, step %v; kernels, one at a time:\n%s", floor.Round(time.Microsecond), each.Round(time.Microsecond), trace)
}

// traced takes a step whose operations are timed one by one. Each is waited for,
// so that the sum is more than a step takes.
func traced(b *testing.B, m *model, step func()) string {
	type sum struct {
		name  string
		n     int
		taken time.Duration
	}
	sums := map[string]*sum{}
	graph, warm := m.graph, m.warm
	m.graph, m.warm = nil, false // launch them one by one
	m.q.Trace = func(name string) func() {
		m.q.Stream().Synchronize()
		start := time.Now()
		return func() {
			m.q.Stream().Synchronize()
			s := cmp.Or(sums[name], &sum{name: name})
			sums[name] = s
			s.n++
			s.taken += time.Since(start)
		}
	}
	step()
	m.q.Trace, m.graph, m.warm = nil, graph, warm
	var all []*sum
	for _, s := range sums {
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y *sum) int { return cmp.Or(cmp.Compare(y.taken, x.taken), cmp.Compare(x.name, y.name)) })
	text := ""
	for _, s := range all {
		text += fmt.Sprintf("%-16s %4d × %9v = %9v\n", s.name, s.n, (s.taken / time.Duration(s.n)).Round(100*time.Nanosecond), s.taken.Round(time.Microsecond))
	}
	return text
}

// floorOf is what a step cannot go below on this GPU: 2·B·D·F operations at the
// rate of a large product in the same precision, 28 bytes a parameter and one
// pass over the pre-activations at the bandwidth of a large copy.
func floorOf(b *testing.B, gpu *backend, c trainer.Config) time.Duration {
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
	x, err := gpu.dev.Alloc(max(2*bytes, int64(12*n*n)))
	must(err)
	defer gpu.dev.Free(x)
	must(s.Fill8(x, 0, max(2*bytes, int64(12*n*n))))
	p := precisions[c.Precision]
	product := best(b, gpu.dev, s, func() error {
		return blas.Gemm(s, driver.GemmSpec{
			TransA: true, M: n, N: n, K: n, A: x, LDA: n, B: x.Add(int64(4 * n * n)), LDB: n, C: x.Add(int64(8 * n * n)), LDC: n,
			TypeA: p.in, TypeB: p.in, Compute: p.compute, Alpha: 1,
		})
	})
	copied := best(b, gpu.dev, s, func() error { return s.Copy(x.Add(bytes), x, bytes) })
	flops := 2 * math.Pow(float64(n), 3) / product
	bandwidth := 2 * float64(bytes) / copied
	seconds := rates{flops: flops, memory: bandwidth}.floor(c)
	fmt.Printf("%s: %.1f TFLOP/s in %s, copies at %.2f TB/s\n", gpu.dev.Info().Name, flops/1e12, c.Precision, bandwidth/1e12)
	return time.Duration(seconds * 1e9)
}

// best is the shortest of some times, in seconds.
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
		var err [5]error
		err[0], err[1], err[2], err[3] = from.Record(s), do(), to.Record(s), to.Synchronize()
		var took float64
		took, err[4] = to.Elapsed(from)
		for _, e := range err {
			if e != nil {
				b.Fatal(e)
			}
		}
		shortest = min(shortest, took)
	}
	return shortest
}

// random is data of normal-like rows, in order.
type random struct {
	d    int
	rows int64
}

func (r *random) Dataset() trainer.Dataset { return r }
func (r *random) Fingerprint() string      { return fmt.Sprintf("random %d×%d", r.rows, r.d) }
func (r *random) Rows() int64              { return r.rows }
func (r *random) Dim() int                 { return r.d }

func (r *random) ReadRows(row int64, x []float32) error {
	for i := range x {
		at := uint64(row)*uint64(r.d) + uint64(i)
		x[i] = float32(trainer.Uniform(1, 1, at) + trainer.Uniform(1, 2, at) + trainer.Uniform(1, 3, at) - 1.5)
	}
	return nil
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
		err = errors.Join(err, r.ReadRows(row, x[i*r.d:(i+1)*r.d]))
	}
	return err
}
