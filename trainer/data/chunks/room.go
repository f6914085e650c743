package chunks

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	lookAgain  = 5 * time.Second // after which a full cache is looked at again
	raiseAgain = 5 * time.Minute // after which more of a full disk is tried to be had
	shares     = 32              // of the limit: the folder is looked at again when one is written or on its way
	freed      = 16              // of the limit: so much is removed at once

	unread  = shares / 8 // rounds after which a chunk that is not read makes room: a run reads few rows of some chunks
	awaited = shares / 2 // rounds from now in which a chunk that is fetched ahead is to be read
)

// room makes room for so many bytes that are about to be written, and reports whether there is. After it did, wrote
// must be called.
func (c *Cache) room(size int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if since := now.Sub(c.full); !c.full.IsZero() && since >= 0 && since < lookAgain {
		return false
	}
	if since := now.Sub(c.lowered); since < 0 || since > raiseAgain {
		c.most = c.limit
	}
	c.full = time.Time{}
	if c.looked && c.written+c.coming < c.limit/shares && c.used+c.coming+size <= c.most ||
		size <= c.most && c.makeRoom(c.coming+size) {
		c.coming += size
		return true
	}
	c.full = now
	return false
}

// wrote says that what room was made for is written, or that it is not.
func (c *Cache) wrote(size int64, written bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.coming -= size; written {
		c.used += size
		c.written += size
	}
}

// noRoom notes that a chunk could not be written. Where the disk is full, the cache takes no more of it for a while
// than it has now: then chunks that nobody uses make room.
func (c *Cache) noRoom(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full = c.clock()
	c.looked = false
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		c.look()
		c.most, c.lowered = min(c.most, c.used), c.full
	}
	return errNoRoom
}

// A stored is the file of a chunk, or of one that is being written.
type stored struct {
	name string
	size int64
	at   time.Time
}

// makeRoom looks at the folder, and removes chunks that nobody uses if it must, those that were longest not used first.
func (c *Cache) makeRoom(size int64) bool {
	all := c.look()
	c.looked, c.written = true, 0
	round := c.rounds.Add(1)
	if c.used+size <= c.most {
		return true
	}
	c.release(round - unread)
	slices.SortFunc(all, func(a, b stored) int { return a.at.Compare(b.at) })
	for _, s := range all {
		if c.used+size <= c.most-c.most/freed {
			break
		}
		if removeUnused(s.name) {
			c.used -= s.size
			os.Remove(filepath.Dir(s.name)) // if it is empty now
		}
	}
	return c.used+size <= c.most
}

// look lists the files of the folder, and counts their bytes.
func (c *Cache) look() (all []stored) {
	c.used = 0
	filepath.WalkDir(c.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // what cannot be seen does not count
		}
		if info, err := d.Info(); err == nil {
			c.used += info.Size()
			all = append(all, stored{name, info.Size(), info.ModTime()})
		}
		return nil
	})
	return all
}

// Stored returns the bytes of the chunks in a folder.
func Stored(dir string) int64 {
	c := &Cache{dir: dir}
	c.look()
	return c.used
}

// release unmaps chunks that were last read before a round: those of streams, and those of objects of which nothing was
// read since. Any row of another object may be needed next.
func (c *Cache) release(before int64) {
	for o := range c.objects {
		if !o.stream && o.lastUsed() >= before {
			continue
		}
		for i := range o.chunks {
			k := &o.chunks[i]
			if k.used.Load() >= before || !k.mu.TryLock() { // who holds it is about to read from it
				continue
			}
			k.unmap(c)
			k.mu.Unlock()
		}
	}
}

// lastUsed returns the round in which the object was last read.
func (o *Object) lastUsed() (round int64) {
	for i := range o.chunks {
		round = max(round, o.chunks[i].used.Load())
	}
	return round
}

// unmapOne unmaps any chunk that is not being read, so that another one can be mapped. Its file stays.
func (c *Cache) unmapOne() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for o := range c.objects { // in a random order
		from := rand.IntN(len(o.chunks))
		for i := range o.chunks {
			k := &o.chunks[(from+i)%len(o.chunks)]
			if !k.mu.TryLock() {
				continue
			}
			mapped := k.file != nil
			k.unmap(c)
			k.mu.Unlock()
			if mapped {
				return true
			}
		}
	}
	return false
}

// removeUnused removes the file of a chunk unless a process uses it, or writes it.
func removeUnused(name string) bool {
	f, err := os.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if !tryLock(f) || !same(f, name) {
		return false
	}
	return os.Remove(name) == nil
}

// touch notes that a chunk is used: those that were longest not are removed first.
func touch(f *os.File) {
	now := time.Now()
	os.Chtimes(f.Name(), now, now)
}
