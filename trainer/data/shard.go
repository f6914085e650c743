package data

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sort"
)

// maxDim is the largest activation_dim that the trainer takes.
const maxDim = 1 << 20

// A layout says where the rows of a shard are: rows·dim numbers, one row after the
// other, from byte start of the file on.
type layout struct {
	dtype dtype
	rows  int64
	dim   int
	start int64
	parts *parts // where the rows lie if they are not one after the other; nil if they are
}

func (l layout) rowBytes() int64 { return int64(l.dim) * l.dtype.size() }
func (l layout) bytes() int64    { return l.rows * l.rowBytes() }

// A shard is an open file of rows.
type shard struct {
	layout
	name  string
	file  shardFile // a checkedFile
	first int64     // number in the source of the shard's row 0
}

// An errorRecorder records the first error of reading, so that it is not taken for an
// error of the shard's content.
type errorRecorder struct {
	io.ReaderAt // a checkedFile, whose errors are explained
	err         error
}

func (w *errorRecorder) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF && w.err == nil {
		w.err = err
	}
	return n, err
}

// shards is the source of the rows of several shards, one shard after the other.
type shards struct {
	list  []shard
	width int   // numbers in a row
	count int64 // rows
	dtype dtype // that all numbers are given in; f32 if shards differ in it
	form  form  // how its files hold rows
	half  *f16Values
	notes []string // what a person should know of the source, a sentence each

	allHeldOut bool // its rows are to measure on, not to train on
}

// openShards opens all shards of a source. The error joins those of all shards. With allHeldOut none of the rows are
// to train on.
func openShards(ctx context.Context, files opener, source string, form form, workers int,
	allHeldOut bool) (*shards, error) {
	found, err := files.List(ctx, source, form.raw != nil)
	if err != nil {
		return nil, err
	}
	if len(found.names) == 0 {
		return nil, &SourceError{Source: source, Msg: "holds no shards"}
	}
	s := &shards{form: form, half: newF16Values(), notes: found.notes, allHeldOut: allHeldOut}
	if err := s.ofDatasets(ctx, files, &found); err != nil {
		return nil, err
	}
	s.notes = found.notes
	if err := checkPlaces(ctx, files, source, found.names, workers, allHeldOut); err != nil {
		return nil, err
	}
	if errs := s.open(ctx, files, found.names, workers); len(errs) > 0 {
		s.Close()
		return nil, joinErrors(errs)
	}
	if errs := s.check(ctx, source, workers); len(errs) > 0 {
		s.Close()
		return nil, joinErrors(errs)
	}
	return s, nil
}

// open opens the shards and reads their headers.
func (s *shards) open(ctx context.Context, files opener, names []string, workers int) (errs []error) {
	// The error of a shard is a result, so that the errors of other shards are seen too.
	type opened struct {
		shard
		err error
	}
	err := inOrder(ctx, workers, int64(len(names)), 1, func(i, _ int64) (op opened) {
		op.name = names[i]
		if op.file, op.err = openChecked(ctx, files, op.name); op.err == nil {
			op.layout, op.err = s.form.readLayout(op.name, op.file)
		}
		return op
	}, func(op opened) {
		if op.file != nil {
			s.list = append(s.list, op.shard)
		}
		if op.err != nil {
			errs = append(errs, op.err)
		}
	})
	if err != nil {
		return []error{err}
	}
	return errs
}

// check looks at the shards together, and adds to the notes.
func (s *shards) check(ctx context.Context, source string, workers int) []error {
	if errs := s.index(); len(errs) > 0 {
		return errs
	}
	if !s.allHeldOut { // few rows are enough to measure on, and a transposed array has another width than the model
		if err := s.checkShape(source); err != nil {
			return []error{err}
		}
		s.notes = append(s.notes, s.shapeNotes()...)
	}
	return s.copies(ctx, workers)
}

// index numbers the rows and checks that all shards have rows of the same width.
func (s *shards) index() (errs []error) {
	s.width, s.dtype = s.list[0].dim, s.list[0].dtype
	for i := range s.list {
		sh := &s.list[i]
		if sh.dtype != s.dtype || sh.dtype == f64 {
			s.dtype = f32
		}
		sh.first = s.count
		s.count += sh.rows
		if sh.dim != s.width {
			errs = append(errs, widthError(sh, &s.list[0]))
		}
	}
	return errs
}

func (s *shards) rows() int64   { return s.count }
func (s *shards) dim() int      { return s.width }
func (s *shards) stored() dtype { return s.dtype }

func (s *shards) read(row int64, x []float32, scale float32, buf []byte) error {
	sh := s.shardOf(row)
	buf = buf[:sh.rowBytes()]
	if err := sh.read(row-sh.first, buf); err != nil {
		return err
	}
	if sh.dtype.decode(x, buf, scale, s.half) {
		return nil
	}
	return sh.badRow(row-sh.first, x)
}

func (s *shards) readStored(row int64, x []byte, limit limit, buf []byte) error {
	sh := s.shardOf(row)
	narrow := x
	if len(x) != int(sh.rowBytes()) { // numbers of several types, and float64, become float32
		narrow = buf[:sh.rowBytes()]
	}
	if err := sh.read(row-sh.first, narrow); err != nil {
		return err
	}
	if len(narrow) != len(x) {
		sh.dtype.widen(x, narrow, s.half)
	}
	if limit.holds(x) {
		return nil
	}
	row_D := make([]float32, s.width)
	sh.dtype.decode(row_D, narrow, limit.scale, s.half)
	return sh.badRow(row-sh.first, row_D)
}

// read fills buf with the bytes of a row of the shard.
func (sh *shard) read(row int64, buf []byte) error {
	n, err := sh.ReadAt(buf, row*sh.rowBytes())
	if n == len(buf) {
		return nil
	}
	return err
}

// ReadAt reads bytes of the rows as if they lay one after the other from byte 0 on.
func (sh *shard) ReadAt(p []byte, off int64) (int, error) {
	if sh.parts != nil {
		return sh.parts.readAt(sh.file, p, off)
	}
	return sh.file.ReadAt(p, sh.start+off)
}

// badRow returns the error of a row of the shard whose scaled numbers are not all finite.
func (sh *shard) badRow(row int64, x []float32) error {
	col := slices.IndexFunc(x, func(v float32) bool { return !(math.Abs(float64(v)) <= math.MaxFloat32) })
	return &BadRowError{File: sh.name, Row: row, Col: col, Value: x[col]}
}

// shardOf returns the shard that holds a row of the source.
func (s *shards) shardOf(row int64) *shard {
	return &s.list[sort.Search(len(s.list), func(i int) bool { return s.list[i].first > row })-1]
}

func (s *shards) Close() error {
	var errs []error
	for _, sh := range s.list {
		errs = append(errs, sh.file.Close())
	}
	s.list = nil
	return errors.Join(errs...)
}
