package main

import (
	"errors"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A verb learns from the error of an update whether it may ask again when the sweep has ended, whatever version of the
// program its worker is.
func TestErrorsOfASweepThatEnds(t *testing.T) {
	refusal := func(kind, text string) error { return temporal.NewNonRetryableApplicationError(text, kind, nil) }
	for name, c := range map[string]struct {
		err        error
		ending     bool
		notRunning bool
		text       string
	}{
		"refused":                 {refusal(protocol.ErrTypeEnding, "it ends"), true, false, "extend tree-1: it ends"},
		"refused by an old one":   {refusal("wrapError", "the sweep is ending: try again"), true, false, "try again"},
		"ended before the answer": {refusal("AcceptedUpdateCompletedWorkflow", "x"), true, false, "sweep status tree-1"},
		"refused for its input":   {refusal("wrapError", "no cells"), false, false, "extend tree-1: no cells"},
		"not there":               {serviceerror.NewNotFound("x"), false, true, "not running"},
		"no answer":               {serviceerror.NewUnavailable("x"), false, false, "extend tree-1"},
	} {
		got := updateError(&environment{}, protocol.UpdateExtend, "tree-1", c.err)
		if errors.Is(got, errEnding) != c.ending || errors.Is(got, errNotRunning) != c.notRunning ||
			!strings.Contains(got.Error(), c.text) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if updateError(&environment{}, "extend", "x", nil) != nil {
		t.Error("no error became one")
	}
}
