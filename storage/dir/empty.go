package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/topksweep/sweep/storage"
)

// RemoveEmpty implements storage.EmptyRemover. A writer whose folder is removed makes it again.
func (s *Store) RemoveEmpty(ctx context.Context, folder string) error {
	key := strings.TrimSuffix(folder, "/")
	if err := check(ctx, key); err != nil {
		return storage.Wrap("clean", folder, err)
	}
	var folders []string // outer folders come before inner ones
	err := filepath.WalkDir(s.path(key), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return errors.Join(context.Cause(ctx), ignoreMissing(err))
	})
	for _, path := range slices.Backward(folders) {
		_ = os.Remove(path) // it fails if something is in it
	}
	return storage.Wrap("clean", folder, s.explain(err))
}
