//go:build unix

package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/data"
)

// BenchmarkCheckpointCost measures what one checkpoint costs training:
//
//	MiB      its size
//	stall-s  how long the loop waits while the state is copied
//	save-s   how long it takes until the checkpoint is stored, beside training
//	lost-s   save-s, less the time of as many steps without a checkpoint
//	%lost    lost-s as a part of the default interval between checkpoints
//	%cpu     the same in processor time over all cores, which other programs on the
//	         machine disturb less; that of MinIO is not in it
func BenchmarkCheckpointCost(b *testing.B) {
	for _, size := range []struct{ dim, dict int }{{768, 16384}, {768, 65536}} {
		b.Run(fmt.Sprintf("D=%d/F=%d", size.dim, size.dict), func(b *testing.B) {
			b.Run("dir", func(b *testing.B) {
				s, err := dir.Open(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				checkpointCost(b, s, size.dim, size.dict)
			})
			b.Run("minio", func(b *testing.B) {
				checkpointCost(b, openMinIO(b, miniotest.Start(b)), size.dim, size.dict)
			})
		})
	}
}

func checkpointCost(b *testing.B, store storage.Store, dim, dict int) {
	g, err := grid.Parse("grid.yaml", fmt.Appendf(nil, `
name: cost
data: {synthetic: {activation_dim: %d, directions: 2048, tokens: 200000, active: 8}}
train: {dict_size: %d, k: 32, batch_size: 512, steps: 1000000}
`, dim, dict), grid.ParseOptions{})
	if err != nil {
		b.Fatal(err)
	}
	set, err := data.Open(b.Context(), g.Data, data.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer set.Close()
	p, err := plan.New(g, set.Info(), plan.Estimates{})
	if err != nil {
		b.Fatal(err)
	}
	cfg := p.Cells[0].Config
	state := trainer.Init(cfg)
	loop, err := trainer.Start(cpu.New(runtime.GOMAXPROCS(0)), cfg, state, set)
	if err != nil {
		b.Fatal(err)
	}
	defer loop.Close()
	c, err := storage.NewCheckpoints(store, "cost", nil)
	if err != nil {
		b.Fatal(err)
	}
	claim, err := c.Claim(b.Context(), storage.Holder{})
	if err != nil {
		b.Fatal(err)
	}
	k := &checkpointer{
		checkpoints: c, claim: claim, loop: loop, cfg: cfg, now: time.Now, buffer: state, began: time.Now(), saved: -1,
		closeModel: func() {},
		every:      p.Run.Checkpoint.Every, keep: p.Run.Checkpoint.Keep, log: slog.New(slog.DiscardHandler),
		hasResult: func(context.Context) (bool, error) { return false, nil },
	}
	// steps trains until enough says so.
	steps := func(enough func(n int) bool) (n int, wall, busy time.Duration) {
		began, cpu := time.Now(), processorTime(b)
		err := loop.Run(b.Context(), int64(cfg.Steps), func(int64, trainer.Stats) error {
			if n++; enough(n) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			b.Fatal(err)
		}
		return n, time.Since(began), processorTime(b) - cpu
	}
	steps(func(n int) bool { return n == 3 })
	var stall, lost, busy, took time.Duration
	for b.Loop() {
		var copied time.Duration
		n, with, busyWith := steps(func(n int) bool {
			began := time.Now()
			if n == 1 {
				k.last = time.Time{} // due
			}
			if err := k.step(b.Context(), began); err != nil {
				b.Fatal(err)
			}
			if n == 1 {
				copied = time.Since(began)
			}
			return n > 1 && k.saving == nil
		})
		if k.saved != loop.Step()-int64(n)+1 {
			b.Fatalf("saved step %d of %d", k.saved, loop.Step())
		}
		_, without, busyWithout := steps(func(i int) bool { return i == n })
		stall, lost, busy, took = stall+copied, lost+with-without, busy+busyWith-busyWithout, took+with
	}
	each := func(d time.Duration) float64 { return d.Seconds() / float64(b.N) }
	body, err := trainer.Encode(cfg, state)
	if err != nil {
		b.Fatal(err)
	}
	interval := p.Run.Checkpoint.Every.Seconds()
	b.ReportMetric(float64(body.Size())/(1<<20), "MiB")
	b.ReportMetric(each(stall), "stall-s")
	b.ReportMetric(each(took), "save-s")
	b.ReportMetric(each(lost), "lost-s")
	b.ReportMetric(100*each(lost)/interval, "%lost")
	b.ReportMetric(100*each(busy)/float64(runtime.GOMAXPROCS(0))/interval, "%cpu")
}

var errEnough = errors.New("enough steps")

// processorTime is how long this process has used processors, summed over all cores.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
