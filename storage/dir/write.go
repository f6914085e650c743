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
	return storage.Wrap("put", key, s.explain(err))
}

// PutNew writes a temporary file and links it to key: of many links to one name
// exactly one succeeds, and the name never stands for a part.
func (s *Store) PutNew(ctx context.Context, key string, data []byte) error {
	err := s.write(ctx, key, bytes.NewReader(data), int64(len(data)), os.Link)
	if errors.Is(err, fs.ErrExist) {
		err = storage.ErrExists
	}
	return storage.Wrap("putnew", key, s.explain(err))
}

// mkdirTries is how often a writer makes its folder again when others keep removing the
// folder while it is empty. A writer can lose this race many times in a row, because each
// round is only a few instructions long.
const mkdirTries = 10_000

// write makes a synced temporary file of body and calls rename, which is os.Rename
// or os.Link, to give it its name.
func (s *Store) write(
	ctx context.Context, key string, body io.ReaderAt, size int64, rename func(from, to string) error,
) (err error) {
	if err := check(ctx, key); err != nil {
		return err
	}
	f, err := s.temp()
	if err != nil {
		return err
	}
	defer func() {
		err = s.explain(err) // while the file still takes the room that it has found
		os.Remove(f.Name())  // after a rename it is gone already
		f.Close()
	}()
	if err := fill(ctx, f, body, size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	to := s.path(key)
	if ctx.Err() != nil { // up to here nothing has changed in the store
		return context.Cause(ctx)
	}
	if info, err := os.Lstat(to); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder of other keys", to)
	}
	var renamed error
	for range mkdirTries {
		if renamed = mkdir(filepath.Dir(to), dirMode); renamed == nil {
			renamed = rename(f.Name(), to)
		}
		if !errors.Is(renamed, fs.ErrNotExist) { // else the folder was removed while it was empty
			break
		}
	}
	if renamed != nil && !errors.Is(renamed, fs.ErrExist) {
		return renamed
	}
	// A caller that gets ErrExist may act on the object that is there. So that name
	// must survive a crash, too.
	err = syncDir(filepath.Dir(to))
	if errors.Is(err, fs.ErrNotExist) { // somebody has removed the object since, and its folder with it
		err = s.isThere()
	}
	if err != nil {
		return err
	}
	return renamed
}

// fill copies the body to f in blocks. It stops between blocks when ctx ends.
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
		written, err := f.Write(buf[:n])
		off += int64(written)
		if err != nil {
			return fmt.Errorf("%w after %d of %d bytes", err, off, size)
		}
	}
	return nil
}

// mkdir creates a folder and those above it, and syncs each: a crash that loses a
// folder loses the synced files in it. mode is that of what it creates, less the umask.
func mkdir(path string, mode fs.FileMode) error {
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
	if err := mkdir(parent, mode); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}
