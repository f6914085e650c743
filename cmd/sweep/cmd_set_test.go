package main

import (
	"testing"
)

// FuzzSettings reads whatever stands behind sweep set.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		"max_concurrent=4", "max_concurrent=0", "max_concurrent=auto", "max_concurrent=", "=", "a=b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, err := parseSettings([]string{s})
		if n := to.MaxConcurrent; err == nil && !to.AutoConcurrent && (n < 1 || n > 100_000) {
			t.Errorf("%q is read as %d", s, n)
		}
	})
}
