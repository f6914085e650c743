package chunks_test

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
	"github.com/topksweep/sweep/trainer/data/chunks"
)

// made is a bucket with one .npy file of float16 whose bytes are made as they are read.
type made struct {
	rows, dim   int64
	gets, bytes atomic.Int64
}

const npyHeader = 128

func (m *made) size() int64 { return npyHeader + 2*m.rows*m.dim }

func (m *made) List(context.Context, string, string) ([]data.Object, error) {
	return []data.Object{{Name: "a.npy", Size: m.size(), Tag: "1"}}, nil
}

func (m *made) Read(_ context.Context, _ string, _ data.Object, p []byte, off int64) error {
	m.gets.Add(1)
	m.bytes.Add(int64(len(p)))
	for i := range p {
		if at := off + int64(i); at&1 == 1 {
			p[i] = 0x38 // from 0.5 to 1
		} else {
			p[i] = byte(at>>1 ^ at>>9)
		}
	}
	if off < npyHeader {
		h := fmt.Sprintf("{'descr': '<f2', 'fortran_order': False, 'shape': (%d, %d), }", m.rows, m.dim)
		h = "\x93NUMPY\x01\x00v\x00" + h + strings.Repeat(" ", npyHeader-11-len(h)) + "\n"
		copy(p, h[off:])
	}
	return nil
}

// used is what runs needed at most, and what they fetched.
type used struct {
	stored, anonymous, mapped int64 // bytes
	gets, bytes               int64
}

// stream reads batches of m's rows up to a share of an epoch, by several runs at once with seeds of their own.
func (m *made) stream(t testing.TB, shuffle string, runs int, share float64, dir string, cache *chunks.Cache) used {
	t.Helper()
	s, err := data.Open(t.Context(), trainer.DataSpec{Source: "s3://acts", Shuffle: shuffle, EvalTokens: m.rows / 1024},
		data.Options{Objects: m, Chunks: cache})
	if err != nil {
		t.Fatal(err)
	}
	gets, bytes := m.gets.Load(), m.bytes.Load()
	const batch = 512
	var all sync.WaitGroup
	var mu sync.Mutex
	var u used
	for seed := range int64(runs) {
		all.Go(func() {
			x := make([]float32, batch*m.dim)
			for step := range int64(share * float64(m.rows) / batch) {
				if err := s.Batch(seed, step, x); err != nil {
					t.Error(err)
					return
				}
				if step%32 == 0 {
					mu.Lock()
					u.stored = max(u.stored, chunks.Stored(dir))
					u.anonymous, u.mapped = max(u.anonymous, memory("RssAnon")), max(u.mapped, memory("RssFile"))
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	u.stored = max(u.stored, chunks.Stored(dir))
	u.gets, u.bytes = m.gets.Load()-gets, m.bytes.Load()-bytes
	return u
}

// memory returns a line of /proc/self/status in bytes; 0 where there is none.
func memory(key string) int64 {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(b), key+":")
	n, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, _ := strconv.ParseInt(n, 10, 64)
	return kib << 10
}

// With shuffle: blocks two runs read half an epoch through a cache of less than half of the data, which keeps to its
// bound. A block of two chunks lies in three, so that one and a half times the bytes are fetched, and chunks as wholes.
func TestBounds(t *testing.T) {
	const chunk, runs, share = 4096, 2, 0.5
	m, dir := &made{rows: 1 << 16, dim: 64}, t.TempDir()
	limit := m.size() * 45 / 100
	u := m.stream(t, "blocks", runs, share, dir, chunks.NewOf(dir, limit, chunk))
	if u.stored > limit {
		t.Errorf("%d bytes are stored, of %d", u.stored, limit)
	}
	most := int64(runs * (share + 2./16) * 1.6 * float64(m.size())) // with the windows ahead, of 16
	if u.bytes > most || u.gets > most/chunk {
		t.Errorf("%d bytes were fetched with %d requests, want at most %d", u.bytes, u.gets, most)
	}
}

// BenchmarkBounds measures what an eighth of an epoch of 16 GiB takes, through a cache of 2 GiB for each run. Nothing
// but the runs counts in anonymous-MiB; pages of the cache's files, which the system takes back, are mapped-MiB.
func BenchmarkBounds(b *testing.B) {
	debug.SetGCPercent(50)
	for _, runs := range []int{1, 2} {
		b.Run(fmt.Sprintf("blocks/%d", runs), func(b *testing.B) {
			const share = 0.125
			for range b.N {
				m, dir := &made{rows: 2048 * 5461, dim: 768}, b.TempDir()
				u := m.stream(b, "blocks", runs, share, dir, chunks.New(dir, int64(runs)<<31))
				read := float64(runs) * share * float64(m.size())
				const mib = 1 << 20
				b.ReportMetric(float64(u.stored)/mib, "cache-MiB")
				b.ReportMetric(float64(u.anonymous)/mib, "anonymous-MiB")
				b.ReportMetric(float64(u.mapped)/mib, "mapped-MiB")
				b.ReportMetric(float64(u.bytes)/read, "fetched/read")
				b.ReportMetric(float64(u.gets)/(read/(1<<30)), "GETs/GiB")
			}
		})
	}
}
