package storagetest

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/topksweep/sweep/storage"
)

// ErrInjected is the error that a Faulty store fails with.
var ErrInjected = errors.New("injected fault")

// A Fault is a way in which an operation goes wrong.
type Fault string

const (
	// Before fails an operation that has had no effect.
	Before Fault = "before"
	// After fails an operation that has had its effect: the answer got lost.
	After Fault = "after"
	// ShortBody ends the body of a Put in the middle: the writer's disk or
	// memory gives out.
	ShortBody Fault = "short body"
	// ShortWrite stores half of a Put's body and reports success.
	ShortWrite Fault = "short write"
	// FlippedWrite stores a Put's body with one bit flipped and reports success.
	FlippedWrite Fault = "flipped write"
	// BrokenRead fails a Get's stream in the middle.
	BrokenRead Fault = "broken read"
	// ShortRead ends a Get's stream in the middle, as if it were all.
	ShortRead Fault = "short read"
	// FlippedRead flips one bit in a Get's stream.
	FlippedRead Fault = "flipped read"
)

// Faults are all of them.
var Faults = []Fault{Before, After, ShortBody, ShortWrite, FlippedWrite, BrokenRead, ShortRead, FlippedRead}

// Faulty is a store in which one operation goes wrong, or every one from some
// point on. A fault counts only the operations that it can happen to: Before and
// After all five, the others Puts or Gets.
type Faulty struct {
	storage.Store
	fault   Fault
	n       int64
	forever bool
	count   atomic.Int64
}

// NewFaulty returns a store that is s but for the n-th operation (1 is the
// first), which has the fault.
func NewFaulty(s storage.Store, fault Fault, n int) *Faulty {
	return &Faulty{Store: s, fault: fault, n: int64(n)}
}

// NewFailing returns a store that is s up to the n-th operation, which has the
// fault as has every one after it.
func NewFailing(s storage.Store, fault Fault, n int) *Faulty {
	return &Faulty{Store: s, fault: fault, n: int64(n), forever: true}
}

// Fired reports whether the fault has happened. Where it has not, the test has
// been through all operations.
func (f *Faulty) Fired() bool { return f.count.Load() >= f.n }

// hits counts an operation that could have any of the faults and reports whether
// it has.
func (f *Faulty) hits(faults ...Fault) bool {
	for _, fault := range faults {
		if fault == f.fault {
			n := f.count.Add(1)
			return n == f.n || f.forever && n > f.n
		}
	}
	return false
}

// do runs an operation that has or lacks its effect.
func (f *Faulty) do(op, key string, run func() error) error {
	if !f.hits(Before, After) {
		return run()
	}
	if f.fault == After {
		if err := run(); err != nil {
			return err
		}
	}
	return storage.Wrap(op, key, ErrInjected)
}

// Put is Store's.
func (f *Faulty) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	if f.hits(ShortBody, ShortWrite, FlippedWrite) {
		switch f.fault {
		case ShortBody:
			body = brokenBody{body, size / 2}
		case ShortWrite:
			size /= 2
		case FlippedWrite:
			body = flippedBody{body, size / 2}
		}
	}
	return f.do("put", key, func() error { return f.Store.Put(ctx, key, body, size) })
}

// PutNew is NewPutter's.
func (f *Faulty) PutNew(ctx context.Context, key string, data []byte) error {
	return f.do("putnew", key, func() error { return storage.PutNew(ctx, f.Store, key, data) })
}

// Get is Store's.
func (f *Faulty) Get(ctx context.Context, key string) (r io.ReadCloser, err error) {
	broken := f.hits(BrokenRead, ShortRead, FlippedRead)
	err = f.do("get", key, func() error {
		r, err = f.Store.Get(ctx, key)
		return err
	})
	if err != nil {
		if r != nil {
			r.Close()
		}
		return nil, err
	}
	if broken {
		r = &brokenReader{ReadCloser: r, fault: f.fault, key: key}
	}
	return r, nil
}

// List is Store's.
func (f *Faulty) List(ctx context.Context, prefix string) (objects []storage.Object, err error) {
	err = f.do("list", prefix, func() error {
		objects, err = f.Store.List(ctx, prefix)
		return err
	})
	if err != nil {
		return nil, err
	}
	return objects, nil
}

// Delete is Store's.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	return f.do("delete", key, func() error { return f.Store.Delete(ctx, key) })
}
