package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// Probe writes a small object to s, tries to write it again with PutNew and removes
// it. The second write must fail. Some S3 servers ignore the condition and
// overwrite; there, two attempts could both believe that they own a folder, so the
// error wraps ErrNoPutNew.
func Probe(ctx context.Context, s Store) (err error) {
	key := "probe/" + rand.Text()
	if err := PutNew(ctx, s, key, []byte("first")); err != nil && !errors.Is(err, ErrExists) {
		return err // ErrExists: the first answer got lost, and the write was repeated
	}
	defer func() {
		err = errors.Join(err, s.Delete(context.WithoutCancel(ctx), key))
	}()
	switch err := PutNew(ctx, s, key, []byte("second")); {
	case err == nil:
		return Wrap("putnew", key, fmt.Errorf("%w: it overwrote what was there", ErrNoPutNew))
	case !errors.Is(err, ErrExists):
		return err
	}
	return nil
}
