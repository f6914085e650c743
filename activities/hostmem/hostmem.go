// Package hostmem keeps the runs of one worker within the host's memory. It says how
// much memory a run needs and how much the host has, and a run reserves what it needs
// before it begins.
package hostmem

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// ErrBusy says that a run does not fit beside those in training on this worker, or
// beside what other programs have. It fits once they are done.
var ErrBusy = errors.New("what runs here leaves too little memory")

// A Pool is the host's memory as the runs of one worker share it. A run reserves
// what it needs before it allocates anything, and the sum of the reservations
// counts: several slots that start at once would all find the same memory free.
type Pool struct {
	// Capacity returns the bytes that runs may take, or false where that cannot
	// be known: then everything fits.
	Capacity func() (bytes int64, ok bool)

	// Whole returns the bytes that runs could take if nothing else were on the host. Where
	// that is not known, or Whole is nil, it is the capacity.
	Whole func() (bytes int64, ok bool)

	mu       sync.Mutex
	reserved int64 // bytes
	limited  bool  // see Limit
	beside   int64 // bytes

	asked time.Time // when the capacity was asked for
	had   int64     // what it was then, in bytes
}

// New returns the pool of this host.
func New() *Pool { return &Pool{Capacity: hostCapacity, Whole: hostWhole} }

// Reserve takes need bytes until release is called, when nothing refers to the run's memory any more. The error wraps
// trainer.ErrMemory if the host could not hold the run alone, and ErrBusy if it
// can once other runs, or other programs, are done.
func (p *Pool) Reserve(need int64) (release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hadRoom(need) {
		// as a moment ago
	} else if total, ok := p.Capacity(); ok {
		p.asked, p.had = time.Now(), total
		switch {
		case need > total && p.couldHold(need):
			return nil, fmt.Errorf("%w: the run needs %s, the host has %s free", ErrBusy, gib(need), gib(total))
		case need > total:
			return nil, fmt.Errorf("%w: the run needs %s, the host has %s free", trainer.ErrMemory, gib(need), gib(total))
		case need > total-p.reserved:
			return nil, fmt.Errorf("%w: the run needs %s, they have %s of %s", ErrBusy, gib(need), gib(p.reserved), gib(total))
		}
	}
	p.reserved += need
	p.setLimit()
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.freed(need)
		p.reserved -= need
		p.setLimit()
	}), nil
}

// An answer of the capacity is good for a while for small runs. To ask costs a millisecond: some files of the kernel
// are read and parsed, for each run of a sweep whose runs take a second.
const (
	goodFor   = 250 * time.Millisecond
	smallPart = 16 // of the room that was left
)

// hadRoom reports whether the host has had much more room than a run needs, a moment ago.
func (p *Pool) hadRoom(need int64) bool {
	return time.Since(p.asked) < goodFor && need <= (p.had-p.reserved)/smallPart
}

// couldHold reports whether the host could hold so many bytes if nothing else were on it.
func (p *Pool) couldHold(need int64) bool {
	if p.Whole == nil {
		return false
	}
	bytes, ok := p.Whole()
	return ok && need <= bytes
}

// Reserved returns the bytes that runs have reserved now.
func (p *Pool) Reserved() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reserved
}

func gib(bytes int64) string { return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30)) }

// hostBackend is the name of the backend whose device is the host itself.
const hostBackend = "cpu"

// Bytes returns what a run of c takes of the host's memory.
func Bytes(b trainer.Backend, c trainer.Config) int64 {
	device, host := b.Bytes(c)
	if b.Name() == hostBackend {
		host += device
	}
	return host
}

// Fits returns an error that wraps trainer.ErrMemory if this host cannot hold a
// run of c. Where that cannot be known, it returns nil.
func Fits(b trainer.Backend, c trainer.Config) error {
	release, err := New().Reserve(Bytes(b, c))
	if err != nil {
		return err
	}
	release()
	return nil
}
