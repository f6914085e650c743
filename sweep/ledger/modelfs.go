package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/topksweep/sweep/storage"
)

// ModelFS is a run's exported model as a folder: the objects below models/RUN/, as one listing shows them. Files are
// read as streams, from their beginning. The error wraps storage.ErrNotFound if there is no such object. ctx is that of
// all reads of the folder.
func (l *Ledger) ModelFS(ctx context.Context, run string) (fs.FS, error) {
	prefix := ModelKey(run, "")
	if err := storage.CheckKey(strings.TrimSuffix(prefix, "/")); err != nil {
		return nil, fmt.Errorf("run %q: %w", run, err)
	}
	objects, err := l.store.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 {
		return nil, storage.Wrap("list", prefix, storage.ErrNotFound)
	}
	f := modelFS{ctx: ctx, store: l.store, prefix: prefix, entries: map[string]modelEntry{}}
	for _, o := range objects {
		f.add(strings.TrimPrefix(o.Key, prefix), o)
	}
	return f, nil
}

// modelFS implements fs.FS, fs.StatFS and fs.ReadDirFS.
type modelFS struct {
	ctx     context.Context
	store   storage.Store
	prefix  string
	entries map[string]modelEntry // by name; "." is the folder itself
}

// A modelEntry is a file or a folder. It implements fs.FileInfo and fs.DirEntry.
type modelEntry struct {
	name     string // below models/RUN/
	size     int64
	modified time.Time
	children []string // of a folder, in the order of the listing, which is that of the keys
}

// add adds an object under its name, and the folders that it lies in.
func (f modelFS) add(name string, o storage.Object) {
	f.entries[name] = modelEntry{name: name, size: o.Size, modified: o.Modified}
	for name != "." {
		parent := path.Dir(name)
		e, known := f.entries[parent]
		if !known {
			e = modelEntry{name: parent, modified: o.Modified}
		}
		if slices.Contains(e.children, name) {
			return
		}
		e.children = append(e.children, name)
		f.entries[parent] = e
		name = parent
	}
}

// Open implements fs.FS.
func (f modelFS) Open(name string) (fs.File, error) {
	e, err := f.entry("open", name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		return &modelFolder{entry: e, left: f.list(e)}, nil
	}
	body, err := f.store.Get(f.ctx, f.prefix+name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &modelFile{entry: e, body: body}, nil
}

// Stat implements fs.StatFS: it opens nothing.
func (f modelFS) Stat(name string) (fs.FileInfo, error) { return f.entry("stat", name) }

// ReadDir implements fs.ReadDirFS.
func (f modelFS) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := f.entry("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		return nil, pathError("readdir", name, errors.New("not a folder"))
	}
	return f.list(e), nil
}

func (f modelFS) entry(op, name string) (modelEntry, error) {
	if !fs.ValidPath(name) {
		return modelEntry{}, pathError(op, name, fs.ErrInvalid)
	}
	e, ok := f.entries[name]
	if !ok {
		return modelEntry{}, pathError(op, name, fs.ErrNotExist)
	}
	return e, nil
}

// list returns what is in a folder, sorted by name.
func (f modelFS) list(e modelEntry) []fs.DirEntry {
	all := make([]fs.DirEntry, len(e.children))
	for i, name := range e.children {
		all[i] = f.entries[name]
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// pathError is err as package fs wants it. What the listing showed and a read does not find any more is fs.ErrNotExist.
func pathError(op, name string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		err = storage.Mark(err, fs.ErrNotExist)
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (e modelEntry) Name() string               { return path.Base(e.name) }
func (e modelEntry) Size() int64                { return e.size }
func (e modelEntry) ModTime() time.Time         { return e.modified }
func (e modelEntry) IsDir() bool                { return e.children != nil }
func (e modelEntry) Type() fs.FileMode          { return e.Mode().Type() }
func (e modelEntry) Info() (fs.FileInfo, error) { return e, nil }
func (e modelEntry) Sys() any                   { return nil }
func (e modelEntry) Mode() fs.FileMode {
	if e.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// A modelFile is an object that is read.
type modelFile struct {
	entry modelEntry
	body  io.ReadCloser
}

func (f *modelFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *modelFile) Read(p []byte) (int, error) { return f.body.Read(p) }
func (f *modelFile) Close() error               { return f.body.Close() }

// A modelFolder is a folder whose entries are read.
type modelFolder struct {
	entry modelEntry
	left  []fs.DirEntry
}

func (f *modelFolder) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *modelFolder) Close() error               { return nil }
func (f *modelFolder) Read([]byte) (int, error) {
	return 0, pathError("read", f.entry.name, errors.New("is a folder"))
}

// ReadDir implements fs.ReadDirFile.
func (f *modelFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.left)
	} else if len(f.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.left))
	out := f.left[:n]
	f.left = f.left[n:]
	return out, nil
}
