package data

import (
	"context"
	"errors"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// A Report is what a full scan of a source finds. Means, minimum and maximum
// are over the rows whose values are all finite.
type Report struct {
	Rows           int64         `json:"rows"`
	Dim            int           `json:"activation_dim"`
	DType          string        `json:"dtype"`
	Bytes          int64         `json:"bytes"` // of the rows as stored
	MeanNorm       float64       `json:"mean_norm"`
	MeanSquareNorm float64       `json:"mean_square_norm"` // normalize: mean_square makes it 1
	Min            float32       `json:"min"`
	Max            float32       `json:"max"`
	NonFiniteRows  int64         `json:"non_finite_rows"`
	NonFinite      []BadRow      `json:"non_finite,omitempty"` // the first 100 of them
	Content        string        `json:"content"`              // fingerprint of the rows as stored, in their order, wherever they lie
	Data           string        `json:"data,omitempty"`       // fingerprint of what training sees of them: trainer.DataInfo.Fingerprint
	EvalRows       int64         `json:"eval_rows,omitempty"`  // held out of them in that
	NoData         string        `json:"no_data,omitempty"`    // why training cannot take them as asked
	Shards         []ShardReport `json:"shards"`
}

// A ShardReport is one shard's part of a Report.
type ShardReport struct {
	File          string  `json:"file"`
	Rows          int64   `json:"rows"`
	DType         string  `json:"dtype"`
	Bytes         int64   `json:"bytes"`
	MeanNorm      float64 `json:"mean_norm"`
	NonFiniteRows int64   `json:"non_finite_rows"`
}

// A BadRow is a row with NaN or Inf in it.
type BadRow struct {
	File string `json:"file"`
	Row  int64  `json:"row"`
	Col  int    `json:"column"`
}

// Inspect reads every row of the source of spec. Shards that cannot be read are
// an error as in Open; rows that are not finite are part of the report, and so
// is whatever else Open would refuse.
func Inspect(ctx context.Context, spec trainer.DataSpec, o Options) (Report, error) {
	o = o.filled()
	if err := checkSpec(spec); err != nil {
		return Report{}, err
	}
	s, err := openShards(ctx, spec.Source, o)
	if err != nil {
		return Report{}, err
	}
	defer s.Close()
	content, err := s.digest(ctx, o.Workers)
	if err != nil {
		return Report{}, err
	}
	r := Report{Rows: s.count, Dim: s.width, DType: s.dtypes(), Bytes: s.bytes(), Content: content.String()}
	var all measure
	var mu sync.Mutex
	var done int64
	progress := func(rows int64) {
		mu.Lock()
		defer mu.Unlock()
		done += rows
		o.Progress(done, s.count)
	}
	for i := range s.list {
		sh := &s.list[i]
		m, err := s.scan(ctx, sh, o.Workers, progress)
		if err != nil {
			return Report{}, err
		}
		all.merge(m)
		r.Shards = append(r.Shards, ShardReport{
			File: sh.name, Rows: sh.rows, DType: string(sh.dtype), Bytes: sh.bytes(),
			MeanNorm: m.norm / float64(max(1, m.rows)), NonFiniteRows: m.badRows,
		})
	}
	r.MeanNorm = all.norm / float64(max(1, all.rows))
	r.MeanSquareNorm = all.square / float64(max(1, all.rows))
	r.Min, r.Max, r.NonFiniteRows = all.min, all.max, all.badRows
	for _, b := range all.bad {
		r.NonFinite = append(r.NonFinite, BadRow{b.File, b.Row, b.Col})
	}
	set := &Set{src: s}
	switch err := set.prepare(ctx, spec, sampleRows, content, o.Workers); {
	case errors.Is(err, ErrBad):
		r.NoData = err.Error()
	case err != nil:
		return Report{}, err
	default:
		r.Data, r.EvalRows = set.info.Fingerprint, set.info.EvalRows
	}
	return r, nil
}

// scan measures all rows of a shard.
func (s *shards) scan(ctx context.Context, sh *shard, workers int, after func(rows int64)) (m measure, err error) {
	err = inOrder(ctx, workers, sh.rows, scanChunk, func(from, to int64) (m measure) {
		x, buf := make([]float32, s.width), make([]byte, 4*s.width)
		for row := from; row < to && m.err == nil; row++ {
			m.add(x, s.read(sh.first+row, x, 1, buf))
		}
		after(to - from)
		return m
	}, func(o measure) { m.merge(o) })
	if err == nil {
		err = m.err
	}
	return m, err
}
