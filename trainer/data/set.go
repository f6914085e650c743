package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// These are streams of trainer.Rand. They differ from those that draw the weights.
const (
	streamBase  = 0x62617365 // selects the held-out rows
	streamEpoch = 0x65706f63 // orders the training rows of an epoch
)

// Options say how Open and Inspect read. The zero value uses all cores.
type Options struct {
	Workers int // goroutines for scans; 0 stands for GOMAXPROCS. Results do not depend on it

	// Progress is called with the number of rows that Inspect has scanned, never by two
	// goroutines at once; nil for none.
	Progress func(done, total int64)
}

// filled returns o with the defaults in place of zero values.
func (o Options) filled() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	return o
}

// A source holds rows, numbered from 0.
type source interface {
	rows() int64
	dim() int // numbers in a row

	// read sets x, [D], to the row times scale. buf is scratch memory of 4·D bytes.
	read(row int64, x []float32, scale float32, buf []byte) error
	Close() error
}

// A Set is opened data: rows to train on and held-out rows. All its methods but Close
// may be called by several goroutines at once.
type Set struct {
	src   source
	info  trainer.DataInfo
	base  perm      // of all rows: its first EvalRows elements are held out
	train int64     // number of rows to train on
	scale float32   // that every row is multiplied by
	dirs  []float32 // see Directions
	bufs  sync.Pool // of *[]byte, scratch of source.read
}

// Open opens the data of spec. It checks every shard's header and a sample of the rows,
// and computes the scale and the fingerprint; the other rows it does not read. The error
// joins those of all shards. errors.Is(err, ErrBad) is true where the data or the spec
// are wrong, and false where, for example, a disk fails.
func Open(ctx context.Context, spec trainer.DataSpec, o Options) (*Set, error) {
	return openFrom(ctx, localFiles{}, spec, o)
}

func openFrom(ctx context.Context, files opener, spec trainer.DataSpec, o Options) (*Set, error) {
	o = o.filled()
	if err := checkSpec(spec); err != nil {
		return nil, err
	}
	s := &Set{info: trainer.DataInfo{DType: string(f32)}}
	var content digest
	sample := int64(sampleRows)
	if spec.Synthetic != nil {
		syn, err := newSynthetic(*spec.Synthetic)
		if err != nil {
			return nil, err
		}
		s.src, s.dirs, content = syn, syn.dirs, syn.digest()
		sample = syntheticSample
	} else {
		sh, err := openShards(ctx, files, spec.Source, o.Workers)
		if err != nil {
			return nil, err
		}
		s.src = sh
		s.info.DType, s.info.Shards, s.info.Bytes = sh.dtypes(), len(sh.list), sh.bytes()
		if content, err = sh.digest(ctx, o.Workers); err != nil {
			return nil, errors.Join(err, sh.Close())
		}
	}
	if err := s.prepare(ctx, spec, sample, content, o.Workers); err != nil {
		return nil, errors.Join(err, s.src.Close())
	}
	return s, nil
}

// checkSpec returns an error for the first setting that makes no sense.
func checkSpec(spec trainer.DataSpec) error {
	switch {
	case spec.Source != "" && spec.Synthetic != nil:
		return &SourceError{Msg: "both source and synthetic are given: keep one"}
	case spec.Source == "" && spec.Synthetic == nil:
		return &SourceError{Msg: "neither source nor synthetic is given"}
	case spec.Normalize != "" && spec.Normalize != "none" && spec.Normalize != "mean_square":
		return &SourceError{Msg: fmt.Sprintf("normalize: %q is neither none nor mean_square", spec.Normalize)}
	case spec.EvalTokens < 0:
		return &SourceError{Msg: fmt.Sprintf("eval_tokens: %d is negative", spec.EvalTokens)}
	}
	return nil
}

