package data

import (
	"context"
	"errors"

	"github.com/topksweep/sweep/trainer"
)

// A Report holds what a full scan of a source finds. Means, minimum and maximum are over
// the rows whose values are all finite.
type Report struct {
	Rows           int64    `json:"rows"`
	Dim            int      `json:"activation_dim"`
	DType          string   `json:"dtype"`
	Bytes          int64    `json:"bytes"` // of the rows as stored
	MeanNorm       float64  `json:"mean_norm"`
	MeanSquareNorm float64  `json:"mean_square_norm"` // the setting normalize: mean_square scales it to 1
	Min            float32  `json:"min"`
	Max            float32  `json:"max"`
	NonFiniteRows  int64    `json:"non_finite_rows"`
	NonFinite      []BadRow `json:"non_finite,omitempty"` // the first 100 of them

	// Content is the fingerprint of the rows as stored, in their order. It does not
	// depend on where the files lie.
	Content string `json:"content"`

	// Data is the fingerprint of the data as training sees them with this spec, as in
	// trainer.DataInfo.Fingerprint. EvalRows of the rows are held out then.
	Data     string `json:"data,omitempty"`
	EvalRows int64  `json:"eval_rows,omitempty"`

	// EvalSource describes the shards of eval_source, without a sample; nil if there is none.
	EvalSource *Report `json:"eval_source,omitempty"`

	// Of the rows that MaxNorm leaves out there are LeftOut; EvalRepeated of the held-out
	// rows are training rows too. Both are as in trainer.DataInfo, and so are the notes.
	MaxNorm      float64  `json:"max_norm,omitempty"`
	LeftOut      int64    `json:"rows_left_out,omitempty"`
	EvalRepeated int64    `json:"eval_rows_repeated,omitempty"`
	Notes        []string `json:"notes,omitempty"`

	// Sample describes the training rows; nil if they cannot be used.
	Sample *SampleReport `json:"sample,omitempty"`

	// NoData says why training cannot use the data with this spec. Data is then empty.
	NoData string `json:"no_data,omitempty"`

	Shards []ShardReport `json:"shards"`
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

// A SampleReport is about the sample of the training rows that Open reads, as they are
// stored, without those that max_norm leaves out.
type SampleReport struct {
	Rows         int64   `json:"rows"`
	ZeroRows     int64   `json:"zero_rows"`   // that hold only zeros
	MedianNorm   float64 `json:"median_norm"` // of the other rows
	Norm1        float64 `json:"norm_p1"`     // that 1 row in 100 does not exceed
	Norm10       float64 `json:"norm_p10"`    // likewise, as are the next two
	Norm50       float64 `json:"norm_p50"`    // of all rows, while MedianNorm leaves out those of zeros
	Norm90       float64 `json:"norm_p90"`
	Norm99       float64 `json:"norm_p99"`  // that 99 rows in 100 do not exceed
	Norm999      float64 `json:"norm_p999"` // that 999 rows in 1,000 do not exceed
	LargestNorm  float64 `json:"largest_norm"`
	HugeShare    float64 `json:"huge_rows_share"`   // as in trainer.DataInfo: of the held-out rows, if that is more
	LargestDim   int     `json:"largest_dimension"` // that holds most of the mean square, from 0
	LargestShare float64 `json:"largest_dimension_share"`
	MeanShare    float64 `json:"mean_share"` // of the mean row's squared norm in the rows' mean squared norm, 0 to 1
}

// A BadRow is a row with a NaN or an infinity; Row and Col are as in BadRowError.
type BadRow struct {
	File string `json:"file"`
	Row  int64  `json:"row"`
	Col  int    `json:"column"`
}

// Inspect reads every row of the source of spec. A shard that cannot be read is an error,
// as in Open. Rows that are not finite are part of the report, and so is what else would
// make Open fail.
func Inspect(ctx context.Context, spec trainer.DataSpec, o Options) (Report, error) {
	o = o.filled()
	files := newFiles(spec, o)
	defer context.AfterFunc(ctx, files.stop)() // it reports progress of its own
	return inspectFrom(ctx, files, spec, o)
}

func inspectFrom(ctx context.Context, files opener, spec trainer.DataSpec, o Options) (Report, error) {
	s, err := newSet(ctx, files, spec, o.filled())
	if err != nil {
		return Report{}, err
	}
	defer s.Close()
	if s.shards == nil {
		return Report{}, &SourceError{Msg: "synthetic data have no files to inspect: sweep plan describes them"}
	}
	r, err := s.shards.report(ctx, s.opts)
	if err != nil {
		return Report{}, err
	}
	if s.apart != nil {
		of, err := s.apart.shards.report(ctx, s.opts)
		if err != nil {
			return Report{}, err
		}
		r.EvalSource = &of
	}
	err = s.prepare(ctx)
	if err != nil && !errors.Is(err, ErrBad) {
		return Report{}, err
	}
	if err != nil {
		r.NoData = err.Error()
	}
	if err := s.readContent(ctx, files, err == nil); err != nil {
		return Report{}, err
	}
	r.Content, r.Sample = s.content.String(), s.sampleReport()
	if s.apart != nil {
		r.EvalSource.Content = s.apart.content.String()
	}
	r.MaxNorm, r.LeftOut = s.info.MaxNorm, s.info.LeftOut
	if err == nil {
		r.Data, r.EvalRows, r.EvalRepeated = s.info.Fingerprint, s.info.EvalRows, s.info.EvalRepeated
		s.describe()
	}
	r.Notes = s.info.Notes
	return r, nil
}

// report reads all rows of the shards, and returns what it is to say of them.
func (s *shards) report(ctx context.Context, o Options) (Report, error) {
	r := Report{Rows: s.count, Dim: s.width, DType: dtypes(s.list), Bytes: s.bytes()}
	var all rowStats
	after := o.meter(r.Bytes)
	for i := range s.list {
		sh := &s.list[i]
		m, err := s.scan(ctx, sh, o.Workers, func(rows int64) { after(rows * sh.rowBytes()) })
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
	return r, nil
}

// sampleReport returns nil if the sample could not be read.
func (s *Set) sampleReport() *SampleReport {
	m := &s.sample
	if m.rows == 0 {
		return nil
	}
	r := &SampleReport{Rows: m.rows, ZeroRows: m.zero, MedianNorm: m.median, Norm1: m.percentile(0.01),
		Norm10: m.percentile(0.1), Norm50: m.percentile(0.5), Norm90: m.percentile(0.9), Norm99: m.percentile(0.99),
		MeanShare: m.meanShare(), Norm999: m.percentile(0.999), LargestNorm: m.percentile(1),
		HugeShare: max(m.hugeShare, s.held)}
	for i, share := range m.dims {
		if share > r.LargestShare {
			r.LargestDim, r.LargestShare = i, share
		}
	}
	return r
}

// scan reads all rows of a shard. It calls after, from several goroutines, with the
// number of rows of each part that it has read.
func (s *shards) scan(ctx context.Context, sh *shard, workers int, after func(rows int64)) (m rowStats, err error) {
	err = inOrder(ctx, workers, sh.rows, scanChunk, func(from, to int64) (m rowStats) {
		x, buf := make([]float32, s.width), make([]byte, widest*s.width)
		for row := from; row < to && m.err == nil; row++ {
			m.add(x, s.read(sh.first+row, x, 1, buf))
		}
		after(to - from)
		return m
	}, func(o rowStats) { m.merge(o) })
	if err == nil {
		err = m.err
	}
	return m, err
}
