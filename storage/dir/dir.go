// Package dir keeps objects as files under a directory: the store of a sweep on
// one machine, or on a file system that several machines share.
//
// An object appears whole or not at all: it is written to a temporary file,
// synced, renamed to its name, and the directory is synced. The temporary files
// lie in "+tmp" under the root, a name that no key has, so the root must be on
// one file system. They are locked while somebody writes them; those that a
// crash left behind are removed when the store is opened.
//
// The package may touch nothing outside the root.
package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/disk"
)

// Folders and files have the modes that the umask of the process leaves, so that the people of
// a group can share a store: with an umask of 002 or 007, and a root whose group is theirs and
// which is setgid, each may write, replace and remove what the others wrote.
const (
	dirMode     = 0o777
	fileMode    = 0o666
	privateMode = 0o700 // of a root that lets nobody else in
)

// A Store keeps objects under a directory.
type Store struct {
	root   string
	tmp    string
	opened fs.FileInfo // of the root, when the store was opened
}

var _ interface {
	storage.Store
	storage.NewPutter
	storage.Cleaner
	storage.Fresher
} = (*Store)(nil)

// Open returns the store under root, which it creates if need be, and removes the
// temporary files that crashed writers left behind.
func Open(root string) (*Store, error) { return open(root, dirMode) }

// OpenPrivate is Open, but a root that it creates, and the folders above it that it creates,
// let only this user in, whatever the umask is. A root that is there stays as it is.
func OpenPrivate(root string) (*Store, error) { return open(root, privateMode) }

// open is Open. mode is that of a root that is created.
func open(root string, mode fs.FileMode) (*Store, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, storage.Wrap("open", root, err)
	}
	s := &Store{root: abs, tmp: filepath.Join(abs, "+tmp")}
	err = mkdir(abs, mode)
	if err == nil {
		err = mkdir(s.tmp, dirMode)
	}
	if err != nil {
		return nil, storage.Wrap("open", root, s.explain(err))
	}
	if s.root, err = filepath.EvalSymlinks(abs); err != nil { // walks don't follow links
		return nil, storage.Wrap("open", root, err)
	}
	if s.opened, err = os.Stat(s.root); err != nil {
		return nil, storage.Wrap("open", root, err)
	}
	if _, err := s.cleanTemp(false); err != nil {
		return nil, storage.Wrap("open", root, s.explain(err))
	}
	return s, nil
}

func (s *Store) path(key string) string { return filepath.Join(s.root, filepath.FromSlash(key)) }

// key is the key of a path below the root; "" of the root itself.
func (s *Store) key(path string) string {
	return strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, s.root)), "/")
}

// Get opens the file under key.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	f, size, err := s.open(ctx, key)
	if err != nil {
		return nil, storage.Wrap("get", key, s.explain(err))
	}
	return &reader{ctx: ctx, s: s, f: f, key: key, size: size}, nil
}

