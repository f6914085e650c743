package chunks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const small = 1000 // bytes of a chunk

// A remote is an object elsewhere, whose reads are counted.
type remote struct {
	data  []byte
	reads atomic.Int64
	bytes atomic.Int64
	err   atomic.Pointer[error]
}

func newRemote(size int) *remote {
	r := &remote{data: make([]byte, size)}
	random := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range r.data {
		r.data[i] = byte(random.Uint32())
	}
	return r
}

func (r *remote) fetch(p []byte, off int64) error {
	r.reads.Add(1)
	r.bytes.Add(int64(len(p)))
	if err := r.err.Load(); err != nil {
		return *err
	}
	copy(p, r.data[off:])
	return nil
}

func newCache(dir string, limit int64) *Cache {
	c := New(dir, limit)
	c.chunk = small
	return c
}

// want fails unless some parts of an object are those of its source.
func want(t *testing.T, what string, o *Object, r *remote, reads int) {
	t.Helper()
	random := rand.New(rand.NewPCG(2, uint64(reads)))
	for range reads {
		off := random.IntN(len(r.data))
		p := make([]byte, min(len(r.data)-off, 1+random.IntN(3*small)))
		if n, err := o.ReadAt(p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, r.data[off:][:len(p)]) {
			t.Fatalf("%s: %d bytes from %d on: read %d, %v", what, len(p), off, n, err)
		}
	}
}

// stored returns the bytes of the files in a folder.
func storedIn(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return n
}

func TestReads(t *testing.T) {
	for _, size := range []int{1, 5000, headSize, headSize + 1, headSize + small, headSize + 12*small + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir, r := t.TempDir(), newRemote(size)
			o := newCache(dir, 1<<20).Object("a", int64(size), false, r.fetch)
			if err := o.Have(0, int64(size)); err != nil {
				t.Fatal(err)
			}
			if n := r.bytes.Load(); n != int64(size) {
				t.Errorf("%d bytes of %d are fetched", n, size)
			}
			before := r.reads.Load()
			want(t, "warm", o, r, 200)
			other := newCache(dir, 1<<20).Object("a", int64(size), false, r.fetch)
			want(t, "another process", other, r, 200)
			if n := r.reads.Load(); n != before {
				t.Errorf("%d more reads of what is there", n-before)
			}
			if err := errors.Join(o.Close(), other.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever happens to the files, what is read is right.
func TestDamage(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+8*small)
	fill := func() {
		o := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, r.fetch)
		want(t, "filled", o, r, 100)
		o.Close()
	}
	for name, damage := range map[string]func(file string) error{
		"cut":     func(file string) error { return os.Truncate(file, 17) },
		"empty":   func(file string) error { return os.Truncate(file, 0) },
		"longer":  func(file string) error { return os.Truncate(file, 1<<20) },
		"removed": os.Remove,
		"a folder": func(file string) error {
			return errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o755))
		},
		"a byte": func(file string) error {
			b, err := os.ReadFile(file)
			if err == nil {
				b[len(b)/2] ^= 1
				err = os.WriteFile(file, b, 0o644)
			}
			return err
		},
		"half written": func(file string) error { return os.WriteFile(file+".part", []byte("abc"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			fill()
			open := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, r.fetch)
			want(t, "before", open, r, 30)
			files, err := filepath.Glob(filepath.Join(dir, "*", "*", "[0-9]*"))
			if err != nil || len(files) < 8 {
				t.Fatal(files, err)
			}
			for _, file := range files {
				if err := damage(file); err != nil {
					t.Fatal(err)
				}
			}
			o := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, r.fetch)
			want(t, "after", o, r, 100)
			o.Close()
			if name != "a byte" && name != "cut" { // a mapping shows what others write to its file
				want(t, "open meanwhile", open, r, 100)
			}
			open.Close()
			os.RemoveAll(dir)
		})
	}
}

