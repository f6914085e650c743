package data

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// These are streams of trainer.Rand. They differ from those that draw the weights.
const (
	streamBase  = 0x62617365 // selects the held-out rows
	streamEpoch = 0x65706f63 // orders the training rows of an epoch, or blocks of them

	streamWindow = 0x77696e64 // orders the rows of a window of blocks
)

// A source holds rows, numbered from 0.
type source interface {
	rows() int64
	dim() int // numbers in a row

	// read sets x, [D], to the row times scale. buf is scratch memory of widest·D bytes.
	read(row int64, x []float32, scale float32, buf []byte) error

	// stored returns the type that readStored gives numbers in: f32 where they have several, or are not stored.
	stored() dtype

	// readStored sets x to the bytes of the row, which is not scaled. Its error is that of read, also where a number is
	// not within limit. buf is as for read.
	readStored(row int64, x []byte, limit limit, buf []byte) error
	Close() error
}

// A Set is opened data: rows to train on and held-out rows. All its methods but Close
// may be called by several goroutines at once.
type Set struct {
	spec   trainer.DataSpec
	opened string // random: no other Set has it
	opts   Options
	files  opener  // of the shards
	shards *shards // as they are stored; nil for synthetic data
	src    source  // the rows to use: without those that max_norm leaves out
	info   trainer.DataInfo
	order  order     // of all rows of src: in its base order the first EvalRows are held out, if there is no apart
	first  int64     // place in the base order from which on rows are to train on
	train  int64     // number of rows to train on
	scale  float32   // that every row is multiplied by
	limit  limit     // of stored numbers that are finite times scale
	dirs   []float32 // see Directions
	bufs   sync.Pool // of *[]byte, scratch of source.read

	apart      *Set // holds the held-out rows of eval_source; nil if they are rows of src
	allHeldOut bool // all rows of src are held out, as in apart: if any train, they are the same ones

	sample  sampleStats // of the training rows
	square  float64     // mean squared norm of the held-out rows, as training sees them
	held    float64     // share of huge rows in the held-out rows' sum of squares
	far     far         // of the held-out rows
	content content
	ahead   ahead  // of objects
	cache   *cache // nil for synthetic data, as is watch
	watch   *watch
}

// Open opens the data of spec. It checks every shard's header, reads the held-out rows and
// a sample of the others, and computes the scale. For the fingerprint it hashes all bytes,
// unless spec says to sample them, or o.Cache holds what they came to. The error joins
// those of all shards. errors.Is(err, ErrBad) is true where the data or the spec are
// wrong, and false where, for example, a disk fails.
func Open(ctx context.Context, spec trainer.DataSpec, o Options) (*Set, error) {
	o = o.filled()
	files := newFiles(spec, o)
	defer files.until(ctx)()
	return openFrom(ctx, files, spec, o)
}

func openFrom(ctx context.Context, files opener, spec trainer.DataSpec, o Options) (*Set, error) {
	s, err := newSet(ctx, files, spec, o.filled())
	if err != nil {
		return nil, err
	}
	return s.finish(ctx, files)
}

