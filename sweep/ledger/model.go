package ledger

import (
	"context"
	"fmt"
	"io"

	"github.com/topksweep/sweep/storage"
)

// OpenWeights opens the exported weights of a run, as safetensors, and returns their size in bytes. The error wraps
// storage.ErrNotFound if there are none.
func (l *Ledger) OpenWeights(ctx context.Context, run string) (body io.ReadCloser, size int64, err error) {
	key := ModelKey(run, WeightsFile)
	objects, err := l.store.List(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	for _, o := range objects {
		if o.Key == key {
			body, err = l.store.Get(ctx, key)
			return body, o.Size, err
		}
	}
	return nil, 0, fmt.Errorf("list %s: %w", key, storage.ErrNotFound)
}