// The error of a read is told, and leaves nothing.
func TestFetchFails(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+8*small)
	o := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, r.fetch)
	broken := errors.New("broken")
	r.err.Store(&broken)
	if _, err := o.ReadAt(make([]byte, 10), 0); !errors.Is(err, broken) {
		t.Errorf("read: %v", err)
	}
	if n := storedIn(t, dir); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
	r.err.Store(nil)
	want(t, "after it", o, r, 50)
}

// A stream goes through a cache that is smaller than it, and never fills it over its limit by more than a chunk.
func TestStream(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+400*small)
	const limit = headSize + 40*small
	c := newCache(dir, limit)
	o := c.Object("a", int64(len(r.data)), true, r.fetch)
	p := make([]byte, small)
	for off := int64(headSize); off < int64(len(r.data)); off += small {
		for range 3 {
			if _, err := o.ReadAt(p, off); err != nil || !bytes.Equal(p, r.data[off:][:small]) {
				t.Fatal(off, err)
			}
		}
		if n := storedIn(t, dir); n > limit+small+trailer {
			t.Fatalf("%d bytes are stored, of at most %d", n, limit)
		}
	}
	if n := r.reads.Load(); n != 400 {
		t.Errorf("%d reads of 400 chunks", n)
	}
}

// What a process has in use stays, and what does not fit is read from the object.
func TestInUse(t *testing.T) {
	dir, a, b := t.TempDir(), newRemote(headSize+30*small), newRemote(headSize+31*small)
	const limit = headSize + 32*small
	first := newCache(dir, limit).Object("a", int64(len(a.data)), false, a.fetch)
	if err := first.Have(0, int64(len(a.data))); err != nil {
		t.Fatal(err)
	}
	before := a.reads.Load()
	second := newCache(dir, limit).Object("b", int64(len(b.data)), false, b.fetch)
	want(t, "beside it", second, b, 100)
	want(t, "in use", first, a, 100)
	if n := a.reads.Load(); n != before {
		t.Errorf("%d more reads of what is in use", n-before)
	}
	if n := storedIn(t, dir); n > limit+small+trailer {
		t.Errorf("%d bytes are stored, of at most %d", n, limit)
	}
	first.Close()
	third := newCache(dir, limit).Object("b", int64(len(b.data)), false, b.fetch)
	if err := third.Have(headSize, 20*small); err != nil {
		t.Fatal(err)
	}
	before = b.reads.Load()
	p := make([]byte, 20*small)
	if _, err := third.ReadAt(p, headSize); err != nil || b.reads.Load() != before {
		t.Errorf("what nobody uses any more made no room: %v, %d reads", err, b.reads.Load()-before)
	}
}

// A process that may map few chunks reads all from the folder.
func TestFewMappings(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+30*small)
	c := newCache(dir, 1<<20)
	c.mostly = 4
	o := c.Object("a", int64(len(r.data)), false, r.fetch)
	other := c.Object("b", 100, false, r.fetch)
	want(t, "cold", o, r, 200)
	if _, err := other.ReadAt(make([]byte, 10), 0); err != nil {
		t.Fatal(err)
	}
	before := r.reads.Load()
	want(t, "warm", o, r, 200)
	if n := r.reads.Load() - before; n > 0 || c.maps.Load() > 4 {
		t.Errorf("%d reads of what is there; %d chunks are mapped", n, c.maps.Load())
	}
}

// Without a folder that can be written to, everything is read from the object.
func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Cache{newCache(file, 1<<20), newCache(t.TempDir(), 0), newCache(t.TempDir(), 10)} {
		r := newRemote(headSize + 5*small)
		want(t, "no folder", c.Object("a", int64(len(r.data)), false, r.fetch), r, 50)
	}
}

