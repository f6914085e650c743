package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt is returned for an object that is proved not to be what was written:
	// bytes missing, too many or changed, or a manifest that does not parse. It is
	// proved by two reads of the object, each to its end, that give the same wrong
	// bytes. A read that fails, ends early or gives other bytes each time is another
	// error: it says nothing about the object. Only the reader that a store's Get
	// returns may say so after one read, if the store keeps a checksum of its own.
	ErrCorrupt = errors.New("corrupt")

	// ErrFenced is returned to a writer whose folder has a newer claim: it must
	// stop, because another attempt has taken over.
	ErrFenced = errors.New("fenced off by a newer attempt")

	// ErrNewerVersion is returned for a manifest of a version that this build does
	// not know. Such a manifest is never skipped: going on from an older checkpoint
	// would train again what a newer build has done, and then replace it.
	ErrNewerVersion = errors.New("written by a newer version of sweep")

	// ErrNoSpace is returned when the disk, the quota or the bucket is full.
	ErrNoSpace = errors.New("no space left")

	// ErrReadOnly is returned for a write to a disk that is mounted read-only, as a
	// system does by itself when a disk gives errors.
	ErrReadOnly = errors.New("read-only")

	// ErrNoPutNew is returned for a store without NewPutter, and for one whose PutNew
	// overwrites.
	ErrNoPutNew = errors.New("the store has no conditional write")
)

// An OpError is an error of one operation on one key. Its text reads
// "put sweeps/tree-104406dc/plan.json: connection refused".
type OpError struct {
	Op  string // put, putnew, get, list, delete, …
	Key string // or the prefix of a listing
	Err error
}

func (e *OpError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Key, e.Err) }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Wrap adds the operation and the key to err. It returns nil for nil, and err
// itself if it has both already.
func Wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*OpError); ok && e.Op == op && e.Key == key {
		return err
	}
	if key == "" {
		key = "everything"
	}
	return &OpError{op, key, err}
}

// Mark makes errors.Is(err, kind) true and leaves err's text as it is. Stores use
// it to translate errors of their server or kernel to the ones above.
func Mark(err, kind error) error {
	if err == nil || errors.Is(err, kind) {
		return err
	}
	return &marked{err, kind}
}

type marked struct{ err, kind error }

func (m *marked) Error() string   { return m.err.Error() }
func (m *marked) Unwrap() []error { return []error{m.err, m.kind} }
