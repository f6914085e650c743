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

// Clean removes the folders of such keys that have been empty since before a time,
// and what crashed writers left behind, however young: a lock tells. Whoever is
// about to write into a folder that goes makes it again.
func (s *Store) Clean(ctx context.Context, prefixes []string, before time.Time, dry bool) (int, error) {
	removed, err := s.cleanTemp(dry)
	if err == nil {
		var n int
		n, err = s.cleanFolders(ctx, prefixes, before, dry)
		removed += n
	}
	return removed, storage.Wrap("clean", s.root, explain(err))
}

// cleanTemp removes the temporary files that nobody holds locked. A crash drops
// its locks, and unlike a process ID a lock means the same in every container.
func (s *Store) cleanTemp(dry bool) (removed int, err error) {
	entries, err := os.ReadDir(s.tmp)
	if err != nil {
		return 0, gone(err)
	}
	for _, e := range entries {
		path := filepath.Join(s.tmp, e.Name())
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue // another one cleans up, or it is not ours to remove
		}
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			err = lock(f, false)
			if err == nil || errors.Is(err, errors.ErrUnsupported) && time.Since(info.ModTime()) > unlockable {
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
func (s *Store) cleanFolders(ctx context.Context, prefixes []string, before time.Time, dry bool) (removed int, err error) {
	type folder struct {
		path    string
		changed time.Time
	}
	var folders []folder // those above come first
	kept := map[string]int{}
	err = filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return gone(err)
		case path == s.root:
			return nil
		}
		kept[filepath.Dir(path)]++
		if !d.IsDir() {
			return nil
		}
		key, err := filepath.Rel(s.root, path)
		key = filepath.ToSlash(key) + "/"
		if err != nil || storage.CheckKey(d.Name()) != nil || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err == nil {
			folders = append(folders, folder{path, info.ModTime()})
		}
		return gone(err)
	})
	if err != nil {
		return 0, err
	}
	for _, f := range slices.Backward(folders) {
		if kept[f.path] > 0 || !f.changed.Before(before) {
			continue
		}
		// What has come in since makes it fail.
		if dry || os.Remove(f.path) == nil {
			removed++
			kept[filepath.Dir(f.path)]--
		}
	}
	return removed, nil
}