// prepare holds out rows, reads a sample of the others for the scale, and fills in info.
func (s *Set) prepare(ctx context.Context, spec trainer.DataSpec, sample int64, content digest, workers int) error {
	rows := s.src.rows()
	eval := cmp.Or(spec.EvalTokens, min(65536, rows/10))
	if eval == 0 {
		return &SourceError{Source: spec.Source, Msg: fmt.Sprintf("eval_tokens: auto holds out a tenth of the rows, and a "+
			"tenth of %d is none: give at least 10 rows, or set eval_tokens", rows)}
	}
	if eval >= rows {
		return &SourceError{Source: spec.Source, Msg: fmt.Sprintf(
			"eval_tokens: holding out %d of %d rows leaves none to train on", eval, rows)}
	}
	s.train = rows - eval
	s.base = newPerm(rows, 0, streamBase, 0)
	s.scale = 1
	s.bufs.New = func() any { b := make([]byte, 4*s.src.dim()); return &b }
	s.info.Rows, s.info.EvalRows, s.info.Dim = rows, eval, s.src.dim()

	m, err := s.sample(ctx, min(s.train, sample, max(1, sampleNumbers/int64(s.src.dim()))), workers)
	if err != nil {
		return err
	}
	s.info.MeanNorm = m.norm / float64(m.rows)
	if spec.Normalize == "mean_square" {
		s.scale = float32(1 / math.Sqrt(m.square/float64(m.rows)))
		if !(s.scale > 0 && s.scale <= math.MaxFloat32) {
			return &SourceError{Source: spec.Source, Msg: fmt.Sprintf(
				"normalize: the rows' mean squared norm is %g, which cannot be scaled to 1", m.square/float64(m.rows))}
		}
	}
	s.info.Scale = float64(s.scale)
	s.info.Fingerprint = content.fingerprint(cmp.Or(spec.Normalize, "none"), s.info.Scale, eval)
	return nil
}

// Info returns the numbers of rows, the scale, the fingerprint and so on.
func (s *Set) Info() trainer.DataInfo { return s.info }

// Dim returns the width D of a row.
func (s *Set) Dim() int { return s.info.Dim }

// EvalRows returns the number of held-out rows.
func (s *Set) EvalRows() int64 { return s.info.EvalRows }

// Directions returns the true directions of synthetic data, [directions,D] with rows of
// unit norm, or nil for other data. The caller must not change it.
func (s *Set) Directions() []float32 { return s.dirs }

// Close closes the shards. Nothing may read from s during it or later.
func (s *Set) Close() error { return s.src.Close() }

// Batch fills x_BD with the batch of a step: tokens step·B to (step+1)·B of the
// order that seed gives.
func (s *Set) Batch(seed, step int64, x []float32) error {
	n, err := s.count(x)
	if err != nil {
		return err
	}
	return s.Tokens(seed, step*n, x)
}

// Tokens fills x_nD with n training rows from a position on in the order that
// seed gives: position p is in epoch p / training rows, and every epoch visits
// every training row once, in an order of its own. Parts of a batch can so be
// read by several goroutines.
func (s *Set) Tokens(seed, position int64, x []float32) error {
	n, err := s.count(x)
	if err != nil {
		return err
	}
	if position < 0 || position > math.MaxInt64-n {
		return fmt.Errorf("read training rows: position %d", position)
	}
	buf := s.bufs.Get().(*[]byte)
	defer s.bufs.Put(buf)
	d := int64(s.info.Dim)
	return s.eachRow(seed, position, n, func(i, row int64) error {
		if err := s.src.read(row, x[i*d:(i+1)*d], s.scale, *buf); err != nil {
			return fmt.Errorf("read training rows: %w", err)
		}
		return nil
	})
}

// eachRow calls do with the rows at n positions of the order that seed gives.
func (s *Set) eachRow(seed, position, n int64, do func(i, row int64) error) error {
	for i := int64(0); i < n; {
		epoch, at := (position+i)/s.train, (position+i)%s.train
		order := newPerm(s.train, uint64(seed), streamEpoch, uint64(epoch))
		for ; i < n && at < s.train; i, at = i+1, at+1 {
			if err := do(i, s.trainRow(order.at(at))); err != nil {
				return err
			}
		}
	}
	return nil
}

// trainRow returns the i-th training row in the order of the base permutation.
func (s *Set) trainRow(i int64) int64 { return s.base.at(s.info.EvalRows + i) }

// Eval fills x_nD with n held-out rows from row on.
func (s *Set) Eval(row int64, x []float32) error {
	n, err := s.count(x)
	if err != nil {
		return err
	}
	if row < 0 || row > s.info.EvalRows-n {
		return fmt.Errorf("read held-out rows: rows %d to %d of %d", row, row+n, s.info.EvalRows)
	}
	buf := s.bufs.Get().(*[]byte)
	defer s.bufs.Put(buf)
	d := int64(s.info.Dim)
	for i := range n {
		if err := s.src.read(s.base.at(row+i), x[i*d:(i+1)*d], s.scale, *buf); err != nil {
			return fmt.Errorf("read held-out rows: %w", err)
		}
	}
	return nil
}

func (s *Set) count(x []float32) (int64, error) {
	if len(x)%s.info.Dim != 0 {
		return 0, fmt.Errorf("read rows: %d numbers are no whole rows of %d", len(x), s.info.Dim)
	}
	return int64(len(x) / s.info.Dim), nil
}
