package dir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/topksweep/sweep/storage"
)

// Clean removes folders that have been empty since before a time, if their keys
// begin with one of the prefixes. It also removes the temporary files of writers
// that crashed, of any age: a writer at work holds a lock on its file. A writer whose
// folder is removed makes it again.
func (s *Store) Clean(ctx context.Context, prefixes []string, before time.Time, dry bool) (int, error) {
	removed, err := s.cleanTemp(dry)
	if err == nil {
		var n int
		n, err = s.cleanFolders(ctx, prefixes, before, dry)
		removed += n
	}
	return removed, storage.Wrap("clean", s.root, s.explain(err))
}

// cleanTemp removes the temporary files that nobody holds locked. The locks of a
// process end with it. Unlike a process ID, a lock means the same in every container.
func (s *Store) cleanTemp(dry bool) (removed int, err error) {
	entries, err := os.ReadDir(s.tmp)
	if err != nil {
		return 0, ignoreMissing(err)
	}
	for _, e := range entries {
		path := filepath.Join(s.tmp, e.Name())
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue // another process has removed it, or it belongs to another user
		}
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			err = lock(f, false)
			if err == nil || errors.Is(err, errors.ErrUnsupported) && time.Since(info.ModTime()) > staleAfter {
				if dry || os.Remove(path) == nil {
					removed++
				}
			}
		}
		f.Close()
	}
	return removed, nil
}

// cleanFolders removes empty folders of keys with the prefixes, and those that
// become empty by it.
func (s *Store) cleanFolders(
	ctx context.Context, prefixes []string, before time.Time, dry bool,
) (removed int, err error) {
	type folder struct {
		path    string
		changed time.Time
	}
	var folders []folder // outer folders come before inner ones
	kept := map[string]int{}
	err = filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return ignoreMissing(err)
		case path == s.root:
			return nil
		}
		kept[filepath.Dir(path)]++
		if !d.IsDir() {
			return nil
		}
		key, err := filepath.Rel(s.root, path)
		key = filepath.ToSlash(key) + "/"
		begins := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
		if err != nil || storage.CheckKey(d.Name()) != nil || !slices.ContainsFunc(prefixes, begins) {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err == nil {
			folders = append(folders, folder{path, info.ModTime()})
		}
		return ignoreMissing(err)
	})
	if err != nil {
		return 0, err
	}
	for _, f := range slices.Backward(folders) {
		if kept[f.path] > 0 || !f.changed.Before(before) {
			continue
		}
		// It fails if something has come into the folder since.
		if dry || os.Remove(f.path) == nil {
			removed++
			kept[filepath.Dir(f.path)]--
		}
	}
	return removed, nil
}
