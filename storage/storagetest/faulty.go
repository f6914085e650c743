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

// Faults lists all faults.
var Faults = []Fault{Before, After, ShortBody, ShortWrite, FlippedWrite, BrokenRead, ShortRead, FlippedRead}

// Faulty is a store in which one operation goes wrong, or all from one operation
// on. It counts only the operations that can have its fault: all five for Before and
// After, Puts or Gets for the others.
type Faulty struct {
	storage.Store
	fault   Fault
	n       int64
	forever bool
	count   atomic.Int64
}

// NewFaulty returns a store that works like s, except that the n-th operation has
// the fault. The first operation is 1.
func NewFaulty(s storage.Store, fault Fault, n int) *Faulty {
	return &Faulty{Store: s, fault: fault, n: int64(n)}
}

// NewFailing returns a store that works like s, except that the n-th operation and
// all after it have the fault.
func NewFailing(s storage.Store, fault Fault, n int) *Faulty {
	return &Faulty{Store: s, fault: fault, n: int64(n), forever: true}
}

// Fired reports whether the fault has happened. If it has not, the test had fewer
// than n operations.
func (f *Faulty) Fired() bool { return f.count.Load() >= f.n }

// hits counts an operation that could have one of the faults, and reports whether it
// has the fault now.
func (f *Faulty) hits(faults ...Fault) bool {
	for _, fault := range faults {
		if fault == f.fault {
			n := f.count.Add(1)
			return n == f.n || f.forever && n > f.n
		}
	}
	return false
}

// do runs an operation. With the fault Before it only fails; with After it runs the
// operation and then fails.
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

// Put implements storage.Store.
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

// PutNew implements storage.NewPutter.
func (f *Faulty) PutNew(ctx context.Context, key string, data []byte) error {
	return f.do("putnew", key, func() error { return storage.PutNew(ctx, f.Store, key, data) })
}

// Get implements storage.Store.
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

// List implements storage.Store.
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

// Delete implements storage.Store.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	return f.do("delete", key, func() error { return f.Store.Delete(ctx, key) })
}
