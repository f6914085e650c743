package main

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A worker of an earlier version passes over what it does not know. Then the verb says so.
func TestSetAuto(t *testing.T) {
	to, err := parseSettings([]string{"max_concurrent=auto", "mix_classes=true"})
	if err != nil || !to.AutoConcurrent || to.MaxConcurrent != 0 || to.MixClasses == nil {
		t.Fatalf("%+v, %v", to, err)
	}
	for did, want := range map[string]string{
		"max_concurrent was 4 and is auto; mix_classes was false and is true": "",
		"mix_classes was false and is true":                                   "does not know max_concurrent=auto",
		"max_concurrent was 4 and is auto":                                    "does not know mix_classes",
	} {
		err := checkSet("x", to, protocol.Steered{Did: did})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", did, err)
		}
	}
}

// FuzzSettings reads whatever stands behind sweep set.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		"max_concurrent=4", "max_concurrent=0", "max_concurrent=auto", "max_concurrent=", "=", "a=b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, err := parseSettings([]string{s})
		if n := to.MaxConcurrent; err == nil && !to.AutoConcurrent && (n < 1 || n > plan.MaxConcurrent) {
			t.Errorf("%q is read as %d", s, n)
		}
	})
}
