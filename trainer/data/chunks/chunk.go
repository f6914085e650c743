package chunks

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topksweep/sweep/trainer/data/mapping"
)

// errNoRoom says that a chunk cannot be kept: it is read from the object.
var errNoRoom = errors.New("no room in the cache")

const trailer = 4 // bytes of the CRC32C behind a chunk

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A chunk is a part of an object. Readers hold mu for reading.
type chunk struct {
	mu   sync.RWMutex
	m    *mapping.Mapping // nil: not mapped
	file *os.File         // holds the lock of a mapped chunk, and is what is read where there are no mappings
	used atomic.Int64     // the round in which it was last read, or is to be read
	good bool             // its checksum was compared
}

// name returns the file of a chunk.
func (o *Object) name(i int) string { return filepath.Join(o.folder, strconv.Itoa(i)) }

// read fills p from byte off of chunk i on, which begins at byte from of the object and has size bytes.
func (o *Object) read(i int, p []byte, off, from, size int64) error {
	c := &o.chunks[i]
	for range 2 {
		c.mu.RLock()
		done := c.copy(p, off)
		c.mu.RUnlock()
		if done {
			if round := o.cache.rounds.Load(); c.used.Load() != round {
				c.used.Store(round)
			}
			return nil
		}
		switch err := o.need(i, from, size, 0); {
		case err == errNoRoom:
			return o.fetch(p, from+off)
		case err != nil:
			return err
		}
	}
	// Its file was there, and could not be read twice. Or others take what has come, all the time.
	return o.fetch(p, from+off)
}

// copy fills p from byte off on. It reports false if the chunk is not there.
func (c *chunk) copy(p []byte, off int64) bool {
	switch {
	case c.m != nil:
		_, ok := c.m.Copy(p, off)
		return ok
	case c.file != nil:
		_, err := c.file.ReadAt(p, off)
		return err == nil
	}
	return false
}

// need makes a chunk be there. Of several goroutines that need it, one fetches it. It counts as read in so many rounds.
func (o *Object) need(i int, from, size, rounds int64) error {
	c := &o.chunks[i]
	c.mu.RLock()
	there := c.file != nil && (c.m == nil || readable(c.m))
	c.mu.RUnlock()
	if there {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil && (c.m == nil || readable(c.m)) {
		return nil
	}
	if c.file != nil { // its pages are lost: the file was cut short, or its disk fails
		os.Remove(o.name(i))
		c.unmap(o.cache)
	}
	if o.cache.maps.Load() >= o.cache.mostly && !o.cache.unmapOne() {
		return errNoRoom
	}
	f, err := o.open(i, from, size)
	if err != nil {
		return err
	}
	c.file, c.m = f, mapping.Map(f, size)
	c.used.Store(o.cache.rounds.Load() + rounds)
	o.cache.maps.Add(1)
	return nil
}

// readable reports whether the pages of a mapping can be had, by its last one.
func readable(m *mapping.Mapping) bool {
	var b [1]byte
	_, ok := m.Copy(b[:], int64(len(m.Data)-1))
	return ok
}

// drop unmaps a chunk.
func (c *chunk) drop(in *Cache) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unmap(in)
}

func (c *chunk) unmap(in *Cache) {
	if c.file == nil {
		return
	}
	if c.m != nil {
		c.m.Close()
	}
	c.file.Close() // and with it the lock
	c.m, c.file = nil, nil
	in.maps.Add(-1)
}

// open opens the file of a chunk, with a shared lock, after it has fetched it if it is not there.
func (o *Object) open(i int, from, size int64) (*os.File, error) {
	name := o.name(i)
	for range 5 { // others may store and remove it meanwhile
		f, err := lockedFile(name, os.O_RDONLY)
		if err == nil {
			if c := &o.chunks[i]; sound(f, size, c.good) {
				c.good = true
				touch(f)
				return f, nil
			}
			f.Close()
			if os.Remove(name) != nil {
				return nil, errNoRoom
			}
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, errNoRoom // of another user, for example
		}
		f, there, err := o.store(i, from, size)
		if err != nil {
			return nil, err
		}
		if !there {
			return f, nil
		}
	}
	return nil, errNoRoom
}

// store fetches a chunk and writes its file. It reports there if another process has done that meanwhile. While one
// does it, others wait for a lock. That is of a file of its own, for who has the chunk mapped keeps the chunk's lock.
func (o *Object) store(i int, from, size int64) (f *os.File, there bool, err error) {
	if !o.cache.room(size + trailer) {
		return nil, false, errNoRoom
	}
	defer func() { o.cache.wrote(size+trailer, f != nil) }()
	name := o.name(i)
	lock, err := o.turn(name)
	if lock == nil {
		if err != nil {
			err = o.cache.noRoom(err)
		}
		return nil, err == nil, err
	}
	defer lock.Close()
	defer os.Remove(name + ".lock")
	b := make([]byte, size+trailer)
	if err := o.fetch(b[:size], from); err != nil {
		return nil, false, err
	}
	binary.LittleEndian.PutUint32(b[size:], crc32.Checksum(b[:size], castagnoli))
	if f, err = writeNew(name, b); err != nil {
		return nil, false, o.cache.noRoom(err)
	}
	return f, false, nil
}

// errBusy says that another process has begun to fetch a chunk, and does not end.
var errBusy = errors.New("another process does not end to fetch it")

// turn waits until this process alone may fetch a chunk. It returns no file if the chunk has come meanwhile.
func (o *Object) turn(name string) (*os.File, error) {
	began := o.cache.clock()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return nil, nil
		}
		if err := os.MkdirAll(o.folder, 0o755); err != nil {
			return nil, err
		}
		lock, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o644)
		switch {
		case errors.Is(err, os.ErrNotExist): // another process made room, and removed the empty folder
		case err != nil:
			return nil, err
		case tryLock(lock) && same(lock, name+".lock"):
			if _, err := os.Stat(name); err == nil {
				os.Remove(name + ".lock")
				lock.Close()
				return nil, nil
			}
			return lock, nil
		default:
			lock.Close()
		}
		if o.cache.clock().Sub(began) > o.cache.patience {
			return nil, errBusy
		}
		time.Sleep(wait)
	}
}

// writeNew writes a file as a whole, and returns it with a shared lock.
func writeNew(name string, b []byte) (*os.File, error) {
	part := name + ".part"
	f, err := lockedFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b)
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		os.Remove(part)
		f.Close()
		return nil, err
	}
	return f, nil
}

// sound reports whether a file holds a chunk of size bytes. checked says that its checksum was compared before.
func sound(f *os.File, size int64, checked bool) bool {
	info, err := f.Stat()
	if err != nil || info.Size() != size+trailer || checked {
		return err == nil && info.Size() == size+trailer
	}
	b := make([]byte, size+trailer)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return false
	}
	return binary.LittleEndian.Uint32(b[size:]) == crc32.Checksum(b[:size], castagnoli)
}

// same reports whether a file is the one of that name.
func same(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && os.SameFile(a, b)
}
