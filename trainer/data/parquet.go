package data

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/topksweep/sweep/trainer/data/parquetfile"
)

// copying opens Parquet files as copies of their rows. A copy is a .npy file in the folder of the cache. It is made
// when the file is first opened, and again when it has changed.
type copying struct {
	opener
	form form
	opts Options
}

// A copiedFile is an open copy, which stands for the Parquet file: what tells of changes is that of the other.
type copiedFile struct {
	shardFile // the copy
	of        shardFile
}

func (f copiedFile) Stat() (fs.FileInfo, error) { return f.of.Stat() }
func (f copiedFile) stamp() stamp               { return f.of.stamp() }
func (f copiedFile) Close() error               { return errors.Join(f.shardFile.Close(), f.of.Close()) }

// again is that of the files that it opens: see sourceFiles.
func (c copying) again(ctx context.Context) (opener, error) {
	if f, ok := c.opener.(interface {
		again(context.Context) (opener, error)
	}); ok {
		var err error
		if c.opener, err = f.again(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func isParquet(name string) bool { return strings.HasSuffix(name, ".parquet") }

func (c copying) Open(ctx context.Context, name string) (shardFile, error) {
	if !isParquet(name) || c.form.raw != nil {
		return c.opener.Open(ctx, name)
	}
	of, err := openChecked(ctx, c.opener, name)
	if err != nil {
		return nil, err
	}
	path, err := c.copy(ctx, name, of)
	if err != nil {
		return nil, errors.Join(err, of.Close())
	}
	file, err := localFiles{}.Open(ctx, path)
	if err != nil {
		return nil, errors.Join(err, of.Close())
	}
	return copiedFile{file, of}, nil
}

// copiesFolder is the folder of the cache that holds copies.
func copiesFolder(cache string) string { return filepath.Join(cache, "parquet") }

// copy returns the path of the copy of a file, and makes it if there is none that can be trusted.
func (c copying) copy(ctx context.Context, name string, of shardFile) (string, error) {
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
	prefix := filepath.Join(copiesFolder(c.opts.Cache), hash("%q %q", abs, c.form.tensor))
	path := prefix + "-" + hash("%+v", of.stamp()) + ".npy"
	if info, err := os.Stat(path); err == nil && !of.stamp().racy(info.ModTime()) {
		return path, nil
	}
	if err := c.convert(ctx, name, of, path); err != nil {
		return "", err
	}
	old, _ := filepath.Glob(prefix + "-*.npy")
	for _, o := range old {
		if o != path {
			os.Remove(o) // who has it mapped keeps it
		}
	}
	return path, nil
}

// convert writes the copy as a whole. Its time is that at which reading began, so that racy can tell.
func (c copying) convert(ctx context.Context, name string, of shardFile, path string) error {
	began := c.opts.clock()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp*")
	if err != nil {
		return err
	}
	err = c.write(ctx, name, of, f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync()) // others may read it; and after a power loss it is whole
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Chtimes(f.Name(), time.Time{}, began)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// write writes the rows of a Parquet file as a .npy file. What is wrong with the file is a ShardError.
func (c copying) write(ctx context.Context, name string, of shardFile, to *os.File) error {
	r := &errorRecorder{ReaderAt: of}
	var written error
	fail := func(err error) error {
		switch {
		case r.err != nil:
			return r.err
		case written != nil:
			return fmt.Errorf("write the copy of %s in %s (remove what is there at any time): %w", name,
				filepath.Dir(to.Name()), written)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		return &ShardError{name, err.Error() + conversion(name)}
	}
	if of.Size() == 0 {
		return &ShardError{name, "the file is empty: write it again"}
	}
	file, err := parquetfile.Open(r, of.Size())
	if err != nil {
		return fail(err)
	}
	all := make([]array, len(file.Columns))
	for i, col := range file.Columns {
		all[i] = array{col.Name, col.Type, col.Vector}
	}
	i, err := chooseRows("column", c.form.tensor, all)
	if err != nil {
		return fail(err)
	}
	col := file.Columns[i]
	if !col.Vector {
		return fail(fmt.Errorf("column %s is %s: want lists of floating-point numbers", col.Name, col.Type))
	}
	t := map[int]dtype{2: f16, 4: f32, 8: f64}[col.Bytes()]
	if _, written = to.Write(npyHead(t, 0, 0)); written != nil { // the shape comes at the end
		return fail(nil)
	}
	w := bufio.NewWriterSize(to, 1<<20)
	var rows int64
	width := 0
	err = file.Rows(col, func(raw []byte) error {
		rows++
		width = len(raw) / col.Bytes()
		if _, written = w.Write(raw); written != nil {
			return written
		}
		return ctx.Err()
	})
	if err != nil {
		return fail(fmt.Errorf("column %s: %w", col.Name, err))
	}
	if written = w.Flush(); written == nil {
		_, written = to.WriteAt(npyHead(t, rows, width), 0)
	}
	if written != nil {
		return fail(nil)
	}
	return nil
}

// copyNote says where the copies of Parquet files lie, and how large they are.
func (c copying) copyNote(list []shard) []string {
	var n, bytes int64
	for _, sh := range list {
		if isParquet(sh.name) && c.form.raw == nil {
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
