package dir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/topksweep/sweep/storage"
)

// Put writes a temporary file and renames it to key.
func (s *Store) Put(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	err := s.write(ctx, key, body, size, os.Rename)
	return storage.Wrap("put", key, explain(err))
}

// PutNew writes a temporary file and links it to key: of many links to one name
// exactly one succeeds, and the name never stands for a part.
func (s *Store) PutNew(ctx context.Context, key string, data []byte) error {
	err := s.write(ctx, key, bytes.NewReader(data), int64(len(data)), os.Link)
	if errors.Is(err, fs.ErrExist) {
		err = storage.ErrExists
	}
	return storage.Wrap("putnew", key, explain(err))
}

// races is how often a writer makes a folder again that a cleaner keeps removing
// while it is empty. It can lose many in a row: each is a few instructions long.
const races = 10_000

// write makes a synced temporary file of body and lets place give it its name.
func (s *Store) write(ctx context.Context, key string, body io.ReaderAt, size int64, place func(from, to string) error) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	f, err := s.temp()
	if err != nil {
		return err
	}
	defer func() {
		os.Remove(f.Name()) // after a rename it is gone already
		f.Close()
	}()
	if err := fill(ctx, f, body, size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	to := s.path(key)
	if ctx.Err() != nil { // the last moment at which nothing has happened
		return context.Cause(ctx)
	}
	if info, err := os.Lstat(to); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder of other keys", to)
	}
	var placed error
	for range races {
		if placed = mkdir(filepath.Dir(to)); placed == nil {
			placed = place(f.Name(), to)
		}
		if !errors.Is(placed, fs.ErrNotExist) { // else somebody removed the folder while it was empty
			break
		}
	}
	if placed != nil && !errors.Is(placed, fs.ErrExist) {
		return placed
	}
	// Who finds the name taken may act on what is there, so it must last too.
	if err := syncDir(filepath.Dir(to)); err != nil {
		return err
	}
	return placed
}

// fill copies the body to f in blocks, between which it heeds ctx.
func fill(ctx context.Context, f *os.File, body io.ReaderAt, size int64) error {
	buf := make([]byte, min(size, 256<<10))
	for off := int64(0); off < size; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := body.ReadAt(buf[:min(size-off, int64(len(buf)))], off)
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("body at byte %d of %d: %w", off, size, err)
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// mkdir creates a folder and those above it, so that they last: a synced file in
// a folder that a crash forgets is lost.
func mkdir(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is not a directory", path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if err := mkdir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}
