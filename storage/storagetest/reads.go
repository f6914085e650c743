package storagetest

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"

	"github.com/topksweep/sweep/storage"
)

// A ReadFault is a way in which reading goes wrong while the objects are sound.
type ReadFault struct {
	Name string
	open error                            // of a Get or a List
	body func(all []byte, n int64) []byte // what the n-th read gives
	end  error                            // at the end of what is read; nil: io.EOF
}

// Proves reports whether two reads with this fault look like a damaged object: both give
// the same wrong bytes to the end.
func (f ReadFault) Proves() bool { return f.Name == "the same bit flipped" }

// ReadFaults are the faults of disks, network file systems and connections.
func ReadFaults() []ReadFault {
	half := func(all []byte, _ int64) []byte { return all[:len(all)/2] }
	flip := func(all []byte, at int64) []byte {
		if len(all) > 0 {
			all[at%int64(len(all))] ^= 1
		}
		return all
	}
	return []ReadFault{
		{Name: "EIO when opened", open: syscall.EIO},
		{Name: "EIO in the middle", body: half, end: syscall.EIO},
		{Name: "ESTALE when opened", open: syscall.ESTALE},
		{Name: "ESTALE in the middle", body: half, end: syscall.ESTALE},
		{Name: "deadline when opened", open: context.DeadlineExceeded},
		{Name: "deadline in the middle", body: half, end: context.DeadlineExceeded},
		{Name: "broken off", body: half, end: io.ErrUnexpectedEOF},
		{Name: "not found, though it is there", open: storage.ErrNotFound},
		{Name: "seems to end in the middle", body: half},
		{Name: "seems to be empty", body: func([]byte, int64) []byte { return nil }},
		{Name: "another bit flipped each time", body: func(all []byte, n int64) []byte { return flip(all, 3+7*n) }},
		{Name: "the same bit flipped", body: func(all []byte, _ int64) []byte { return flip(all, int64(len(all)/2)) }},
	}
}

// Flaky is a store whose reads of some keys go wrong, one of them or all from one on,
// until Heal is called. Its objects stay sound.
type Flaky struct {
	storage.Store
	fault   ReadFault
	match   func(key string) bool
	n       int64
	forever bool

	mu     sync.Mutex
	count  int64
	healed bool
}

// NewFlaky returns a store that works like s, except that the n-th read of a key that
// matches has the fault, with forever also all of them after it. A read is a Get, or, if
// the fault is an error of opening, a List of a prefix that matches.
func NewFlaky(s storage.Store, fault ReadFault, match func(key string) bool, n int64, forever bool) *Flaky {
	return &Flaky{Store: s, fault: fault, match: match, n: n, forever: forever}
}

// Heal ends the faults.
func (f *Flaky) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.healed = true
}

// Fired reports whether the fault has happened.
func (f *Flaky) Fired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count >= f.n
}

func (f *Flaky) hits(key string) (count int64, hit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.healed || !f.match(key) {
		return 0, false
	}
	f.count++
	return f.count, f.count == f.n || f.forever && f.count > f.n
}

// Get implements storage.Store.
func (f *Flaky) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	count, hit := f.hits(key)
	if hit && f.fault.open != nil {
		return nil, storage.Wrap("get", key, f.fault.open)
	}
	r, err := f.Store.Get(ctx, key)
	if err != nil || !hit {
		return r, err
	}
	return &flakyReader{ReadCloser: r, f: f, key: key, count: count}, nil
}

// List implements storage.Store.
func (f *Flaky) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	if f.fault.open != nil && !errors.Is(f.fault.open, storage.ErrNotFound) {
		if _, hit := f.hits(prefix); hit {
			return nil, storage.Wrap("list", prefix, f.fault.open)
		}
	}
	return f.Store.List(ctx, prefix)
}

// PutNew implements storage.NewPutter.
func (f *Flaky) PutNew(ctx context.Context, key string, data []byte) error {
	return storage.PutNew(ctx, f.Store, key, data)
}

// A flakyReader reads the whole object first: what tests store is small.
type flakyReader struct {
	io.ReadCloser
	f     *Flaky
	key   string
	count int64
	begun bool
	left  []byte
}

func (r *flakyReader) Read(p []byte) (int, error) {
	if !r.begun {
		all, err := io.ReadAll(r.ReadCloser)
		if err != nil {
			return 0, err
		}
		r.begun, r.left = true, r.f.fault.body(all, r.count)
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case r.f.fault.end != nil:
		return 0, storage.Wrap("get", r.key, r.f.fault.end)
	}
	return 0, io.EOF
}