// finish does what Open does after the sources are opened. It closes them if that fails.
func (s *Set) finish(ctx context.Context, files opener) (*Set, error) {
	if err := s.open(ctx, files); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// newSet checks spec and opens its sources.
func newSet(ctx context.Context, files opener, spec trainer.DataSpec, o Options) (*Set, error) {
	if err := checkSpec(spec); err != nil {
		return nil, err
	}
	if spec.Synthetic != nil {
		s := &Set{spec: spec, opened: rand.Text(), opts: o, info: trainer.DataInfo{DType: string(f32)}}
		syn, err := newSynthetic(*spec.Synthetic)
		if err != nil {
			return nil, err
		}
		s.src, s.dirs = syn, syn.dirs
		s.content.digest = syn.digest()
		return s, nil
	}
	s, err := newShardSet(ctx, files, spec, o, false)
	if err == nil && spec.EvalSource != "" {
		if err = s.newApart(ctx, files); err != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// newShardSet opens the shards of spec.Source. With allHeldOut, all of their rows are held out.
func newShardSet(ctx context.Context, files opener, spec trainer.DataSpec, o Options, allHeldOut bool) (*Set, error) {
	s := &Set{spec: spec, opened: rand.Text(), opts: o, files: files, allHeldOut: allHeldOut}
	copies := &copying{opener: files, form: formOf(spec), opts: o}
	sh, err := openShards(ctx, copies, spec.Source, formOf(spec), o.Workers, allHeldOut)
	if err != nil {
		return nil, err
	}
	s.src, s.shards = sh, sh
	s.info.DType, s.info.Shards, s.info.Bytes = dtypes(sh.list), len(sh.list), sh.bytes()
	s.info.Notes = slices.Concat(sh.notes, copies.copyNote(sh.list))
	s.cache = newCache(sh, spec.Verify == verifySample, o)
	return s, nil
}

// open does what Open does after the source is opened.
func (s *Set) open(ctx context.Context, files opener) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.readContent(ctx, files, true); err != nil {
		return err
	}
	s.describe()
	return nil
}

// readContent finds the content's digest, in the cache or by hashing, and with it the
// fingerprint. If rows are held out, it counts those that are repeated.
func (s *Set) readContent(ctx context.Context, files opener, heldOut bool) error {
	var apart *content
	if a := s.apart; a != nil {
		if err := a.hashShards(ctx, false); err != nil {
			return err
		}
		apart = &a.content
	}
	if s.shards != nil {
		if err := s.hashShards(ctx, heldOut && !s.allHeldOut && s.spec.Verify != verifySample); err != nil {
			return err
		}
		s.watch = s.newWatch(files)
		if a := s.apart; a != nil {
			a.watch = a.newWatch(files)
			a.watch.generation = s.watch.generation // so that one number tells of both
		}
	}
	s.info.Fingerprint = s.content.fingerprint(s.normalize(), s.info.Scale, s.info.EvalRows, s.info.MaxNorm,
		s.shuffle(), apart)
	return nil
}

// hashShards sets content, and if it is to count them, the number of repeated rows.
func (s *Set) hashShards(ctx context.Context, count bool) (err error) {
	if s.shards.remote() {
		s.content = s.shards.hashTags()
		return nil
	}
	var known, counted bool
	s.content, known = s.cache.content()
	if count {
		s.info.EvalRepeated, counted = s.cache.entry.Repeated[s.repeatedKey()]
	}
	if known && (counted || !count) {
		return nil
	}
	var visit rowVisitor
	var r *repeats
	if count {
		if r, err = s.newRepeats(ctx); err != nil {
			return err
		}
		visit = r.visit
	}
	sampled := s.spec.Verify == verifySample
	after := s.opts.meter(s.shards.hashedBytes(sampled))
	if s.content, err = s.shards.hash(ctx, sampled, s.opts.Workers, after, visit); err != nil {
		return err
	}
	if count {
		s.info.EvalRepeated = r.count()
	}
	s.cache.put(func(e *cacheEntry) {
		e.Content = fmt.Sprintf("%x", s.content.digest[:])
		if count {
			e.Repeated = keep(e.Repeated, s.repeatedKey(), s.info.EvalRepeated)
		}
	})
	return nil
}

// shuffle returns "" for the full shuffle.
func (s *Set) shuffle() string {
	if s.spec.Shuffle == shuffleBlocks {
		return shuffleBlocks
	}
	return ""
}

func (s *Set) normalize() string { return cmp.Or(s.spec.Normalize, "none") }

// prepare leaves rows out and holds rows out, reads the held-out rows and a sample of the others, and fills in info but
// for the fingerprint.
func (s *Set) prepare(ctx context.Context) error {
	if err := s.leaveOut(ctx); err != nil {
		return err
	}
	if err := s.holdOut(); err != nil {
		return err
	}
	var err error
	if s.sample, err = s.readSample(ctx); err != nil {
		return err
	}
	s.info.MeanNorm, s.info.MedianNorm = s.sample.meanNorm(), s.sample.median
	if s.normalize() == "mean_square" {
		s.scale = float32(1 / math.Sqrt(s.sample.meanSquare()))
		if !(s.scale > 0 && s.scale <= math.MaxFloat32) {
			return s.errorf("normalize: the rows' mean squared norm is %g, which cannot be scaled to 1",
				s.sample.meanSquare())
		}
	}
	s.info.Scale, s.limit = float64(s.scale), s.src.stored().limit(s.scale)
	if s.apart != nil {
		err = s.prepareApart(ctx)
	} else {
		err = s.readHeldOut(ctx)
	}
	if err != nil {
		return err
	}
	s.info.HugeShare = max(s.sample.hugeShare, s.held)
	return nil
}

// holdOut chooses the held-out rows and those to train on from the rows of src.
func (s *Set) holdOut() error {
	rows, eval := s.src.rows(), int64(0)
	switch {
	case s.apart != nil:
	case s.allHeldOut:
		if eval = cmp.Or(s.spec.EvalTokens, rows); eval > rows {
			return s.errorf("holding out %d rows of %d: want at most as many as there are", eval, rows)
		}
	default:
		eval = cmp.Or(s.spec.EvalTokens, min(65536, rows/10))
		if eval == 0 {
			return s.errorf("eval_tokens: auto holds out a tenth of the rows, and a tenth of %d is none: "+
				"give at least 10 rows, or set eval_tokens", rows)
		}
		if eval >= rows {
			return s.errorf("eval_tokens: holding out %d of %d rows leaves none to train on", eval, rows)
		}
		s.first = eval
	}
	s.train = rows - s.first
	if s.order = newFullOrder(rows, s.first); s.shuffle() != "" {
		s.order = newBlockOrder(rows, s.first, s.src.dim())
	}
	s.scale = 1
	s.bufs.New = func() any { b := make([]byte, widest*s.src.dim()); return &b }
	s.info.Rows, s.info.EvalRows, s.info.Dim = rows, eval, s.src.dim()
	return nil
}

// errorf returns an error about the source or a setting of it.
func (s *Set) errorf(format string, a ...any) error {
	return &SourceError{Source: s.spec.Source, Msg: fmt.Sprintf(format, a...)}
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
func (s *Set) Close() error {
	if c, ok := s.files.(interface{ stop() }); ok {
		c.stop()
	}
	s.ahead.wait()
	if s.apart != nil {
		return errors.Join(s.src.Close(), s.apart.Close())
	}
	return s.src.Close()
}
