package data

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// watched is a set of four shards of 50 rows of 4 numbers, whose files are an hour old.
type watched struct {
	t   *testing.T
	dir string
	set *Set
}

func watchFiles(t *testing.T) watched {
	w := watched{t: t, dir: t.TempDir()}
	for i := range 4 {
		w.write(i, numbered(50*i, 50, 4))
		w.age(i, time.Hour)
	}
	w.set = open(t, trainer.DataSpec{Source: w.dir}, Options{Workers: 2})
	return w
}

func (w watched) name(i int) string { return filepath.Join(w.dir, fmt.Sprintf("s%d.safetensors", i)) }

// write rewrites a shard in place.
func (w watched) write(i int, x []float32) {
	w.t.Helper()
	write(w.t, w.dir, fmt.Sprintf("s%d.safetensors", i), tensorFile(w.t, 4, x))
}

// age sets the modification time back, and waits until that shows in the change time: its
// clock is coarse.
func (w watched) age(i int, by time.Duration) {
	w.t.Helper()
	before := w.stamp(i)
	at := time.Unix(1700000000, 0).Add(-by)
	for now := before; now == before; now = w.stamp(i) {
		if err := os.Chtimes(w.name(i), at, at); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w watched) stamp(i int) stamp {
	w.t.Helper()
	info, err := os.Stat(w.name(i))
	if err != nil {
		w.t.Fatal(err)
	}
	return stampOf(info)
}

func (w watched) verify(since int64) error { return w.set.Verify(w.t.Context(), since) }

// wantChanged checks that Verify says that shards changed, now and later.
func (w watched) wantChanged(names ...string) {
	w.t.Helper()
	for range 2 {
		err := w.verify(w.set.Generation())
		if !errors.Is(err, ErrChanged) || !errors.Is(err, ErrBad) || errors.Is(err, ErrTouched) {
			w.t.Fatalf("changed rows: %v", err)
		}
		for i := range 4 {
			want := strings.Contains(strings.Join(names, " "), fmt.Sprint(i))
			if want != strings.Contains(err.Error(), w.name(i)) {
				w.t.Errorf("shards %v changed: %v", names, err)
			}
		}
	}
}

// wantTouched checks that Verify says that files were written to, to those who read
// before it found out, and to no others.
func (w watched) wantTouched() {
	w.t.Helper()
	since := w.set.Generation()
	for range 2 {
		if err := w.verify(since); !errors.Is(err, ErrTouched) || errors.Is(err, ErrBad) {
			w.t.Fatalf("touched files: %v", err)
		}
	}
	if w.set.Generation() == since {
		w.t.Error("the generation is the same")
	}
	if err := w.verify(w.set.Generation()); err != nil {
		w.t.Errorf("the next generation: %v", err)
	}
}

func TestVerifyUnchanged(t *testing.T) {
	w := watchFiles(t)
	for range 3 {
		if err := w.verify(0); err != nil || w.set.Generation() != 0 {
			t.Fatalf("nothing was written: %v", err)
		}
	}
	if n := w.set.watch.hashes.Load(); n != 0 {
		t.Errorf("hashed %d times without need", n)
	}
}

// Rows that are rewritten in place are found, also if the file's time is set back.
func TestVerifyRewritten(t *testing.T) {
	w := watchFiles(t)
	w.write(2, numbered(7, 50, 4))
	w.wantChanged("2")
	w.write(2, numbered(100, 50, 4)) // that comes too late
	w.wantChanged("2")

	w = watchFiles(t)
	w.write(1, numbered(7, 50, 4))
	w.age(1, time.Hour)
	if st := w.stamp(1); st.CTime == 0 {
		t.Skip("this system has no change time")
	}
	w.wantChanged("1")
}

// Other rows that were put back: what was read meanwhile is in doubt.
func TestVerifyPutBack(t *testing.T) {
	w := watchFiles(t)
	w.write(2, numbered(7, 50, 4))
	w.write(2, numbered(100, 50, 4))
	w.wantTouched()
	w.age(0, time.Minute)
	w.wantTouched()
	w.write(3, numbered(0, 50, 4))
	w.wantChanged("3")
}

func TestVerifyReplaced(t *testing.T) {
	w := watchFiles(t)
	replace := func(i int, b []byte) {
		t.Helper()
		if err := os.Rename(write(t, w.dir, "new", b), w.name(i)); err != nil {
			t.Fatal(err)
		}
	}
	replace(1, tensorFile(t, 4, numbered(50, 50, 4)))
	w.wantTouched()
	// Equal rows under another header, which is longer.
	long := tensorFileOf(t, tensors(50, 4, "F32", strings.Repeat("x", 99)), numbered(0, 50, 4))
	replace(0, long)
	w.age(0, time.Hour)
	w.wantTouched()
	w.age(2, time.Minute) // hashes all, with what replaced the others
	w.wantTouched()
	x := make([]float32, 200*4)
	if err := readRows(w.set, 0, x); err != nil || fmt.Sprint(x) != fmt.Sprint(numbered(0, 200, 4)) {
		t.Errorf("the rows that were opened are not read any more: %v", err)
	}
	replace(3, tensorFile(t, 4, numbered(0, 50, 4)))
	w.wantChanged("3")
}

// A copy of the rows, such as on a GPU, may be of rows that were other ones for a while. It
// has another name than the rows that are read after Verify found out, and than those of a
// set that is opened anew once they are put back.
func TestIdentityOfRowsPutBack(t *testing.T) {
	w := watchFiles(t)
	before := w.set.Identity()
	if err := w.verify(0); err != nil || w.set.Identity() != before {
		t.Fatalf("nothing was written: %v, identity %s, was %s", err, w.set.Identity(), before)
	}
	w.write(2, numbered(7, 50, 4))
	w.write(2, numbered(100, 50, 4))
	w.wantTouched()
	touched := w.set.Identity()
	w.write(2, numbered(7, 50, 4))
	w.wantChanged("2")
	w.write(2, numbered(100, 50, 4))
	again := open(t, trainer.DataSpec{Source: w.dir}, Options{})
	if again.Info().Fingerprint != w.set.Info().Fingerprint {
		t.Fatal("the rows are not put back")
	}
	if touched == before || again.Identity() == before || again.Identity() == touched {
		t.Errorf("equal identities: %s, %s, %s", before, touched, again.Identity())
	}
}

// A shard with other rows, of another shape, cut short, or with its rows moved in the file
// is another; errors do not end the process.
func TestVerifyOtherShape(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":      {},
		"no shard":   []byte("hello"),
		"fewer rows": tensorFile(t, 4, numbered(100, 49, 4)),
		"more rows":  tensorFile(t, 4, numbered(100, 51, 4)),
		"narrow":     tensorFile(t, 2, numbered(100, 100, 2)),
		"f16":        tensorFileOf(t, tensors(50, 8, "F16", "x"), numbered(100, 50, 4)),
		"moved":      tensorFileOf(t, tensors(50, 4, "F32", strings.Repeat("x", 99)), numbered(100, 50, 4)),
		"appended":   append(tensorFile(t, 4, numbered(100, 50, 4)), 0),
		"cut short":  tensorFile(t, 4, numbered(100, 50, 4))[:500],
	} {
		t.Run(name, func(t *testing.T) {
			w := watchFiles(t)
			write(t, w.dir, "s2.safetensors", b)
			w.wantChanged("2")
		})
	}
}

