package data

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// OpenHeldOut opens rows to measure models on: all rows of the source of spec, or as many as eval_tokens says, are held
// out. They are the ones that eval_source would give. The scale of normalize and the median of max_norm are those of
// the rows themselves. There are no rows apart to train on, and so none that are repeated. Else it is as Open.
func OpenHeldOut(ctx context.Context, spec trainer.DataSpec, o Options) (*Set, error) {
	if spec.EvalSource != "" || spec.Synthetic != nil {
		return nil, &SourceError{Source: spec.EvalSource, Msg: "rows to measure on have one source, of shards"}
	}
	if err := checkSpec(spec); err != nil {
		return nil, err
	}
	o = o.filled()
	files := newFiles(spec, o)
	defer files.until(ctx)()
	s, err := newShardSet(ctx, files, spec, o, true)
	if err != nil {
		return nil, err
	}
	return s.finish(ctx, files)
}

// HeldOutMeanSquare returns the mean squared norm of the held-out rows, as Eval gives them. It is 0 for synthetic data.
func (s *Set) HeldOutMeanSquare() float64 {
	if s.apart != nil {
		return s.apart.square
	}
	return s.square
}

// newApart opens the shards of eval_source as a set of their own, all of whose rows are held out.
func (s *Set) newApart(ctx context.Context, files opener) (err error) {
	defer markEvalSource(&err)
	spec := s.spec
	spec.Source, spec.EvalSource = spec.EvalSource, ""
	if s.apart, err = newShardSet(ctx, files, spec, s.opts, true); err != nil {
		return err
	}
	if a, b := s.apart.shards.width, s.shards.width; a != b {
		return s.apart.errorf("eval_source has rows of %d numbers, and the source %s rows of %d: "+
			"take both from one place in one model", a, s.spec.Source, b)
	}
	s.info.DType = dtypes(append(slices.Clone(s.shards.list), s.apart.shards.list...))
	s.info.Shards += s.apart.info.Shards
	s.info.Bytes += s.apart.info.Bytes
	s.info.Notes = append(slices.Clone(s.info.Notes), s.apart.info.Notes...)
	return nil
}

// prepareApart reads the held-out rows of eval_source, with the scale and the limit of the norm that the training rows
// have.
func (s *Set) prepareApart(ctx context.Context) (err error) {
	defer markEvalSource(&err)
	a := s.apart
	if s.info.MaxNorm > 0 {
		if err := a.leaveOutAbove(ctx, s.info.MaxNorm); err != nil {
			return err
		}
	}
	if err := a.holdOut(); err != nil {
		return err
	}
	a.scale, a.info.Scale, a.sample = s.scale, s.info.Scale, s.sample
	if err := a.readHeldOut(ctx); err != nil {
		return err
	}
	s.held, s.far = a.held, a.far
	s.info.EvalRows = a.info.EvalRows
	s.info.Rows += a.info.EvalRows
	s.info.LeftOut += a.info.LeftOut
	return s.noteEqualShards(ctx)
}

// apartNotes says where the files harvest.json beside the shards of eval_source contradict those of the source: found,
// by key.
func (s *Set) apartNotes(found map[string]string) (notes []string) {
	if s.apart == nil {
		return nil
	}
	held, notes := s.apart.harvests()
	for _, key := range trainer.NameKeys() {
		if a, b := found[key], held[key]; a != "" && b != "" && a != b {
			notes = append(notes, fmt.Sprintf("%s says that %s of eval_source is %s, and that of the source is %s: "+
				"metrics are about other activations than those that train", harvestFile, key, b, a))
		}
	}
	return notes
}

// markEvalSource marks an error as one about eval_source.
func markEvalSource(err *error) {
	if *err != nil {
		*err = ofEvalSource(*err)
	}
}

// noteEqualShards notes shards of eval_source that hold the same rows as shards of the source.
func (s *Set) noteEqualShards(ctx context.Context) error {
	var all []*shard
	training := map[*shard]bool{}
	for i := range s.shards.list {
		all = append(all, &s.shards.list[i])
		training[&s.shards.list[i]] = true
	}
	for i := range s.apart.shards.list {
		all = append(all, &s.apart.shards.list[i])
	}
	same, err := equalShards(ctx, all, s.opts.Workers)
	if err != nil {
		return err
	}
	var pairs []string
	for _, g := range same { // the shards of one source differ from each other
		if training[g[0]] && !training[g[1]] {
			pairs = append(pairs, fmt.Sprintf("%s and %s", g[0].name, g[1].name))
		}
	}
	if len(pairs) > 0 {
		const most = 3
		text := strings.Join(pairs[:min(most, len(pairs))], ", ")
		if more := len(pairs) - most; more > 0 {
			text += fmt.Sprintf(" and %d more pairs", more)
		}
		s.info.Notes = append(slices.Clone(s.info.Notes), fmt.Sprintf(
			"eval_source and source hold equal shards (%s): metrics are not of unseen rows there", text))
	}
	return nil
}
