package grid

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/topksweep/sweep/trainer"
)

// An option is one key of the sections data and run. The tables below are the only place that lists these keys; the
// tables of docs/grid.md are written from them.
type option struct {
	key      string
	fallback string // the default, as the file would have it; "" for none
	required bool
	doc      string
	set      func(*node) error // reads a scalar into the option's variable; nil for a map
	sub      []option          // the keys of a map
}

// dataOptions lists the keys of data. They are read into d, those of synthetic into s and those of raw into r.
func dataOptions(d *trainer.DataSpec, s *trainer.Synthetic, r *trainer.Raw) []option {
	return []option{
		{key: "source", set: setText(&d.Source),
			doc: "activations: a folder and its subfolders, a pattern or a file, or those of s3://"},
		{key: "synthetic", sub: syntheticOptions(s),
			doc: "instead of source: sparse sums of known directions"},
		{key: "sets", doc: "several data sets by name, each with keys of this table"},
		{key: "tensor", set: setText(&d.Tensor),
			doc: "the tensor or column that holds the rows, where a file has several"},
		{key: "raw", sub: rawOptions(r),
			doc: "the files of source hold bare numbers: their dtype and width"},
		{key: "normalize", fallback: "none", set: setWord(&d.Normalize, "none", "mean_square"),
			doc: "none, or mean_square: scale the rows to unit mean squared norm"},
		{key: "eval_tokens", fallback: "auto", set: setIntOrAuto(&d.EvalTokens, 1, 1<<40),
			doc: "rows held out for evaluation, never trained on"},
		{key: "eval_source", set: setText(&d.EvalSource),
			doc: "shards as in source: all of their rows are held out, and all of source train"},
		{key: "max_norm", set: setMaxNorm(&d.MaxNorm),
			doc: "leave out rows with a larger norm: a number, or 10x_median for ten median norms"},
		{key: "verify", fallback: "whole", set: setWordOrDefault(&d.Verify, "whole", "sample"),
			doc: "whole, or sample: hash only a part of the bytes for the fingerprint"},
		{key: "shuffle", fallback: "full", set: setWordOrDefault(&d.Shuffle, "full", "blocks"),
			doc: "full, or blocks: read rows that lie together at about the same time"},
		{key: "lm_name", set: setText(&d.LMName),
			doc: "the language model, recorded in results and exports"},
		{key: "layer", set: setOptionalInt(&d.Layer, 0, trainer.MaxLayer),
			doc: "the layer of the activations, recorded"},
		{key: "submodule_name", set: setText(&d.SubmoduleName),
			doc: "the place in the layer, recorded"},
		{key: "hook_name", set: setText(&d.HookName),
			doc: "the place as TransformerLens names it: blocks.8.hook_resid_post; recorded"},
		{key: "module_path", set: setText(&d.ModulePath),
			doc: "the module that puts the activations out, recorded"},
		{key: "context_length", set: setInt(&d.ContextLength, 1, trainer.MaxContextLength),
			doc: "tokens that the language model saw at once, with special ones; recorded"},
		{key: "prepend_bos", set: setOptionalBool(&d.PrependBOS),
			doc: "whether each context began with a special token; recorded"},
		{key: "drop_special", set: setOptionalBool(&d.DropSpecial),
			doc: "whether special tokens have no rows; recorded"},
	}
}

