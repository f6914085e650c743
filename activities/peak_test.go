//go:build linux

package activities

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer/cpu"
)

// peakGrid has runs of several sizes, the largest of which reserve some hundred MiB.
const peakGrid = `
name: peak
data: {synthetic: {activation_dim: 512, directions: 600, tokens: 20000, active: 8, seed: 1}, eval_tokens: 256}
parameters: {dict_size: [1024, 16384, 2048, 12288, 512], k: [8, 16]}
train: {steps: 3, batch_size: 16, lr: 0.003}
run: {checkpoint: {every: 1s, keep: 2}}
`

// peakVariable tells the test's own program that it is the child of TestPeakMemory; it is the number of slots.
const peakVariable = "SWEEP_TEST_PEAK"

// Ten runs in one process never take more memory than they have reserved, and a little: what a run leaves is gone
// before the next one begins. The process is one of its own, because a peak is that of all that it ever did.
func TestPeakMemory(t *testing.T) {
	if slots := os.Getenv(peakVariable); slots != "" {
		n, err := strconv.Atoi(slots)
		if err != nil {
			t.Fatal(err)
		}
		tenRuns(t, n)
		return
	}
	for _, slots := range []string{"1", "2"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPeakMemory$", "-test.v")
		cmd.Env = append(os.Environ(), peakVariable+"="+slots)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s slots: %v\n%s", slots, err, out)
			continue
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "reserved") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// tenRuns trains and evaluates ten runs on a number of slots, and compares the process's peak with what was reserved.
func tenRuns(t *testing.T, slots int) {
	p := planOf(t, peakGrid)
	w := submit(t, looseStore(t.TempDir()), p)
	w.Activities.log = slog.New(slog.DiscardHandler)
	w.Activities.backend = cpu.New(1)
	var most atomic.Int64
	w.memory.Capacity = func() (int64, bool) { return 0, false }
	w.LimitMemory(0)
	done := make(chan struct{})
	var look sync.WaitGroup
	look.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				most.Store(max(most.Load(), w.memory.Reserved()))
			}
		}
	})
	cells := make(chan int, len(p.Cells))
	for i := range p.Cells {
		cells <- i
	}
	close(cells)
	var runs sync.WaitGroup
	for range slots {
		runs.Go(func() {
			for cell := range cells {
				if err := w.run(protocol.ActivityTrain, w.stage(cell)); err != nil {
					t.Error(err)
				}
				if err := w.run(protocol.ActivityEval, w.ref(cell)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	runs.Wait()
	close(done)
	look.Wait()
	peak, reserved := peakRSS(t), most.Load()
	t.Logf("%d runs, %d slots: reserved %d MiB, peak %d MiB", len(p.Cells), slots, reserved>>20, peak>>20)
	if limit := reserved + reserved*15/100 + 256<<20; !(peak <= limit) {
		t.Errorf("the peak of %d MiB is above %d MiB", peak>>20, limit>>20)
	}
	if reserved < 400<<20 {
		t.Errorf("only %d MiB were reserved: what a run leaves would not show", reserved>>20)
	}
}

// A looseStore is a folder of files that are not synced: what counts here is memory, and disks may be slow.
type looseStore string

func (s looseStore) path(key string) string { return filepath.Join(string(s), filepath.FromSlash(key)) }

func (s looseStore) Put(_ context.Context, key string, body io.ReaderAt, size int64) error {
	if err := os.MkdirAll(filepath.Dir(s.path(key)), 0o700); err != nil {
		return err
	}
	f, err := os.Create(s.path(key))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(body, 0, size))
	return errors.Join(err, f.Close())
}

func (s looseStore) PutNew(ctx context.Context, key string, data []byte) error {
	if _, err := os.Stat(s.path(key)); err == nil {
		return storage.ErrExists
	}
	return s.Put(ctx, key, bytes.NewReader(data), int64(len(data)))
}

func (s looseStore) Get(_ context.Context, key string) (io.ReadCloser, error) {
	f, err := os.Open(s.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		err = storage.ErrNotFound
	}
	return f, err
}

func (s looseStore) List(_ context.Context, prefix string) (all []storage.Object, err error) {
	err = filepath.WalkDir(string(s), func(path string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil && !d.IsDir() {
			info, err = d.Info()
		}
		switch rel, _ := filepath.Rel(string(s), path); {
		case errors.Is(err, fs.ErrNotExist): // another slot has removed it meanwhile
			return nil
		case err != nil || info == nil:
			return err
		case strings.HasPrefix(filepath.ToSlash(rel), prefix):
			all = append(all, storage.Object{Key: filepath.ToSlash(rel), Size: info.Size()})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b storage.Object) int { return strings.Compare(a.Key, b.Key) })
	return all, err
}

func (s looseStore) Delete(_ context.Context, key string) error {
	if err := os.Remove(s.path(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// peakRSS is the most memory that the process ever had, in bytes.
func peakRSS(t *testing.T) int64 {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatal("the kernel does not tell the peak")
	return 0
}
