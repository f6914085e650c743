package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// Probe tries out whether s keeps the one promise that some S3 servers break in
// silence: that a conditional write of what is there fails. Without it two
// attempts at one stage may both believe to be the one. The probe's object is
// removed again.
func Probe(ctx context.Context, s Store) (err error) {
	key := "probe/" + rand.Text()
	if err := PutNew(ctx, s, key, []byte("first")); err != nil && !errors.Is(err, ErrExists) {
		return err // ErrExists: its own, when the answer got lost
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
