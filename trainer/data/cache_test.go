package data

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// cached is a data set of two shards, whose files are an hour old, and a cache.
type cached struct {
	watched
	cache string
	scans int // of all bytes, by the last open
}

func newCached(t *testing.T) *cached {
	c := &cached{watched: watched{t: t, dir: t.TempDir()}, cache: filepath.Join(t.TempDir(), "a", "b")}
	for i := range 2 {
		c.write(i, gaussian(1000, 4, sinks)[2000*i:2000*(i+1)])
		c.age(i, time.Hour)
	}
	return c
}

func (c *cached) open(spec trainer.DataSpec) *Set {
	c.t.Helper()
	c.scans = 0
	spec.Source = c.dir
	return open(c.t, spec, Options{Cache: c.cache, Progress: func(done, total int64) {
		if done == total {
			c.scans++
		}
	}})
}

// file returns the path of the only entry.
func (c *cached) file() string {
	c.t.Helper()
	names, err := filepath.Glob(filepath.Join(c.cache, "*"))
	if err != nil || len(names) != 1 {
		c.t.Fatalf("the cache holds %v, %v", names, err)
	}
	return names[0]
}

func TestCache(t *testing.T) {
	c := newCached(t)
	for _, tt := range []struct {
		spec         trainer.DataSpec
		first, again int // scans
	}{
		{trainer.DataSpec{}, 1, 0},
		{trainer.DataSpec{Normalize: "mean_square"}, 0, 0},
		{trainer.DataSpec{EvalTokens: 7}, 1, 0}, // other rows are held out
		{trainer.DataSpec{MaxNorm: "10x_median"}, 2, 0},
		{trainer.DataSpec{MaxNorm: "10x_median", Normalize: "mean_square"}, 0, 0},
		{trainer.DataSpec{MaxNorm: "25"}, 2, 0},
	} {
		s := c.open(tt.spec)
		if c.scans != tt.first {
			t.Errorf("%+v: %d scans, want %d", tt.spec, c.scans, tt.first)
		}
		s2 := c.open(tt.spec)
		if c.scans != tt.again || !reflect.DeepEqual(s.Info(), s2.Info()) {
			t.Errorf("%+v again: %d scans, want %d; %+v, %+v", tt.spec, c.scans, tt.again, s.Info(), s2.Info())
		}
		if err := s2.Verify(t.Context(), 0); err != nil || s2.watch.hashes.Load() != 0 {
			t.Errorf("%+v: %v", tt.spec, err)
		}
	}
	c.file()
	whole := c.open(trainer.DataSpec{})
	sampled := c.open(trainer.DataSpec{Verify: "sample"})
	if c.scans != 1 || sampled.Info().Fingerprint == whole.Info().Fingerprint {
		t.Errorf("the digest of all bytes is taken for that of a sample: %d scans", c.scans)
	}
	c.open(trainer.DataSpec{Verify: "sample"})
	if c.scans != 0 {
		t.Errorf("the digest of a sample is not kept")
	}
}

