package data

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/trainer/data/chunks"
)

// copying opens Parquet files as copies of their rows. A copy is a .npy file in the folder of the cache. It is made
// when the file is first opened, and again when the file has changed or the copy is damaged.
type copying struct {
	opener
	form form
	opts Options
	read func(bytes int64) // tells how far the Parquet files are read; nil for nobody
}

// A copiedFile is an open copy. The Parquet file is closed: what tells of changes is what that was when it was copied.
type copiedFile struct {
	shardFile // the copy
	info      fs.FileInfo
	was       stamp
}

func (f copiedFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f copiedFile) stamp() stamp               { return f.was }

// ReadAt implements io.ReaderAt. A copy that was cut short is no fault of the data: it is made again when the file is
// next opened.
func (f copiedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.shardFile.ReadAt(p, off)
	if n < len(p) && off+int64(n) < f.Size() && (err == nil || err == io.EOF) {
		err = errCopyCut
	}
	return n, err
}

var errCopyCut = errors.New("its copy in the cache was cut short: it is made again when the file is next opened")

// again is that of the files that it opens: see sourceFiles.
func (c *copying) again(ctx context.Context) (opener, error) {
	now := *c
	if f, ok := c.opener.(interface {
		again(context.Context) (opener, error)
	}); ok {
		var err error
		if now.opener, err = f.again(ctx); err != nil {
			return nil, err
		}
	}
	return &now, nil
}

func isParquet(name string) bool { return strings.HasSuffix(name, ".parquet") }

// copies reports whether a file is opened as a copy.
func (c *copying) copies(name string) bool { return isParquet(name) && c.form.raw == nil }

// List is that of the opener. Progress is told of the reading of all Parquet files that it finds.
func (c *copying) List(ctx context.Context, source string, raw bool) (listing, error) {
	l, err := c.opener.List(ctx, source, raw)
	var total int64
	for _, name := range l.names {
		if !c.copies(name) {
			continue
		}
		if f, err := c.opener.Open(ctx, name); err == nil { // what is wrong shows when it is opened
			total += f.Size()
			f.Close()
		}
	}
	if total > 0 {
		c.read = c.opts.meter(total)
	}
	return l, err
}

func (c *copying) Open(ctx context.Context, name string) (shardFile, error) {
	if !c.copies(name) {
		return c.opener.Open(ctx, name)
	}
	of, err := openChecked(ctx, c.opener, name)
	if err != nil {
		return nil, err
	}
	defer of.Close() // what is read from now on is the copy
	info, err := of.Stat()
	if err != nil {
		return nil, fileError(name, err)
	}
	path, err := c.copy(ctx, name, of)
	if err != nil {
		return nil, err
	}
	file, err := localFiles{}.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return copiedFile{file, info, of.stamp()}, nil
}

// copiesFolder is the folder of the cache that holds copies.
func copiesFolder(cache string) string { return filepath.Join(cache, "parquet") }

// copy returns the path of the copy of a file, and makes it if there is none that can be trusted.
func (c *copying) copy(ctx context.Context, name string, of shardFile) (string, error) {
	if c.opts.Cache == "" {
		return "", &SourceError{Source: name, Msg: "a Parquet file is converted once, and there is no cache folder for the " +
			"copy: set XDG_CACHE_HOME or HOME"}
	}
	abs, err := name, error(nil)
	if !isRemote(name) {
		abs, err = filepath.Abs(name)
	}
	if err != nil {
		return "", err
	}
	hash := func(format string, a ...any) string {
		return digest(sha256.Sum256(fmt.Appendf(nil, format, a...))).String()
	}
	// Copies of one file and column begin with the same digits, so that old ones are found.
	folder, first := copiesFolder(c.opts.Cache), hash("%q %q", abs, c.form.tensor)+"-"
	path := filepath.Join(folder, first+hash("%+v", of.stamp())+".npy")
	if info, err := os.Stat(path); err == nil && !of.stamp().racy(info.ModTime()) && isWhole(path) {
		c.tell(of.Size())
		return path, nil
	}
	removeLeft(folder, func(name string) bool { return strings.HasPrefix(name, tempCopy) }, chunks.RemoveUnused)
	if err := c.convert(ctx, name, of, path); err != nil {
		return "", err
	}
	removeLeft(folder, func(name string) bool { return strings.HasPrefix(name, first) && name != filepath.Base(path) },
		func(path string) bool { return os.Remove(path) == nil }) // who has it mapped keeps it
	return path, nil
}

// tell reports that so many bytes of Parquet files are read.
func (c *copying) tell(bytes int64) {
	if c.read != nil {
		c.read(bytes)
	}
}

// removeLeft removes files of a folder that are of no use. What cannot be removed stays.
func removeLeft(folder string, useless func(name string) bool, remove func(path string) bool) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		if useless(e.Name()) {
			remove(filepath.Join(folder, e.Name()))
		}
	}
}

// isWhole reports whether a copy is as large as its header says.
func isWhole(path string) bool {
	f, err := openPlain(path)
	if err != nil {
		return false
	}
	defer f.Close()
	h, err := readNpy(f, f.Size())
	if err != nil {
		return false
	}
	_, err = h.layout(f.Size())
	return err == nil
}

// copyNote says where the copies of Parquet files lie, and how large they are.
func (c *copying) copyNote(list []shard) []string {
	var n, bytes int64
	for _, sh := range list {
		if c.copies(sh.name) {
			n, bytes = n+1, bytes+sh.bytes()
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d Parquet files are read from copies of %d bytes in %s. They may be removed when "+
		"nothing reads them.", n, bytes, copiesFolder(c.opts.Cache))}
}

var _ io.ReaderAt = copiedFile{}
