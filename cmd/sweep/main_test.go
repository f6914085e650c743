package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
)

// An error counts as an interruption only if it comes of a signal.
func TestInterrupted(t *testing.T) {
	undisturbed := t.Context()
	ctx, cancel := context.WithCancelCause(undisturbed)
	cancel(errInterrupted)
	for _, x := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{ctx, errInterrupted, true},
		{ctx, fmt.Errorf("put x: %w", context.Canceled), true},
		{ctx, fmt.Errorf("failed reaching server: %w", serviceerror.NewCanceled("context canceled")), true},
		{ctx, errors.New("the disk is full"), false},
		{undisturbed, fmt.Errorf("put x: %w", context.Canceled), false},
		{undisturbed, serviceerror.NewCanceled("by the server"), false},
	} {
		if got := interrupted(x.ctx, x.err); got != x.want {
			t.Errorf("%v after %v: %t", x.err, context.Cause(x.ctx), got)
		}
	}
}

// A verb whose output gets lost has failed, whichever it is.
func TestOutputLost(t *testing.T) {
	for _, args := range [][]string{
		{"version"}, {"version", "-o", "json"}, {"help"}, {"completion", "bash"},
		{"list", "-o", "json", "--dir", t.TempDir()},
	} {
		var messages bytes.Buffer
		status := execute(t.Context(), &environment{out: failingWriter{}, errOut: &messages}, args)
		if status != exitError || !strings.Contains(messages.String(), "no room") {
			t.Errorf("%v: status %d\n%s", args, status, messages.String())
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("no room") }
