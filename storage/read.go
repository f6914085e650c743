package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Read reads the object under key, of at most limit bytes, and returns what parse
// makes of it.
//
// A wrong read proves nothing: a bit may have flipped on the way, or a connection may
// have ended early. So an object that parse refuses is read once more, from its
// beginning. The error of parse is returned only if the second read gives the same
// bytes, as many as the store's listing says that the object has. An object that is
// longer than limit is refused with ErrCorrupt in the same way. Any other error says
// nothing about the object, and another try may succeed:
//
//	first read   second read              Read returns
//	right        (none)                   the value
//	fails        (none)                   the error of the read
//	wrong        right                    the value
//	wrong        fails                    the error of the second read
//	wrong        wrong, other bytes       an error that is not ErrCorrupt
//	wrong        the same, but too short  an error that is not ErrCorrupt
//	wrong        the same, and whole      the error of parse
func Read[T any](ctx context.Context, s Store, key string, limit int64, parse func([]byte) (T, error)) (T, error) {
	r, err := readProved(ctx, s, key, limit, parse)
	return r.value, err
}

// steadyReads is how often ReadSteady reads an object until two reads agree.
const steadyReads = 4

// ReadSteady is Read for an object in which a flipped bit may look right, and would do
// harm: it reads until two reads, one after the other, give the same bytes.
func ReadSteady[T any](
	ctx context.Context, s Store, key string, limit int64, parse func([]byte) (T, error),
) (T, error) {
	var before, now reading[T]
	for i := range steadyReads {
		if i > 0 {
			refresh(ctx, s, key)
		}
		var err error
		if now, err = readProved(ctx, s, key, limit, parse); err != nil {
			return now.value, err
		}
		if i > 0 && bytes.Equal(before.body, now.body) {
			return now.value, nil
		}
		before = now
	}
	var none T
	return none, Wrap("get", key, fmt.Errorf("each of %d reads gave other bytes", steadyReads))
}

// ReadAll reads the object under key, which has at most limit bytes; of a longer one it
// reads no more than that and returns an error that wraps ErrCorrupt.
func ReadAll(ctx context.Context, s Store, key string, limit int64) ([]byte, error) {
	return Read(ctx, s, key, limit, whole)
}

func whole(b []byte) ([]byte, error) { return b, nil }

// ReadWhole is ReadAll for an object whose beginning alone would look right too, such as
// YAML, and which is not replaced while it is read. It compares the size with a listing.
func ReadWhole(ctx context.Context, s Store, key string, limit int64) ([]byte, error) {
	var n, size int64
	for range 2 {
		r, err := readProved(ctx, s, key, limit, whole)
		if err != nil {
			return nil, err
		}
		if size, err = sizeOf(ctx, s, key); err != nil {
			return nil, err
		}
		if n = int64(len(r.body)); n == size {
			return r.body, nil
		}
	}
	return nil, shortRead(key, n, size)
}

// A reading is what one read of an object gave.
type reading[T any] struct {
	body  []byte
	value T
	wrong error // why body is not what it should be; nil if it is right
}

// readProved is Read, which returns the bytes too.
func readProved[T any](
	ctx context.Context, s Store, key string, limit int64, parse func([]byte) (T, error),
) (r reading[T], err error) {
	first, err := readOnce(ctx, s, key, limit, parse)
	if err != nil || first.wrong == nil {
		return first, err
	}
	refresh(ctx, s, key)
	second, err := readOnce(ctx, s, key, limit, parse)
	switch {
	case err != nil || second.wrong == nil:
		return second, err
	case !bytes.Equal(first.body, second.body):
		return r, Wrap("get", key, unsteady(second.wrong))
	}
	size, err := sizeOf(ctx, s, key)
	if err != nil {
		return r, err
	}
	if n := int64(len(second.body)); size != n && (size <= limit || n <= limit) {
		return r, shortRead(key, n, size)
	}
	return r, Wrap("get", key, second.wrong)
}

// readOnce reads an object. The error is that of a read that did not come to the end of
// the object, or to more than limit bytes of it.
func readOnce[T any](
	ctx context.Context, s Store, key string, limit int64, parse func([]byte) (T, error),
) (r reading[T], err error) {
	body, err := s.Get(ctx, key)
	if err != nil {
		return r, Wrap("get", key, err)
	}
	defer body.Close()
	r.body, err = io.ReadAll(io.LimitReader(body, limit+1))
	switch {
	case errors.Is(err, ErrCorrupt): // the store keeps a checksum, and the bytes disagree with it
		r.wrong = err
	case err != nil:
		return reading[T]{}, Wrap("get", key, err)
	case int64(len(r.body)) > limit:
		r.wrong = fmt.Errorf("%w: longer than %d bytes", ErrCorrupt, limit)
	default:
		var value T
		if value, r.wrong = parse(r.body); r.wrong == nil {
			r.value = value
		}
	}
	return r, nil
}

// sizeOf returns the size of an object as a listing states it. The error wraps
// ErrNotFound if the listing does not show it.
func sizeOf(ctx context.Context, s Store, key string) (int64, error) {
	objects, err := s.List(ctx, key)
	if err != nil {
		return 0, err
	}
	if len(objects) == 0 || objects[0].Key != key {
		return 0, Wrap("get", key, ErrNotFound)
	}
	return objects[0].Size, nil
}

// refresh makes the next read of an object one of the disk or the server, if it can.
func refresh(ctx context.Context, s Store, key string) {
	if f, ok := s.(Fresher); ok {
		f.Fresh(ctx, key)
	}
}

// shortRead says that a read ended before or behind the end of the object.
func shortRead(key string, n, size int64) error {
	return Wrap("get", key, fmt.Errorf("the read gave %d bytes of an object of %d: %w", n, size, io.ErrUnexpectedEOF))
}

// unsteady says that two reads were wrong, each in its own way. The kind of err is not
// kept: nothing is proved.
func unsteady(err error) error {
	return fmt.Errorf("two reads gave different bytes, both wrong: "+
		"the disk or the network changes what it carries (%v)", err)
}

// Certain returns a store that reads like s, but looks twice before it says that an
// object is not there: a listing must not show it either. It is for objects that should
// be there, because a listing costs more than a read.
func Certain(s Store) Store { return certain{s} }

type certain struct{ Store }

// Fresh implements Fresher.
func (c certain) Fresh(ctx context.Context, key string) { refresh(ctx, c.Store, key) }

// Get implements Store.
func (c certain) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := c.Store.Get(ctx, key)
	if !errors.Is(err, ErrNotFound) {
		return r, err
	}
	switch _, listed := sizeOf(ctx, c.Store, key); {
	case listed == nil:
		return nil, Wrap("get", key, errors.New("a listing shows the object, but it cannot be opened"))
	case !errors.Is(listed, ErrNotFound):
		return nil, listed
	}
	return nil, err
}
