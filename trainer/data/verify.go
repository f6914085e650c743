package data

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

var (
	// ErrChanged is in the chain of Verify's error where the rows are not those that were
	// opened any more. ErrBad is in its chain too.
	ErrChanged = errors.New("the data have changed while they were in use")

	// ErrTouched is in the chain of Verify's error where files were written to and hold the
	// rows that were opened again. What was read meanwhile may have been other rows.
	ErrTouched = errors.New("the data were written to while they were in use")
)

// Generation returns a number that Verify raises when it finds that files were written to.
// What was read from the set since the caller asked for it is what Open found if Verify
// returns nil for this number afterwards.
func (s *Set) Generation() int64 {
	if s.watch == nil {
		return 0
	}
	return s.watch.generation.Load()
}

// Verify looks at every shard again, those of eval_source too, and hashes the data again where a shard was written
// to or replaced, or may have been without a sign. It returns nil if all that was read
// since Generation returned since is what Open found.
//
// Where the content differs, the error wraps ErrChanged, for every caller from then on.
// Where it does not but files were written to since, the error wraps ErrTouched: what was
// computed from the rows since then is to be computed again. Other errors say that the
// files could not be looked at. For synthetic data there is nothing to look at.
//
// Of data with verify: sample only those bytes are compared that Open hashed.
func (s *Set) Verify(ctx context.Context, since int64) error {
	if s.watch == nil {
		return nil
	}
	if err := s.watch.verify(ctx, since); err != nil || s.apart == nil {
		return err
	}
	return s.apart.watch.verify(ctx, since)
}

// A watch looks again at the shards of a set. What changes, only the goroutine that has
// put a value into busy changes.
type watch struct {
	files      opener
	shards     *shards // as they were opened
	opts       Options // filled
	busy       chan struct{}
	generation *atomic.Int64 // of the set; that of eval_source shares it
	hashes     atomic.Int64  // that have begun

	stamps  []stamp   // when the content was last found to be the one opened
	began   time.Time // when that look began
	content content
	changed error
}

// newWatch returns a watch of the shards, which are hashed.
func (s *Set) newWatch(files opener) *watch {
	return &watch{files: &copying{opener: files, form: s.shards.form, opts: s.opts},
		shards: s.shards, opts: s.opts, busy: make(chan struct{}, 1),
		generation: new(atomic.Int64), stamps: s.shards.stamps(), began: time.Unix(0, s.cache.entry.Began),
		content: s.content}
}

func (w *watch) verify(ctx context.Context, since int64) error {
	return w.look(ctx, since, w.hashes.Load())
}