// Several processes with several goroutines use one folder that is too small for what they read.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	const limit = 2*headSize + 40*small
	var all sync.WaitGroup
	for i := range 3 {
		c := newCache(dir, limit)
		for k := range 2 {
			r := newRemote(headSize + (30+k)*small)
			o := c.Object(fmt.Sprint(k), int64(len(r.data)), i < 2, r.fetch)
			for n := range 3 {
				all.Go(func() {
					random := rand.New(rand.NewPCG(uint64(i), uint64(n)))
					for range 300 {
						off := random.IntN(len(r.data))
						p := make([]byte, min(len(r.data)-off, 1+random.IntN(2*small)))
						if _, err := o.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, r.data[off:][:len(p)]) {
							t.Errorf("process %d, object %d: %d bytes from %d on: %v", i, k, len(p), off, err)
							return
						}
					}
				})
			}
		}
	}
	all.Wait()
	if n := storedIn(t, dir); n > limit+3*(limit/shares+small) {
		t.Errorf("%d bytes are stored, of %d", n, limit)
	}
}

// Several processes that need a chunk fetch it once.
func TestFetchedOnce(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+20*small)
	var all sync.WaitGroup
	for range 4 {
		o := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, r.fetch)
		for range 2 {
			all.Go(func() { o.Have(0, int64(len(r.data))) })
		}
	}
	all.Wait()
	if n := r.reads.Load(); n != 21 {
		t.Errorf("%d reads of 21 chunks", n)
	}
}

// An object that is open and that nobody reads any more makes room for another one.
func TestIdle(t *testing.T) {
	dir, a, b := t.TempDir(), newRemote(headSize+60*small), newRemote(headSize+60*small)
	c := newCache(dir, 2*headSize+64*small)
	idle := c.Object("a", int64(len(a.data)), false, a.fetch)
	want(t, "before", idle, a, 300)
	now := time.Now()
	c.clock = func() time.Time { now = now.Add(lookAgain); return now }
	busy := c.Object("b", int64(len(b.data)), false, b.fetch)
	want(t, "with an idle object", busy, b, 300)
	before := b.reads.Load()
	want(t, "warm", busy, b, 100)
	if n := b.reads.Load() - before; n > 0 {
		t.Errorf("%d reads of an object that the cache has room for", n)
	}
	want(t, "read again", idle, a, 100)
	if n := storedIn(t, dir); n > c.limit+c.limit/shares+small {
		t.Errorf("%d bytes are stored, of %d", n, c.limit)
	}
}

// A process that hangs while it fetches a chunk keeps nobody from reading.
func TestHangingProcess(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+5*small)
	release, hangs := make(chan struct{}), make(chan struct{})
	first := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, func(p []byte, off int64) error {
		close(hangs)
		<-release
		return r.fetch(p, off)
	})
	var all sync.WaitGroup
	all.Go(func() { first.Have(headSize, 1) })
	<-hangs
	c := newCache(dir, 1<<20)
	c.patience = -1
	second := c.Object("a", int64(len(r.data)), false, r.fetch)
	p := make([]byte, 10)
	if _, err := second.ReadAt(p, headSize); err != nil || !bytes.Equal(p, r.data[headSize:][:10]) {
		t.Errorf("%q, %v", p, err)
	}
	if n := r.bytes.Load(); n != 10 {
		t.Errorf("%d bytes are read, and not what is asked for", n)
	}
	close(release)
	all.Wait()
	c.clock = func() time.Time { return time.Now().Add(lookAgain) }
	want(t, "after it", second, r, 50)
}

// A folder that another process removes, since it is empty, is made again.
func TestFolderIsRemoved(t *testing.T) {
	dir, r := t.TempDir(), newRemote(headSize+20*small)
	o := newCache(dir, 1<<20).Object("a", int64(len(r.data)), false, r.fetch)
	ended := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					os.Remove(o.folder)
				}
			}
		})
	}
	for range 500 {
		lock, err := o.turn(o.name(1))
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(lock.Name())
		lock.Close()
	}
	close(ended)
	all.Wait()
}
