package data

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/safetensors"
)

// noRows is the error of a shard without rows.
const noRows = "holds no rows: remove the file"

// A form is what a spec says of how files hold rows.
type form struct {
	tensor string       // the tensor or column that holds them; "" for the one that chooseRows takes
	raw    *trainer.Raw // files hold bare numbers; nil for files that say what they hold
}

func formOf(spec trainer.DataSpec) form { return form{spec.Tensor, spec.Raw} }

// identify writes what tells the form from that of a spec that says nothing of it.
func (f form) identify(w io.Writer) {
	if f.tensor != "" {
		fmt.Fprintf(w, "tensor %q\n", f.tensor)
	}
	if f.raw != nil {
		fmt.Fprintf(w, "raw %+v\n", *f.raw)
	}
}

// readLayout reads the header of a shard and checks it against the file.
func (f form) readLayout(name string, file shardFile) (layout, error) {
	w := &errorRecorder{ReaderAt: file}
	l, err := f.layout(name, w, file.Size())
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
		return l, &ShardError{name, noRows}
	case l.dim == 0:
		return l, &ShardError{name, "its rows have no width"}
	}
	return l, nil
}

// layout returns where the rows are of a shard of size bytes.
func (f form) layout(name string, r io.ReaderAt, size int64) (layout, error) {
	switch {
	case size == 0:
		return layout{}, errors.New("the file is empty: write it again")
	case f.raw != nil:
		return rawLayout(name, *f.raw, r, size)
	case strings.HasSuffix(name, ".npy"), isParquet(name): // of a Parquet file its copy
		h, err := readNpy(r, size)
		if err != nil {
			return layout{}, err
		}
		return h.layout(size)
	}
	if strings.HasSuffix(name, ".arrow") {
		return f.arrowLayout(r, size)
	}
	h, err := safetensors.ReadHeader(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return layout{}, fmt.Errorf("%w: copy or write it again", err)
	}
	return f.tensorLayout(h)
}

// setShape sets rows and dim from the shape of an array: its last dimension is the width of a row, and the others count
// rows.
func (l *layout) setShape(shape []int64) error {
	width := shape[len(shape)-1]
	l.rows = 1
	for _, n := range shape[:len(shape)-1] {
		if n > 0 && l.rows > math.MaxInt64/widest/n {
			return fmt.Errorf("shape %v is larger than any file", shape)
		}
		l.rows *= n
	}
	if slices.Contains(shape[:len(shape)-1], 0) {
		l.rows = 0
	}
	if width > maxDim {
		return fmt.Errorf("rows of %d numbers are wider than %d", width, maxDim)
	}
	if l.rows > 0 && width > math.MaxInt64/widest/l.rows {
		return fmt.Errorf("shape %v is larger than any file", shape)
	}
	l.dim = int(width)
	return nil
}