// look does what Set.Verify does. Of the hashes that it knows of, before had begun when it
// was asked for.
func (w *watch) look(ctx context.Context, since, before int64) error {
	select {
	case w.busy <- struct{}{}:
		defer func() { <-w.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if w.changed != nil {
		return w.changed
	}
	again, err := w.reopen(ctx)
	if err != nil {
		return w.judge(err)
	}
	defer again.Close()
	suspects := w.suspects(again.stamps())
	// Where nothing was written, a hash that another goroutine began after this one asked
	// answers for it too.
	if suspects.written != nil || suspects.racy != nil && w.hashes.Load() == before {
		if err := w.compare(ctx, again, suspects); err != nil {
			return w.judge(err)
		}
	}
	if w.generation.Load() != since {
		return fmt.Errorf("%w: they hold the same rows now, but what was read meanwhile may have been others: "+
			"go on from the last checkpoint", ErrTouched)
	}
	return nil
}

// judge keeps an error that stays so for the life of the set.
func (w *watch) judge(err error) error {
	if errors.Is(err, ErrChanged) {
		w.changed = err
	}
	return err
}

// suspects are indexes of shards that may hold other rows than before.
type suspects struct {
	written []int // written to or replaced
	racy    []int // written to perhaps
}

func (w *watch) suspects(now []stamp) (out suspects) {
	for i, st := range now {
		switch {
		case st != w.stamps[i]:
			out.written = append(out.written, i)
		case st.racy(w.began):
			out.racy = append(out.racy, i)
		}
	}
	return out
}

// reopen opens the shards again by their names, and checks that they hold as many rows as
// before of the same kind.
func (w *watch) reopen(ctx context.Context) (*shards, error) {
	type opened struct {
		shard
		err error
	}
	files := w.files
	if f, ok := files.(interface {
		again(context.Context) (opener, error)
	}); ok {
		now, err := f.again(ctx)
		if err != nil {
			return nil, fmt.Errorf("look at the data again: %w", err)
		}
		files = now
	}
	again := &shards{half: w.shards.half, width: w.shards.width, count: w.shards.count}
	var errs []error
	err := inOrder(ctx, w.opts.Workers, int64(len(w.shards.list)), 1, func(i, _ int64) (op opened) {
		op.shard = w.shards.list[i]
		if op.file, op.err = openChecked(ctx, files, op.name); op.err == nil {
			op.err = w.relook(int(i), &op.shard)
		}
		op.err = missed(op.name, op.err)
		return op
	}, func(op opened) {
		if op.file != nil {
			again.list = append(again.list, op.shard)
		}
		if op.err != nil {
			errs = append(errs, op.err)
		}
	})
	if err == nil {
		err = worst(errs)
	}
	if err != nil {
		return nil, errors.Join(err, again.Close())
	}
	return again, nil
}

// missed turns the error of a shard that is missing, or forbidden by now, into that of a
// failed read: it was there when the set was opened, and what was read then still holds. A
// file system that is not mounted for a while proves nothing about the rows.
func missed(name string, err error) error {
	var missing *SourceError
	if errors.As(err, &missing) && missing.Missing {
		return &ReadError{File: name, Offset: -1, Err: missing.Err}
	}
	return err
}

// worst returns an error that wraps ErrChanged if there is one, else all.
func worst(errs []error) error {
	for _, err := range errs {
		if errors.Is(err, ErrChanged) {
			return err
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("look at the data again: %w", joinErrors(errs))
	}
	return nil
}

// relook reads the header of a shard that was opened again, if it may have changed.
func (w *watch) relook(i int, sh *shard) error {
	now, was := sh.file.stamp(), w.shards.list[i].file.stamp()
	if now == was && !now.racy(w.began) {
		return nil
	}
	l, err := w.shards.form.readLayout(sh.name, sh.file)
	switch {
	case errors.Is(err, ErrBad):
		detail := err.Error()
		if e := (*ShardError)(nil); errors.As(err, &e) {
			detail = e.Msg // the name comes before it anyway
		}
		return &changedError{[]string{sh.name}, detail}
	case err != nil:
		return err
	case l.rows != sh.rows || l.dim != sh.dim || l.dtype != sh.dtype:
		return &changedError{[]string{sh.name}, fmt.Sprintf("it holds %d rows of %d numbers in %s, and held %d of %d in %s",
			l.rows, l.dim, l.dtype, sh.rows, sh.dim, sh.dtype)}
	case (l.start != sh.start || !l.parts.equal(sh.parts)) && now.Inode == was.Inode && now.Device == was.Device:
		return &changedError{[]string{sh.name}, "its rows have moved in the file"}
	}
	sh.layout = l
	return nil
}

// compare hashes the shards again.
func (w *watch) compare(ctx context.Context, again *shards, s suspects) error {
	w.hashes.Add(1)
	began := w.opts.clock()
	c, err := again.hash(ctx, w.content.sampled, w.opts.Workers, func(int64) {}, nil)
	if err != nil {
		return fmt.Errorf("look at the data again: %w", err)
	}
	if c.digest != w.content.digest {
		return &changedError{files: w.blame(again, c, s)}
	}
	if s.written != nil {
		w.generation.Add(1)
	}
	w.stamps, w.began, w.content = again.stamps(), began, c
	return nil
}

// blame returns the names of the suspects that are in a block whose hash changed, or of
// all where the hashes of blocks are not known. A block may be of several shards: those
// that were written to are named first, and others only if there are none.
func (w *watch) blame(again *shards, c content, s suspects) (names []string) {
	other := func(sh *shard) bool {
		if c.objects || len(w.content.blocks) != len(c.blocks) {
			return true
		}
		for i, sum := range c.blocks {
			from, to := again.block(int64(i), c.sampled)
			if sum != w.content.blocks[i] && from < sh.first+sh.rows && sh.first < to {
				return true
			}
		}
		return false
	}
	for _, indexes := range [][]int{s.written, s.racy} {
		for _, i := range indexes {
			if sh := &again.list[i]; other(sh) {
				names = append(names, sh.name)
			}
		}
		if names != nil {
			break
		}
	}
	return names
}

// maxNamed is how many shards an error names.
const maxNamed = 3

// A changedError says that shards hold other rows than those that were opened.
type changedError struct {
	files  []string
	detail string // how that shows; may be empty
}

// Error has the reason and what to do in its last part: of a long message, a table shows that.
func (e *changedError) Error() string {
	text := "shard " + strings.Join(e.files[:min(maxNamed, len(e.files))], ", ")
	if more := len(e.files) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if e.detail != "" {
		text += ": " + e.detail
	}
	return text + ": " + ErrChanged.Error() + "; put the old rows back and retry the runs, or submit the grid again"
}

func (e *changedError) Is(target error) bool { return target == ErrChanged || target == ErrBad }
