package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// A sweep that starts is told who submits it, and where its results lie.
func TestSubmission(t *testing.T) {
	dir := t.TempDir()
	fake, _ := startSteered(t, dir)
	file := writeGrid(t, eightCells("eight"))
	status, _, messages := sweepVerb(t.Context(), dir, "submit", file, "--priority", "high")
	waitFor(t, "the sweep", func() bool { fake.mu.Lock(); defer fake.mu.Unlock(); return len(fake.inputs) > 0 })
	in := fake.inputs[0]
	if status != exitOK || in.Owner != "ada" || in.Priority != "high" || in.Store != filepath.Join(dir, "store") {
		t.Errorf("status %d, %+v\n%s", status, in, messages)
	}
	if owner, err := ownerFlag("eve").name(); err != nil || owner != "eve" {
		t.Errorf("--owner eve: %q, %v", owner, err)
	}
	t.Setenv("SWEEP_OWNER", "a\nb")
	if _, err := ownerFlag("").name(); !errors.As(err, new(inputError)) {
		t.Errorf("SWEEP_OWNER of two lines: %v", err)
	}
	t.Setenv("SWEEP_OWNER", "")
	if owner, err := ownerFlag("").name(); err != nil || owner != "" && checkOwner(owner) != nil {
		t.Errorf("no owner given: %q, %v", owner, err)
	}
	for url, want := range map[string]string{
		"s3://bucket/a b?endpoint=http://key:secret@host:9000&region=x": "s3://bucket/a%20b",
		"s3://key:secret@bucket/p":                                      "s3://bucket/p",
		"file:///data/x":                                                "/data/x",
		"/data/x?y":                                                     "/data/x?y",
	} {
		if got, err := storeForPeople(url); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", url, got, err, want)
		}
	}
	if _, err := storeForPeople("s3://key:sec%zzret@bucket"); err == nil || strings.Contains(err.Error(), "ret") {
		t.Errorf("a URL that is none: %v", err)
	}
}
