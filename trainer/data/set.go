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

// Streams of trainer.Rand, out of the way of those that draw the weights.
const (
	streamBase  = 0x62617365 // splits the held-out rows off
	streamEpoch = 0x65706f63 // orders the training rows of an epoch
)

// Options are the surroundings of Open and Inspect. The zero value reads local
// files with all cores.
type Options struct {
	Opener   Opener                  // finds and opens shards; nil is local files
	Workers  int                     // goroutines for scans; 0 is GOMAXPROCS. Results do not depend on it
	Progress func(done, total int64) // called one at a time as Inspect scans rows; nil for none
}

func (o Options) filled() Options {
	if o.Opener == nil {
		o.Opener = localFiles{}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	return o
}

// A source has numbered rows. read puts row times scale into x [D]; buf is
// scratch of 4·D bytes.
type source interface {
	rows() int64
	dim() int
	read(row int64, x []float32, scale float32, buf []byte) error
	Close() error
}

// A Set is opened data. Its methods, but for Close, may be called by several
// goroutines at once.
type Set struct {
	src   source
	info  trainer.DataInfo
	base  perm  // of all rows: the first EvalRows are held out
	train int64 // rows to train on
	scale float32
	dirs  []float32
	bufs  sync.Pool // *[]byte
}

// Open opens the data of spec: it checks every shard's header and a sample of
// the rows, computes the scale and the fingerprint, and leaves the rest on
// disk. The error joins what is wrong with each shard; errors.Is(err, ErrBad)
// tells wrong data and specs from a failing disk.
func Open(ctx context.Context, spec trainer.DataSpec, o Options) (*Set, error) {
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
		sh, err := openShards(ctx, spec.Source, o)
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

// prepare splits the rows, measures a sample of them and fills in the info.
func (s *Set) prepare(ctx context.Context, spec trainer.DataSpec, sample int64, content digest, workers int) error {
	rows := s.src.rows()
	eval := cmp.Or(spec.EvalTokens, min(65536, rows/10))
	if eval == 0 {
		return &SourceError{Source: spec.Source, Msg: fmt.Sprintf("eval_tokens: auto holds out a tenth of the rows, and a tenth of %d is none: give at least 10 rows, or set eval_tokens", rows)}
	}
	if eval >= rows {
		return &SourceError{Source: spec.Source, Msg: fmt.Sprintf("eval_tokens: holding out %d of %d rows leaves none to train on", eval, rows)}
	}
	s.train = rows - eval
	s.base = newPerm(rows, 0, streamBase, 0)
	s.scale = 1
	s.bufs.New = func() any { b := make([]byte, 4*s.src.dim()); return &b }
	s.info.Rows, s.info.EvalRows, s.info.Dim = rows, eval, s.src.dim()

	m, err := s.measure(ctx, min(s.train, sample, max(1, sampleNumbers/int64(s.src.dim()))), workers)
	if err != nil {
		return err
	}
	s.info.MeanNorm = m.norm / float64(m.rows)
	if spec.Normalize == "mean_square" {
		s.scale = float32(1 / math.Sqrt(m.square/float64(m.rows)))
		if !(s.scale > 0 && s.scale <= math.MaxFloat32) {
			return &SourceError{Source: spec.Source, Msg: fmt.Sprintf("normalize: the rows' mean squared norm is %g, which cannot be scaled to 1", m.square/float64(m.rows))}
		}
	}
	s.info.Scale = float64(s.scale)
	s.info.Fingerprint = content.with(cmp.Or(spec.Normalize, "none"), s.info.Scale, eval)
	return nil
}

// Info says what was opened.
func (s *Set) Info() trainer.DataInfo { return s.info }

// Dim returns the width D of a row.
func (s *Set) Dim() int { return s.info.Dim }

// EvalRows returns the number of held-out rows.
func (s *Set) EvalRows() int64 { return s.info.EvalRows }

// Directions returns the true directions of synthetic data, [directions, D]
// unit rows, or nil for other data. It is not to be written to.
func (s *Set) Directions() []float32 { return s.dirs }

// Close lets go of the shards. Nothing may be reading then or later.
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
