package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// Open streams the data of a checkpoint and verifies it on the way. io.EOF proves
// that the data is what was saved; if it is not, an error that wraps ErrCorrupt
// comes instead of io.EOF. What is read before that may be wrong.
func (c *Checkpoints) Open(ctx context.Context, m *Manifest) (io.ReadCloser, error) {
	r, err := c.store.Get(ctx, m.Key)
	if err != nil {
		return nil, err
	}
	return &verifier{r: r, m: m, h: sha256.New()}, nil
}

// Verify reads the data of a checkpoint and compares it with the manifest: first
// the size, by a listing, then the SHA-256. The error wraps ErrCorrupt, or
// ErrNotFound if there is no data.
func (c *Checkpoints) Verify(ctx context.Context, m *Manifest) error {
	objects, err := c.store.List(ctx, m.Key)
	if err != nil {
		return err
	}
	if len(objects) == 0 || objects[0].Key != m.Key {
		return Wrap("verify", m.Key, ErrNotFound)
	}
	if objects[0].Size != m.Size {
		return Wrap("verify", m.Key, fmt.Errorf("%w: %d bytes, not %d", ErrCorrupt, objects[0].Size, m.Size))
	}
	r, err := c.Open(ctx, m)
	if err != nil {
		return err
	}
	defer r.Close()
	return Wrap("verify", m.Key, drain(ctx, r))
}

type verifier struct {
	r    io.ReadCloser
	m    *Manifest
	h    hash.Hash
	n    int64
	done error // is returned by every further Read
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.done != nil || len(p) == 0 {
		return 0, v.done
	}
	n, err := v.r.Read(p)
	v.h.Write(p[:n])
	v.n += int64(n)
	switch {
	case v.n > v.m.Size:
		err = fmt.Errorf("%w: more than %d bytes", ErrCorrupt, v.m.Size)
	case err == io.EOF && v.n < v.m.Size:
		err = fmt.Errorf("%w: %d bytes of %d", ErrCorrupt, v.n, v.m.Size)
	case err == io.EOF && hex.EncodeToString(v.h.Sum(nil)) != v.m.SHA256:
		err = fmt.Errorf("%w: wrong SHA-256", ErrCorrupt)
	}
	if err != nil && err != io.EOF {
		err = Wrap("get", v.m.Key, err)
	}
	v.done = err
	return n, err
}

func (v *verifier) Close() error { return v.r.Close() }

// drain reads r to its end.
func drain(ctx context.Context, r io.Reader) error { return copyAll(ctx, io.Discard, r, -1) }

// copyAll copies r to w until its end. It is an error if r has not size bytes,
// unless size is negative. It stops between blocks when ctx ends.
func copyAll(ctx context.Context, w io.Writer, r io.Reader, size int64) error {
	buf := make([]byte, 256<<10)
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