// A file that is not there is the error of a failed read, until it is there again.
func TestVerifyMissing(t *testing.T) {
	w := watchFiles(t)
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(w.name(3), away); err != nil {
		t.Fatal(err)
	}
	err := w.verify(0)
	if !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrBad) || !errors.As(err, new(*ReadError)) ||
		!strings.Contains(err.Error(), w.name(3)) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.Rename(away, w.name(3)); err != nil {
		t.Fatal(err)
	}
	if err := w.verify(0); err != nil && !errors.Is(err, ErrTouched) { // a rename may set the change time
		t.Errorf("it is back: %v", err)
	}
}

// A write that shows in no time is found while the last hash is close to the file's time.
func TestVerifyRacy(t *testing.T) {
	w := watched{t: t, dir: t.TempDir()}
	now := time.Unix(1700000000, 0)
	files := &fakeTimes{memory: memory{}, at: map[string]int64{}}
	for i := range 3 {
		files.memory[fmt.Sprintf("s%d.safetensors", i)] = tensorFile(t, 4, numbered(50*i, 50, 4))
		files.at[fmt.Sprintf("s%d.safetensors", i)] = now.Add(-time.Duration(i) * racyTime).UnixNano()
	}
	w.set = openWith(t, files, trainer.DataSpec{Source: "memory"}, Options{clock: func() time.Time { return now }})
	hashes := func() int64 { return w.set.watch.hashes.Load() }
	if err := w.verify(0); err != nil || hashes() != 1 || w.set.Generation() != 0 {
		t.Fatalf("new files: %v, %d hashes", err, hashes())
	}
	now = now.Add(racyTime - 1)
	if err := w.verify(0); err != nil || hashes() != 2 {
		t.Fatalf("the last hash was close to the file's time: %v, %d hashes", err, hashes())
	}
	// A hash answers for all who asked before it began.
	for _, tt := range []struct{ before, hashes int64 }{{2, 3}, {2, 3}, {0, 3}, {3, 4}} {
		now = now.Add(-1)
		if err := w.set.watch.look(t.Context(), 0, tt.before); err != nil || hashes() != tt.hashes {
			t.Fatalf("asked after %d hashes: %v, %d hashes, want %d", tt.before, err, hashes(), tt.hashes)
		}
	}
	b := files.memory["s0.safetensors"]
	b[len(b)-1] ^= 1
	err := w.verify(0)
	if !errors.Is(err, ErrChanged) || hashes() != 5 || !strings.Contains(err.Error(), "s0.safetensors") {
		t.Errorf("changed without a sign: %v, %d hashes", err, hashes())
	}

	b[len(b)-1] ^= 1
	now = now.Add(racyTime)
	w.set = openWith(t, files, trainer.DataSpec{Source: "memory"}, Options{clock: func() time.Time { return now }})
	b[len(b)-1] ^= 1
	if err := w.verify(0); err != nil || hashes() != 0 {
		t.Errorf("files that were old when they were hashed are trusted: %v, %d hashes", err, hashes())
	}
}

