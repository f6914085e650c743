package main

import (
	"bytes"
	"strings"
	"testing"
)

// What a path says does not act on a terminal where an error names it.
func TestHarmless(t *testing.T) {
	const hostile = "none\x1b[31mred\r\u202e\xff é"
	if got := harmless(hostile + "\n\tx"); got != "none\ufffd[31mred\ufffd\ufffd\ufffd é\n\tx" {
		t.Errorf("%q", got)
	}
	var out, errOut bytes.Buffer
	env := &environment{out: &out, errOut: &errOut}
	if status := execute(t.Context(), env, []string{"import", hostile}); status != exitBadInput {
		t.Errorf("status %d", status)
	}
	if text := errOut.String(); strings.ContainsAny(text, "\x1b\r") || !strings.Contains(text, "none\ufffd[31mred") {
		t.Errorf("%q", text)
	}
	if status := execute(t.Context(), env, []string{"import", "", "--dry-run"}); status != exitBadInput {
		t.Errorf("no path: status %d", status)
	}
}
