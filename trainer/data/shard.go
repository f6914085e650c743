package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/topksweep/sweep/trainer/safetensors"
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

// readLayout reads the header of a shard and checks it against the file.
func readLayout(name string, f shardFile) (layout, error) {
	w := &errorRecorder{ReaderAt: f}
	l, err := w.layout(name, f.Size())
	switch {
	case w.err != nil:
		return l, w.err
	case err != nil:
		msg := err.Error()
		if fix := (fixable{}); errors.As(err, &fix) {
			msg += fix.lines(name)
		}
		return l, &ShardError{name, msg}
	case l.rows == 0:
		return l, &ShardError{name, "holds no rows: remove the file"}
	case l.dim == 0:
		return l, &ShardError{name, "its rows have no width"}
	}
	return l, nil
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

// layout returns where the rows are of a shard of size bytes.
func (w *errorRecorder) layout(name string, size int64) (layout, error) {
	if size == 0 {
		return layout{}, errors.New("the file is empty: write it again")
	}
	if strings.HasSuffix(name, ".npy") {
		h, err := readNpy(w, size)
		if err != nil {
			return layout{}, err
		}
		return h.layout(size)
	}
	h, err := safetensors.ReadHeader(io.NewSectionReader(w, 0, size), size)
	if err != nil {
		return layout{}, fmt.Errorf("%w: copy or write it again", err)
	}
	return tensorLayout(h)
}

// tensorLayout returns where the rows are of the tensor named activations, or else of
// the only tensor with two dimensions.
func tensorLayout(h *safetensors.Header) (l layout, err error) {
	var two []safetensors.Tensor
	for _, t := range h.Tensors {
		if t.Name == "activations" {
			two = []safetensors.Tensor{t}
			break
		}
		if len(t.Shape) == 2 {
			two = append(two, t)
		}
	}
	switch {
	case len(two) == 0 && len(h.Tensors) > 0:
		return l, asActivations(largest(h.Tensors), h.Tensors,
			"no tensor of two dimensions; it holds %s: write [rows, width] under the name activations", describe(h.Tensors))
	case len(two) == 0:
		return l, errors.New("it holds no tensor: write one of [rows, width] under the name activations")
	case len(two) > 1:
		return l, asActivations(largest(two), h.Tensors,
			"several tensors of two dimensions and none named activations: %s: give the right one that name", describe(two))
	case len(two[0].Shape) != 2:
		return l, asActivations(two[0], h.Tensors, "activations has shape %v: reshape it to [rows, width]", two[0].Shape)
	}
	t := two[0]
	switch l.dtype = dtype(t.DType); l.dtype {
	case f32, f16, bf16:
	default:
		return l, asActivations(t, h.Tensors, "tensor %s has dtype %s: store it as F32, F16 or BF16", t.Name, t.DType)
	}
	if t.Shape[1] > maxDim {
		return l, fmt.Errorf("tensor %s: rows of %d numbers are wider than %d", t.Name, t.Shape[1], maxDim)
	}
	l.rows, l.dim, l.start = t.Shape[0], int(t.Shape[1]), h.DataStart+t.Begin
	return l, nil
}

// describe lists names and shapes, of ten tensors at most.
func describe(tensors []safetensors.Tensor) string {
	const most = 10
	var words []string
	for _, t := range tensors[:min(most, len(tensors))] {
		words = append(words, fmt.Sprintf("%s %v", t.Name, t.Shape))
	}
	if len(tensors) > most {
		words = append(words, fmt.Sprintf("and %d more", len(tensors)-most))
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}

// shards is the source of the rows of several shards, one shard after the other.
type shards struct {
	list  []shard
	width int   // numbers in a row
	count int64 // rows
	dtype dtype // of all numbers; f32 if shards differ in it
	half  *f16Values
	notes []string // what a person should know of the source, a sentence each

	allHeldOut bool // its rows are to measure on, not to train on
}

// openShards opens all shards of a source. The error joins those of all shards. With allHeldOut none of the rows are
// to train on.
func openShards(ctx context.Context, files opener, source string, workers int, allHeldOut bool) (*shards, error) {
	found, err := files.List(ctx, source)
	if err != nil {
		return nil, err
	}
	if len(found.names) == 0 {
		return nil, &SourceError{Source: source, Msg: "holds no shards"}
	}
	s := &shards{half: newF16Values(), notes: found.notes, allHeldOut: allHeldOut}
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
			op.layout, op.err = readLayout(op.name, op.file)
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
		if sh.dtype != s.dtype {
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
	if len(x) != int(sh.rowBytes()) { // numbers of several types become float32
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
	n, err := sh.file.ReadAt(buf, sh.start+row*sh.rowBytes())
	if n == len(buf) {
		return nil
	}
	return err
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
