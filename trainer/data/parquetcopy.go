package data

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/topksweep/sweep/trainer/data/chunks"
	"github.com/topksweep/sweep/trainer/data/parquetfile"
)

// tempCopy begins the names of copies that are being written. Who writes one holds it, so that others see which ones a
// killed process has left.
const tempCopy = ".tmp"

// heldTemp makes a file that this process holds. Another process may take it for one that was left, until it is held.
func heldTemp(folder string) (f *os.File, err error) {
	const tries = 8 // some file systems have no locks
	for range tries {
		if f != nil {
			f.Close()
			os.Remove(f.Name())
		}
		if f, err = os.CreateTemp(folder, tempCopy+"*"); err != nil || chunks.Hold(f) {
			return f, err
		}
	}
	return f, nil
}

// convert writes the copy as a whole. Its time is that at which reading began, so that racy can tell. Another process
// may write the same copy at the same time: the last one stays, and both are read.
func (c *copying) convert(ctx context.Context, name string, of shardFile, path string) error {
	began := c.opts.clock()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := heldTemp(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer f.Close()
	err = c.write(ctx, name, of, f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync()) // others may read it; and after a power loss it is whole
	}
	if err == nil {
		err = os.Chtimes(f.Name(), time.Time{}, began)
	}
	if err == nil && os.Rename(f.Name(), path) != nil {
		f.Close() // some systems rename no open file
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
	}
	return err
}

// A countingReader tells how many bytes of a file are read, of each at most once.
type countingReader struct {
	shardFile
	read int64
	tell func(bytes int64)
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.shardFile.ReadAt(p, off)
	r.count(int64(n))
	return n, err
}

func (r *countingReader) count(n int64) {
	n = min(n, r.Size()-r.read)
	r.read += n
	r.tell(n)
}

// write writes the rows of a Parquet file as a .npy file. What is wrong with the file is a ShardError.
func (c *copying) write(ctx context.Context, name string, of shardFile, to *os.File) error {
	counted := &countingReader{shardFile: of, tell: c.tell}
	r := &errorRecorder{ReaderAt: counted}
	var written error
	column := c.form.tensor // "" before it is chosen
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
		return &ShardError{name, err.Error() + ofColumn(name, column)}
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
	if err != nil { // no lines would know which column is meant
		return &ShardError{name, err.Error()}
	}
	col := file.Columns[i]
	if column = col.Name; !col.Vector {
		return &ShardError{name, fmt.Sprintf("column %s is %s: want lists of floating-point numbers", column, col.Type)}
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
		return fail(fmt.Errorf("column %s: %w", column, err))
	}
	if rows == 0 {
		return &ShardError{name, noRows}
	}
	if written = w.Flush(); written == nil {
		_, written = to.WriteAt(npyHead(t, rows, width), 0)
	}
	if written != nil {
		return fail(nil)
	}
	counted.count(of.Size()) // the other columns
	return nil
}