// syntheticOptions lists the keys of data.synthetic, which are read into s.
func syntheticOptions(s *trainer.Synthetic) []option {
	return []option{
		{key: "activation_dim", required: true, set: setInt(&s.ActivationDim, 1, 1<<20),
			doc: "width of a row"},
		{key: "directions", required: true, set: setInt(&s.Directions, 1, 1<<24),
			doc: "true directions; times activation_dim at most 2^31"},
		{key: "tokens", required: true, set: setInt(&s.Tokens, 2, 1<<40),
			doc: "rows"},
		{key: "active", required: true, set: setPositiveFloat(&s.Active),
			doc: "mean number of directions in a row; more than 0"},
		{key: "zipf", fallback: "1.0", set: setFloat(&s.Zipf, 10),
			doc: "direction i has a frequency in proportion to (i+1)^-zipf, 0 to 10"},
		{key: "noise", fallback: "0", set: setFloat(&s.Noise, math.MaxFloat32),
			doc: "standard deviation of the Gaussian noise in each dimension"},
		{key: "seed", fallback: "0", set: setInt(&s.Seed, 0, 1<<62),
			doc: "seed of directions and rows; parameters.seed is that of training"},
	}
}

// rawOptions lists the keys of data.raw, which are read into r.
func rawOptions(r *trainer.Raw) []option {
	return []option{
		{key: "dtype", required: true, set: setWord(&r.DType, "f16", "bf16", "f32", "f64"),
			doc: "of the numbers, which are little-endian: f16, bf16, f32 or f64"},
		{key: "width", required: true, set: setInt(&r.Width, 1, 1<<20),
			doc: "numbers in a row"},
		{key: "offset", fallback: "0", set: setInt(&r.Offset, 0, 1<<40),
			doc: "bytes of each file before its first row"},
	}
}

// runOptions lists the keys of run, which are read into r.
func runOptions(r *RunOptions) []option {
	return []option{
		{key: "max_concurrent", fallback: "auto", set: setConcurrent(&r.MaxConcurrent),
			doc: "runs at a time, 1 to 200; auto is as many as the workers have slots"},
		{key: "max_failed", set: setInt(&r.MaxFailed, 1, 1<<40),
			doc: "failed runs at which the sweep stops and ends; without it there is no limit"},
		{key: "fail_fast", fallback: "false", set: setBool(&r.FailFast),
			doc: "stop at the first failed run: max_failed 1"},
		{key: "checkpoint", doc: "how each run is saved", sub: []option{
			{key: "every", fallback: "5m", set: setDuration(&r.Checkpoint.Every, time.Second),
				doc: "time between two checkpoints of a run, at least 1s"},
			{key: "keep", fallback: "2", set: setInt(&r.Checkpoint.Keep, 1, 1000),
				doc: "checkpoints of a run that are kept"},
		}},
		{key: "share_prefixes", fallback: "true", set: setBool(&r.SharePrefixes),
			doc: "train what cells share once; results do not depend on it"},
		{key: "reuse_results", fallback: "true", set: setBool(&r.ReuseResults),
			doc: "take a result that the store has, instead of training again"},
	}
}

// readOptions reads the map n. table lists its keys.
func (p *parser) readOptions(n *node, path string, table []option) {
	known := make([]string, len(table))
	for i, o := range table {
		known[i] = o.key
		if o.required && n.get(o.key) == nil {
			p.errorf(n.pos, join(path, o.key), "missing: %s", o.doc)
		}
	}
	for _, e := range n.entries {
		at := join(path, e.key)
		i := slices.Index(known, e.key)
		switch {
		case i < 0:
			p.unknown(e, path, known)
		case table[i].sub != nil:
			if e.value.kind != mapNode {
				p.wrongKind(e.value, at, "want a map")
				continue
			}
			p.readOptions(e.value, at, table[i].sub)
		case e.value.kind != scalarNode:
			p.wrongKind(e.value, at, "want one value")
		default:
			if err := table[i].set(e.value); err != nil {
				p.errorf(e.value.pos, at, "%v", err)
			}
		}
	}
}

// setDefaults sets every option of a table to its default.
func setDefaults(table []option) error {
	for _, o := range table {
		if err := setDefaults(o.sub); err != nil {
			return err
		}
		if o.fallback == "" {
			continue
		}
		if err := o.set(&node{kind: scalarNode, text: o.fallback}); err != nil {
			return fmt.Errorf("default of %s: %w", o.key, err)
		}
	}
	return nil
}
