package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A content is what an object must hold.
type content struct {
	key    string
	size   int64
	sha256 string // in lower-case hex
}

func (m *Manifest) content() content { return content{m.Key, m.Size, m.SHA256} }

// Open streams the data of a checkpoint and verifies it on the way. io.EOF proves
// that the data is what was saved; if it is not, an error comes instead of io.EOF.
// What is read before that may be wrong. Such an error does not prove that the data is
// damaged: the read may be at fault. Verify proves it.
func (c *Checkpoints) Open(ctx context.Context, m *Manifest) (io.ReadCloser, error) {
	return open(ctx, certain{c.store}, m.content())
}

// Verify reads the data of a checkpoint and compares it with the manifest, as
// VerifyObject does.
func (c *Checkpoints) Verify(ctx context.Context, m *Manifest) error {
	return VerifyObject(ctx, c.store, m.Key, m.Size, m.SHA256)
}

// VerifyObject reads the object under key and compares it with its size in bytes and its
// SHA-256 in lower-case hex: first the size, by a listing, then all of it. The error wraps
// ErrCorrupt if two reads to the end gave the same wrong bytes, as many as the listing
// says, and ErrNotFound if there is no object. Any other error says nothing about the
// object.
func VerifyObject(ctx context.Context, s Store, key string, size int64, sha256 string) error {
	want := content{key, size, sha256}
	return Wrap("verify", key, provedWrong(ctx, s, func() error {
		there, err := sizeOf(ctx, s, key)
		if err != nil {
			return err
		}
		if err := stream(ctx, certain{s}, want, func(io.Reader) error { return nil }); err != nil {
			return err
		}
		if there != size { // the listing is of before, so this was not proved by reading
			return fmt.Errorf("a listing shows %d bytes, but %d were read", there, size)
		}
		return nil
	}))
}

// Expected is an object as it should be.
type Expected struct {
	Key    string
	Size   int64  // bytes
	SHA256 string // in lower-case hex
}

