package storage

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	// ErrNotFound is returned by Get for a key that holds nothing.
	ErrNotFound = errors.New("not found")
	// ErrExists is returned by PutNew for a key that holds something.
	ErrExists = errors.New("exists already")
)

// A Store keeps objects under keys: slash-separated paths of [A-Za-z0-9._-]
// elements, none of them empty, "." or "..". Its methods may be called from many
// goroutines and processes at once. Errors read
// "put sweeps/tree-104406dc/plan.json: connection refused": operation, key, cause.
type Store interface {
	// Put writes size bytes of body under key, all or nothing: no reader ever
	// sees a part, and after a crash the key holds the old object or the new.
	Put(ctx context.Context, key string, body io.ReaderAt, size int64) error

	// Get opens the object under key. The error wraps ErrNotFound if there is
	// none. The reader returns io.EOF only at the end of the object: if a file or a
	// connection ends before the size that the object has, that is another error.
	Get(ctx context.Context, key string) (io.ReadCloser, error)

	// List returns the objects whose key begins with prefix, in the order of
	// their keys.
	List(ctx context.Context, prefix string) ([]Object, error)

	// Delete removes the object under key; removing what is not there is no
	// error.
	Delete(ctx context.Context, key string) error
}

// An Object is one row of a listing.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// A NewPutter writes an object only where there is none: of many writers of one
// key exactly one succeeds. Every store that holds checkpoints has it.
type NewPutter interface {
	// PutNew writes data under key, all or nothing. The error wraps ErrExists
	// if the key holds something.
	PutNew(ctx context.Context, key string, data []byte) error
}

// A Fresher is a store that may keep in memory what it has read. Fresh makes the next Get
// of a key read it anew, as far as the store can. It is called before a second read is to
// prove that an object is damaged; without it the second read proves less.
type Fresher interface {
	Fresh(ctx context.Context, key string)
}

// A Cleaner is a store in which writers that crash leave something behind that
// readers never see, such as temporary files.
type Cleaner interface {
	// Clean removes what writers of keys with one of the prefixes left behind if they
	// began before a time, and returns the number of such leftovers; with dry it only
	// counts them. The time must be before the begin of every write that is still
	// running. Clean touches nothing else: other programs may keep files in the same
	// place.
	Clean(ctx context.Context, prefixes []string, before time.Time, dry bool) (int, error)
}

// A Retrier is a store that repeats requests which fail for a moment. Retries returns how often it has since it was
// opened.
type Retrier interface {
	Retries() int64
}