func (s *Store) open(ctx context.Context, key string) (f *os.File, size int64, err error) {
	if err := check(ctx, key); err != nil {
		return nil, 0, err
	}
	f, err = os.Open(s.path(key))
	if err != nil {
		if ignoreMissing(err) == nil {
			err = storage.ErrNotFound
			if gone := s.isThere(); gone != nil {
				err = gone
			}
		}
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: a folder of other keys", storage.ErrNotFound)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Fresh makes the kernel forget the file under key, as far as it can: a wrong page in
// memory would be wrong in every read.
func (s *Store) Fresh(ctx context.Context, key string) {
	if f, _, err := s.open(ctx, key); err == nil {
		dropCached(f)
		f.Close()
	}
}

// A reader is an open object. Writers replace files and never change them, so it
// reads the object that was there when it was opened. On a network a read may end
// early: the size that the file had then tells.
type reader struct {
	ctx  context.Context
	s    *Store
	f    *os.File
	key  string
	size int64
	off  int64
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, storage.Wrap("get", r.key, context.Cause(r.ctx))
	}
	n, err := r.f.Read(p)
	r.off += int64(n)
	if err == io.EOF && r.off < r.size {
		err = fmt.Errorf("the file ended after %d bytes of %d: %w", r.off, r.size, io.ErrUnexpectedEOF)
	}
	if err != nil && err != io.EOF {
		err = storage.Wrap("get", r.key, r.s.explain(err))
	}
	return n, err
}

func (r *reader) Close() error { return r.f.Close() }

// List walks the folder that the prefix ends in.
func (s *Store) List(ctx context.Context, prefix string) ([]storage.Object, error) {
	if err := storage.CheckPrefix(prefix); err != nil {
		return nil, storage.Wrap("list", prefix, err)
	}
	folder := prefix[:strings.LastIndexByte(prefix, '/')+1]
	var objects []storage.Object
	err := filepath.WalkDir(s.path(folder), func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return ignoreMissing(err)
		}
		key := s.key(path)
		switch {
		case key == "": // the root itself
			return nil
		case storage.CheckKey(key) != nil: // "+tmp", or of another program
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			if !strings.HasPrefix(key+"/", prefix) && !strings.HasPrefix(prefix, key+"/") {
				return fs.SkipDir
			}
			return nil
		case !strings.HasPrefix(key, prefix):
			return nil
		}
		info, err := infoOf(path, d)
		if err != nil {
			return ignoreMissing(err)
		}
		if info.Mode().IsRegular() {
			objects = append(objects, storage.Object{Key: key, Size: info.Size(), Modified: info.ModTime()})
		}
		return nil
	})
	if err == nil && len(objects) == 0 {
		err = s.isThere()
	}
	if err != nil {
		return nil, storage.Wrap("list", prefix, s.explain(err))
	}
	// A walk goes by elements, keys by bytes: "a-b" < "a/b".
	slices.SortFunc(objects, func(a, b storage.Object) int { return cmp.Compare(a.Key, b.Key) })
	return objects, nil
}

// infoOf describes a file, or what a link leads to.
func infoOf(path string, d fs.DirEntry) (fs.FileInfo, error) {
	if d.Type().IsRegular() {
		return d.Info()
	}
	return os.Stat(path)
}

// isThere returns an error if the root is no store any more. A file system that is no
// longer mounted leaves an empty folder behind, in which no key seems to hold anything:
// a run would begin again at step 0.
func (s *Store) isThere() error {
	info, err := os.Stat(s.root)
	if err == nil && !os.SameFile(info, s.opened) {
		_, err = os.Stat(s.tmp) // the store may have been mounted again
	}
	if err != nil {
		return fmt.Errorf("the store at %s is not there any more; is its file system mounted? %w", s.root, err)
	}
	return nil
}

// ignoreMissing drops the errors of files that another process removed meanwhile,
// and of a prefix under which there is nothing.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// Delete removes the file under key, and the folders that become empty by it, except those right below the root. A
// writer whose folder is removed makes it again.
func (s *Store) Delete(ctx context.Context, key string) error {
	return storage.Wrap("delete", key, s.explain(s.remove(ctx, key)))
}

func (s *Store) remove(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	path := s.path(key)
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err = ignoreMissing(err); err == nil {
		s.removeEmpty(filepath.Dir(path))
	}
	return err
}

// removeEmpty removes a folder and those above it, as far as they are empty. It is no error if one stays: Clean removes
// it. After a crash some may be there again.
func (s *Store) removeEmpty(folder string) {
	for strings.Contains(s.key(folder), "/") {
		// A link would be removed whatever is in the folder that it leads to.
		if info, err := os.Lstat(folder); err != nil || !info.IsDir() || os.Remove(folder) != nil {
			return
		}
		folder = filepath.Dir(folder)
	}
}

func check(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return storage.CheckKey(key)
}

// explain marks the errors that callers distinguish, and names the disk that takes no more.
func (s *Store) explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return storage.Mark(disk.Explain(s.root, err), storage.ErrNoSpace)
	case errors.Is(err, syscall.EROFS):
		return storage.Mark(disk.Explain(s.root, err), storage.ErrReadOnly)
	}
	return err
}