// fakeTimes is memory whose files have modification times.
type fakeTimes struct {
	memory
	at map[string]int64
}

type timedFile struct {
	memoryFile
	at int64
}

func (f timedFile) stamp() stamp { return stamp{Size: f.Size(), MTime: f.at} }

func (f *fakeTimes) Open(ctx context.Context, name string) (shardFile, error) {
	file, err := f.memory.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return timedFile{file.(memoryFile), f.at[name]}, nil
}

// Many goroutines look at once, while others read and one writes the files anew.
func TestVerifyAtOnce(t *testing.T) {
	w := watchFiles(t)
	w.age(1, time.Minute)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			x := make([]float32, 40)
			for range 5 {
				since := w.set.Generation()
				if err := w.set.Batch(1, 0, x); err != nil {
					t.Error(err)
				}
				if err := w.verify(since); err != nil && !errors.Is(err, ErrTouched) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n, g := w.set.watch.hashes.Load(), w.set.Generation(); n != 1 || g != 1 {
		t.Errorf("hashed %d times, generation %d, after one touch", n, g)
	}
	w.write(2, numbered(0, 50, 4))
	for range 16 {
		wg.Go(func() {
			if err := w.verify(1); !errors.Is(err, ErrChanged) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.set.watch.hashes.Load(); n != 2 {
		t.Errorf("hashed %d times after two writes", n)
	}
}

// Errors of reading are returned and not kept; a context that ends is one.
func TestVerifyErrors(t *testing.T) {
	left := 1 << 30
	now := time.Unix(1700000000, 0)
	files := &fakeTimes{memory: memory{"a.safetensors": tensorFile(t, 4, numbered(0, 50, 4))},
		at: map[string]int64{"a.safetensors": now.UnixNano()}}
	s := openWith(t, failingOpener{files, &left}, trainer.DataSpec{Source: "memory"},
		Options{clock: func() time.Time { return now }})
	for n := 0; ; n++ {
		if left = n; s.Verify(t.Context(), 0) == nil {
			break
		}
		left = n
		if err := s.Verify(t.Context(), 0); !errors.Is(err, errDisk) || errors.Is(err, ErrBad) {
			t.Fatalf("read %d: %v", n, err)
		}
	}
	left = 1 << 30
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Verify(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := s.Verify(t.Context(), 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestVerifySynthetic(t *testing.T) {
	s := open(t, trainer.DataSpec{Synthetic: &trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2}},
		Options{})
	if err := s.Verify(t.Context(), s.Generation()); err != nil || s.Generation() != 0 {
		t.Error(err)
	}
}