// VerifyObjects is VerifyObject for objects whose keys begin with a prefix, with one listing for all that are sound.
func VerifyObjects(ctx context.Context, s Store, prefix string, want []Expected) error {
	listed, err := s.List(ctx, prefix)
	if err != nil {
		return err
	}
	sizes := make(map[string]int64, len(listed))
	for _, o := range listed {
		sizes[o.Key] = o.Size
	}
	for _, w := range want {
		size, there := sizes[w.Key]
		if there && size == w.Size {
			err = LoadObject(ctx, s, w.Key, w.Size, w.SHA256, func(io.Reader) error { return nil })
		} else {
			err = VerifyObject(ctx, s, w.Key, w.Size, w.SHA256) // the listing may lag behind
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// LoadObject streams the object under key to load, and compares it with its size in bytes and its SHA-256 in
// lower-case hex on the way. Where a read is wrong, load is called a second time and must start over. load must not
// act on what it has read until LoadObject returns nil. Errors are those of VerifyObject; that of load on the right
// object is returned as it is.
func LoadObject(
	ctx context.Context, s Store, key string, size int64, sha256 string, load func(io.Reader) error,
) error {
	want := content{key, size, sha256}
	err := provedWrong(ctx, s, func() error { return stream(ctx, certain{s}, want, load) })
	if loaded := (*loadError)(nil); errors.As(err, &loaded) {
		return loaded.error
	}
	return Wrap("get", key, err)
}

// A wrongRead is the error of a read that came to an end, and gave other bytes than it
// should. It is not ErrCorrupt: one wrong read proves nothing about the object.
type wrongRead struct {
	want content
	n    int64  // bytes read; those behind the size that it should have are not counted
	long bool   // there were such bytes
	sum  string // SHA-256 of the bytes read, in hex
	why  string
}

func (w *wrongRead) Error() string { return w.why }

// provedWrong calls read, and once more if the first call ended with a *wrongRead. The
// error wraps ErrCorrupt if both calls read the same wrong bytes, as many as the listing
// of the store says that the object has. Else it is the error of the last call.
func provedWrong(ctx context.Context, s Store, read func() error) error {
	var first, second *wrongRead
	if err := read(); !errors.As(err, &first) {
		return err
	}
	refresh(ctx, s, first.want.key)
	if err := read(); !errors.As(err, &second) {
		return err
	}
	key := second.want.key
	if *first != *second {
		return Wrap("get", key, unsteady(second))
	}
	size, err := sizeOf(ctx, s, key)
	switch {
	case err != nil:
		return err
	case !second.long && size != second.n, second.long && size <= second.want.size:
		return shortRead(key, second.n, size)
	}
	return Wrap("get", key, fmt.Errorf("%w: %w", ErrCorrupt, second))
}

// stream reads an object to its end and hands it to load on the way. The error is a
// *wrongRead if the object is not what it must be, whatever load returned, and a
// *loadError if load returned an error for the right object.
func stream(ctx context.Context, s Store, want content, load func(io.Reader) error) error {
	r, err := open(ctx, s, want)
	if err != nil {
		return err
	}
	defer r.Close()
	loaded := load(r)
	// The end of the data shows whether it is right, and load need not have read
	// that far.
	if err := drain(ctx, r, want.size); err != nil {
		return err
	}
	if loaded != nil {
		return &loadError{loaded}
	}
	return nil
}

func open(ctx context.Context, s Store, want content) (io.ReadCloser, error) {
	r, err := s.Get(ctx, want.key)
	if err != nil {
		return nil, err
	}
	return &verifier{r: r, want: want, sum: newSum()}, nil
}

// A verifier reads an object and compares it with what it must hold.
type verifier struct {
	r    io.ReadCloser
	want content
	sum  *sum
	n    int64
	done error // is returned by every further Read
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.done != nil || len(p) == 0 {
		return 0, v.done
	}
	n, err := v.r.Read(p)
	long := int64(n) > v.want.size-v.n
	right := min(int64(n), v.want.size-v.n)
	v.sum.Write(p[:right])
	v.n += right
	switch {
	case long:
		err = v.wrong(true, fmt.Sprintf("more than %d bytes", v.want.size))
	case err == io.EOF && v.n < v.want.size:
		err = v.wrong(false, fmt.Sprintf("%d bytes of %d", v.n, v.want.size))
	case err == io.EOF && v.sum.hex() != v.want.sha256:
		err = v.wrong(false, "wrong SHA-256")
	case errors.Is(err, ErrCorrupt): // the store's own checksum disagrees
		if err = v.wrong(false, err.Error()); v.n == v.want.size && v.sum.hex() == v.want.sha256 {
			err = io.EOF // it is the checksum that is wrong
		}
	}
	if err != nil && err != io.EOF {
		err = Wrap("get", v.want.key, err)
	}
	v.done = err
	return n, err
}

func (v *verifier) wrong(long bool, why string) error {
	return &wrongRead{want: v.want, n: v.n, long: long, sum: v.sum.hex(), why: why}
}

func (v *verifier) Close() error {
	v.sum.stop()
	if v.done == nil {
		v.done = errors.New("read after close")
	}
	return v.r.Close()
}

// drain reads r, which has about size bytes, to its end.
func drain(ctx context.Context, r io.Reader, size int64) error {
	return copyBlocks(ctx, io.Discard, r, -1, min(maxBlock, max(0, size)+1))
}

// maxBlock is the size of the largest block that is copied at a time, in bytes.
const maxBlock = 256 << 10

// copyAll copies r to w until its end. It is an error if r has not size bytes,
// unless size is negative. It stops between blocks when ctx ends.
func copyAll(ctx context.Context, w io.Writer, r io.Reader, size int64) error {
	return copyBlocks(ctx, w, r, size, maxBlock)
}

// copyBlocks is copyAll in blocks of so many bytes.
func copyBlocks(ctx context.Context, w io.Writer, r io.Reader, size, block int64) error {
	buf := make([]byte, block)
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		k, err := r.Read(buf)
		n += int64(k)
		if _, err := w.Write(buf[:k]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if size >= 0 && n != size {
		return fmt.Errorf("body: %d bytes of %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return nil
}
