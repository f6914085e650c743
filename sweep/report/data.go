package report

import (
	"strconv"
	"strings"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

// tableHugeShare is the share of huge rows above which tables show it, and noteHugeShare the one above which a note
// says what it means.
const (
	tableHugeShare = 0.1
	noteHugeShare  = 0.5
)

// dataColumns says what the runs trained on.
func dataColumns() []Column {
	return []Column{
		{
			Column: text("data", "fingerprint of what the run trained on: rows, normalisation, held-out rows"),
			group:  groupData, get: func(r *ledger.Result) any { return textOrNil(r.Data) },
		},
		{
			Column: float("scale", "what normalize multiplied the stored activations by"),
			group:  groupData, get: func(r *ledger.Result) any {
				if r.Scale == 0 {
					return nil
				}
				return finiteOrNil(r.Scale)
			},
		},
		{
			Column: whole("semantics", "version of the definitions that the metrics follow; 1 is that of sweep 0.1.0"),
			group:  groupOld, get: func(r *ledger.Result) any {
				if r.Status != plan.Completed {
					return nil
				}
				return int64(r.SemanticsVersion())
			},
		},
		{
			Column: text("lm_name", "the language model, as the grid or the harvest names it"),
			group:  groupData, get: func(r *ledger.Result) any { return textOrNil(r.LMName) },
		},
		{
			Column: whole("layer", "the layer of the activations, as the grid or the harvest names it"),
			group:  groupData, get: func(r *ledger.Result) any {
				if r.Layer == nil {
					return nil
				}
				return int64(*r.Layer)
			},
		},
		{
			Column: text("submodule_name", "the place in the layer, as the grid or the harvest names it"),
			group:  groupData, get: func(r *ledger.Result) any { return textOrNil(r.SubmoduleName) },
		},
		{
			Column: text("hook_name", "the place as TransformerLens names it"),
			group:  groupData, get: func(r *ledger.Result) any { return textOrNil(r.HookName) },
		},
		{
			Column: text("module_path", "the module that put the activations out"),
			group:  groupData, get: func(r *ledger.Result) any { return textOrNil(r.ModulePath) },
		},
		{
			Column: whole("context_length", "tokens that the language model saw at once, special ones included"),
			group:  groupData, get: func(r *ledger.Result) any {
				if r.ContextLength == 0 {
					return nil
				}
				return int64(r.ContextLength)
			},
		},
		{
			Column: text("prepend_bos", "whether each context began with a special token: true or false"),
			group:  groupData, get: func(r *ledger.Result) any { return truthOrNil(r.PrependBOS) },
		},
		{
			Column: text("drop_special", "whether special tokens have no rows: true or false"),
			group:  groupData, get: func(r *ledger.Result) any { return truthOrNil(r.DropSpecial) },
		},
		{
			Column: float("huge_rows_share", "share of the mean square in rows of over 10 median norms"),
			above:  tableHugeShare,
			group:  groupRows, get: noValue, info: func(i trainer.DataInfo) any { return finiteOrNil(i.HugeShare) },
		},
		{
			Column: whole("rows_left_out", "rows that data.max_norm left out"),
			group:  groupRows, get: noValue, info: func(i trainer.DataInfo) any { return i.LeftOut },
		},
	}
}

// endColumns says where a run's files are, and how it ended.
func endColumns() []Column {
	file := func(name string) func(r *ledger.Result) any {
		return func(r *ledger.Result) any {
			if r.Status != plan.Completed || r.Run == "" {
				return nil
			}
			return strings.TrimSuffix(ledger.ModelKey(r.Run, name), "/")
		}
	}
	return []Column{
		{
			Column: text("model_path", "the folder of the exported model, below the store"),
			group:  groupFile, get: file(""),
		},
		{
			Column: text("curve_path", "the file of the loss curve, below the store"),
			group:  groupFile, get: file(ledger.CurveFile),
		},
		{
			Column: text("status", "where the run stands, as sweep status says it"),
			group:  groupRun, get: func(r *ledger.Result) any { return textOrNil(string(r.Status)) },
		},
		{
			Column: text("error", "why the run failed"),
			group:  groupRun, get: func(r *ledger.Result) any { return textOrNil(r.Error) },
		},
	}
}

// unitOf returns the unit of a column of the results or the curves. A ratio, a text and what has no unit have "".
func unitOf(name string) string {
	switch name {
	case "activation_dim":
		return "dimensions"
	case "dict_size", "k", "k_aux", "l0", "dead_latents", "silent_latents", "density":
		return "latents"
	case "batch_size", "dead_feature_threshold", "tokens", "eval_tokens", "context_length":
		return "tokens"
	case "decay_start", "steps", "step", "warmup_steps", "threshold_start_step", "first_dead_step",
		"steps_trained", "steps_shared":
		return "steps"
	case "flops", "flops_executed":
		return "FLOP"
	case "device_seconds", "wall_seconds":
		return "s"
	case "peak_bytes":
		return "bytes"
	case "l2_loss":
		return "squared activations, as trained"
	case "mse":
		return "squared activations, as stored"
	case "l1":
		return "activations, as trained"
	case "threshold":
		return "activations, as stored"
	case "rows_left_out":
		return "rows"
	}
	return ""
}

// truthOrNil writes what may be unknown as a text: tables have no values that are true or false.
func truthOrNil(b *bool) any {
	if b == nil {
		return nil
	}
	return strconv.FormatBool(*b)
}
