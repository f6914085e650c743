package data

import (
	"fmt"

	"github.com/topksweep/sweep/trainer"
)

// verifySample is the value of verify that has a part of the bytes hashed, and shuffleBlocks that of shuffle which
// permutes blocks of rows.
const (
	verifySample  = "sample"
	shuffleBlocks = "blocks"
)

// checkSpec returns an error for the first setting that makes no sense.
func checkSpec(spec trainer.DataSpec) error {
	switch {
	case spec.Source != "" && spec.Synthetic != nil:
		return &SourceError{Msg: "both source and synthetic are given: keep one"}
	case spec.Source == "" && spec.Synthetic == nil:
		return &SourceError{Msg: "neither source nor synthetic is given"}
	case spec.Normalize != "" && spec.Normalize != "none" && spec.Normalize != "mean_square":
		return &SourceError{Msg: fmt.Sprintf("normalize: %q is neither none nor mean_square", spec.Normalize)}
	case spec.EvalSource != "" && spec.Synthetic != nil:
		return &SourceError{Source: spec.EvalSource, Msg: "eval_source: synthetic data hold out rows of their own: " +
			"remove eval_source, or give a source of shards"}
	case spec.Tensor != "" && spec.Raw != nil:
		return &SourceError{Msg: "both tensor and raw are given: files of bare numbers hold no tensors"}
	case spec.Synthetic != nil && (spec.Tensor != "" || spec.Raw != nil):
		return &SourceError{Msg: "tensor and raw say how files hold rows, and synthetic data have none: remove them"}
	case spec.EvalTokens < 0:
		return &SourceError{Msg: fmt.Sprintf("eval_tokens: %d is negative", spec.EvalTokens)}
	case spec.MaxNorm != "" && spec.Synthetic != nil:
		return &SourceError{Msg: "max_norm: synthetic rows are not left out: remove max_norm, or write the rows to shards"}
	case spec.Verify != "" && spec.Verify != "whole" && spec.Verify != verifySample:
		return &SourceError{Msg: fmt.Sprintf("verify: %q is neither whole nor sample", spec.Verify)}
	case spec.Shuffle != "" && spec.Shuffle != "full" && spec.Shuffle != shuffleBlocks:
		return &SourceError{Msg: fmt.Sprintf("shuffle: %q is neither full nor blocks", spec.Shuffle)}
	}
	if spec.Raw != nil {
		if err := checkRaw(*spec.Raw); err != nil {
			return &SourceError{Msg: "raw: " + err.Error()}
		}
	}
	if spec.MaxNorm != "" {
		if _, _, err := trainer.ParseMaxNorm(spec.MaxNorm); err != nil {
			return &SourceError{Msg: "max_norm: " + err.Error()}
		}
	}
	return nil
}
