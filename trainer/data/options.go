package data

import (
	"runtime"
	"sync"
	"time"

	"github.com/topksweep/sweep/trainer/data/chunks"
)

// Options say how Open and Inspect read. The zero value uses all cores and no cache.
type Options struct {
	Workers int // goroutines for scans; 0 stands for GOMAXPROCS. Results do not depend on it

	// Cache is a folder in which Open and Inspect keep what they found out by reading all
	// bytes, for the next time; "" for none. It is made if it is not there. If it cannot
	// be written to, that is no error.
	Cache string

	// Progress is called during a scan of all bytes with how many of how many are read, and
	// at the scan's end with done = total; never by two goroutines at once. There may be
	// several scans, one after the other. nil for none.
	Progress func(done, total int64)

	// Objects reads the objects of sources s3://bucket/prefix; nil: there are none. Chunks keeps what was read of them.
	Objects Objects
	Chunks  *chunks.Cache

	clock func() time.Time // for tests; nil for time.Now
}

// filled returns o with the defaults in place of zero values.
func (o Options) filled() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if told := o.Progress; told == nil {
		o.Progress = func(int64, int64) {}
	} else {
		var mu sync.Mutex
		o.Progress = func(done, total int64) {
			mu.Lock()
			defer mu.Unlock()
			told(done, total)
		}
	}
	if o.Chunks == nil {
		o.Chunks = chunks.New("", 0)
	}
	if o.clock == nil {
		o.clock = time.Now
	}
	return o
}

// meter returns a function that several goroutines call with how many bytes of total they
// have read.
func (o Options) meter(total int64) func(bytes int64) {
	var mu sync.Mutex
	var done int64
	return func(bytes int64) {
		mu.Lock()
		defer mu.Unlock()
		done += bytes
		o.Progress(done, total)
	}
}