// Whatever is done to a file, the cache is not believed.
func TestCacheOfChangedFiles(t *testing.T) {
	for name, change := range map[string]func(c *cached){
		"rewritten": func(c *cached) { c.write(1, gaussian(500, 4, ones)); c.age(1, time.Minute) },
		"rewritten, time set back": func(c *cached) {
			c.write(1, gaussian(500, 4, ones))
			c.age(1, time.Hour)
			if c.stamp(1).CTime == 0 {
				c.t.Skip("this system has no change time")
			}
		},
		"replaced": func(c *cached) {
			write(t, c.dir, "new", tensorFile(t, 4, gaussian(500, 4, ones)))
			if err := os.Rename(filepath.Join(c.dir, "new"), c.name(1)); err != nil {
				t.Fatal(err)
			}
			c.age(1, time.Hour)
		},
		"swapped": func(c *cached) {
			c.write(1, gaussian(400, 4, ones)) // so that they differ
			c.age(1, time.Hour)
			c.open(trainer.DataSpec{})
			other := filepath.Join(c.dir, "x")
			for _, names := range [][2]string{{c.name(0), other}, {c.name(1), c.name(0)}, {other, c.name(1)}} {
				if err := os.Rename(names[0], names[1]); err != nil {
					t.Fatal(err)
				}
			}
		},
		"one more": func(c *cached) { c.write(2, gaussian(5, 4, ones)); c.age(2, time.Hour) },
		"one less": func(c *cached) { os.Remove(c.name(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCached(t)
			c.t = t
			before := c.open(trainer.DataSpec{}).Info().Fingerprint
			change(c)
			if got := c.open(trainer.DataSpec{}).Info().Fingerprint; got == before || c.scans != 1 {
				t.Errorf("the same fingerprint, %d scans", c.scans)
			}
			c.open(trainer.DataSpec{})
			if c.scans != 0 {
				t.Errorf("the new entry is not used")
			}
		})
	}
}

// A file that was written to less than a minute before it was hashed may have been written
// to since.
func TestCacheOfNewFiles(t *testing.T) {
	c := newCached(t)
	c.write(1, gaussian(500, 4, ones))
	for range 2 {
		c.open(trainer.DataSpec{})
		if c.scans != 1 {
			t.Fatalf("%d scans", c.scans)
		}
	}
	// Nor is an entry believed that somebody has written so.
	c.age(1, time.Hour)
	c.open(trainer.DataSpec{})
	e, ok := readEntry(c.file())
	if !ok {
		t.Fatal("no entry")
	}
	e.Shards[1].MTime = c.stamp(1).MTime
	e.Content = strings.Repeat("0", 64)
	e.Began = max(e.Shards[0].MTime, e.Shards[1].MTime) + int64(racyTime) - 1
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.cache, filepath.Base(c.file()), []byte(cacheHeader+checksum(body)+"\n"+string(body)))
	if c.open(trainer.DataSpec{}); c.scans != 1 {
		t.Errorf("%d scans", c.scans)
	}
	e.Began = e.Shards[1].MTime + int64(racyTime) - 1
	if !e.racy() {
		t.Error("not racy")
	}
	if e.Began++; e.racy() {
		t.Error("racy for more than a minute")
	}
}

// Damaged and foreign entries are written anew; what cannot be written is no error.
func TestDamagedCache(t *testing.T) {
	c := newCached(t)
	want := c.open(trainer.DataSpec{MaxNorm: "25"}).Info()
	good, err := os.ReadFile(c.file())
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, []byte("x"), good[:len(good)/2], []byte(cacheHeader), append(good[:len(good):len(good)], ' '),
		bytes.Replace(good, []byte("cache 1"), []byte("cache 2"), 1)}
	for i := range 40 {
		b := bytes.Clone(good)
		b[i*len(b)/40] ^= 4
		damaged = append(damaged, b)
	}
	// A whole entry of nonsense.
	for _, body := range []string{
		"{}", `[]`, `{"content":"zz"}`, `{"shards":[],"left_out":{"4039000000000000":"/////w=="}}`,
	} {
		damaged = append(damaged, []byte(cacheHeader+checksum([]byte(body))+"\n"+body))
	}
	for i, b := range damaged {
		if err := os.WriteFile(c.file(), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := c.open(trainer.DataSpec{MaxNorm: "25"}).Info(); !reflect.DeepEqual(got, want) || c.scans != 2 {
			t.Errorf("damage %d: %d scans, %+v", i, c.scans, got)
		}
		if c.open(trainer.DataSpec{MaxNorm: "25"}); c.scans != 0 {
			t.Errorf("damage %d is not mended", i)
		}
	}
	// A folder that cannot be: its parent is a file.
	c.cache = filepath.Join(c.name(0), "cache")
	if got := c.open(trainer.DataSpec{MaxNorm: "25"}).Info(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	// Lists of rows that make no sense.
	c = newCached(t)
	c.open(trainer.DataSpec{MaxNorm: "25"})
	e, _ := readEntry(c.file())
	for key := range e.LeftOut {
		e.LeftOut[key] = []byte{0xff}
	}
	k := &cache{file: c.file(), entry: e, clock: time.Now}
	k.put(func(*cacheEntry) {})
	if got := c.open(trainer.DataSpec{MaxNorm: "25"}).Info(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func FuzzReadEntry(f *testing.F) {
	f.Add([]byte(`{"shards":[{"size":3,"mtime":4}],"began":5,"content":"00","left_out":{"1":"AQ=="}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		file := write(t, t.TempDir(), "e", []byte(cacheHeader+checksum(body)+"\n"+string(body)))
		if e, ok := readEntry(file); ok {
			c := &cache{entry: e, clock: time.Now}
			c.content()
			e.racy()
		}
	})
}
