// Package chunks keeps parts of remote objects in a folder, for all processes of a machine. What was read once is read
// from there afterwards, as fast as a local file.
//
// An object is cut into chunks: a small one for its head, in which formats have their headers, and others of equal
// size. Each is a file, named by a hash of the object's address, which says its content too. A file appears as a whole,
// with a checksum. While a process has a chunk mapped it holds a shared lock on the file, so that others do not remove
// it to make room. A process that dies leaves no lock.
//
// Where the folder has no room for a chunk, what is asked for is read from the object itself.
package chunks

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	headSize  = 64 << 10
	chunkSize = 4 << 20
)

// A Cache is a folder of chunks. Its methods may be called by several goroutines at once.
type Cache struct {
	dir   string
	limit int64 // of the bytes of all chunks
	chunk int64 // bytes of one

	patience time.Duration // for another process to fetch a chunk

	maps   atomic.Int64 // chunks that this process has mapped
	mostly int64        // that it may have
	rounds atomic.Int64 // of making room

	mu      sync.Mutex
	used    int64     // bytes in the folder when it was last looked at, and written since
	coming  int64     // bytes that are about to be written
	written int64     // of them written since
	looked  bool      // used is known
	most    int64     // limit, or what fitted on the disk when that was full
	full    time.Time // when the folder was last found to be full; zero: it is not
	lowered time.Time // when most was last made less than limit
	objects map[*Object]bool
	clock   func() time.Time
}

// New returns the cache in a folder, which is made when the first chunk is. One process never goes over limit bytes. Of
// several, each may go over it for a moment: by a thirty-second, or by the chunks that it is fetching if they are more.
func New(dir string, limit int64) *Cache {
	return &Cache{dir: dir, limit: limit, most: limit, chunk: chunkSize, mostly: mostMaps(), objects: map[*Object]bool{},
		clock: time.Now, patience: 20 * time.Second}
}

// A Fetch reads len(p) bytes of an object from byte off on, or fails.
type Fetch func(p []byte, off int64) error

// An Object is an object of which parts are in the cache.
type Object struct {
	cache  *Cache
	folder string
	size   int64
	stream bool // chunks that are not in use for a while make room
	fetch  Fetch
	chunks []chunk
}

// Object returns the object of size bytes with this address, which says its content too: of another content, the
// address must be another one. fetch reads it. With stream, chunks that were not read for a while are not in use any
// more, although the object is. Without it they are in use as long as anything of the object is read.
func (c *Cache) Object(address string, size int64, stream bool, fetch Fetch) *Object {
	sum := sha256.Sum256([]byte(address))
	name := hex.EncodeToString(sum[:16])
	o := &Object{cache: c, folder: filepath.Join(c.dir, name[:2], name), size: size, stream: stream, fetch: fetch}
	o.chunks = make([]chunk, 1+(max(0, size-headSize)+c.chunk-1)/c.chunk)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[o] = true
	return o
}

// Limit returns how many bytes the cache may have.
func (c *Cache) Limit() int64 { return c.limit }

// at returns the chunk that has byte off, and where it begins and ends.
func (o *Object) at(off int64) (i int, from, to int64) {
	if off < headSize {
		return 0, 0, min(o.size, headSize)
	}
	i = 1 + int((off-headSize)/o.cache.chunk)
	from = headSize + int64(i-1)*o.cache.chunk
	return i, from, min(o.size, from+o.cache.chunk)
}

// ReadAt implements io.ReaderAt, but for the end of the object: off and len(p) are within it.
func (o *Object) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		i, from, to := o.at(off)
		part := p[n:min(int64(len(p)), int64(n)+to-off)]
		if err := o.read(i, part, off-from, from, to-from); err != nil {
			return n, err
		}
		n += len(part)
		off += int64(len(part))
	}
	return n, nil
}

// Have makes the chunks of the bytes from off on be there, as far as there is room. They are to be read soon.
func (o *Object) Have(off, size int64) error {
	for end := min(o.size, off+size); off < end; {
		i, from, to := o.at(off)
		if err := o.need(i, from, to-from, awaited); err != nil && err != errNoRoom {
			return err
		}
		off = to
	}
	return nil
}

// Close unmaps the chunks. Nothing may read from the object during it or later.
func (o *Object) Close() error {
	for i := range o.chunks {
		o.chunks[i].drop(o.cache)
	}
	o.cache.mu.Lock()
	defer o.cache.mu.Unlock()
	delete(o.cache.objects, o)
	return nil
}
