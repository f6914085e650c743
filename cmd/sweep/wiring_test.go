package main

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
)

func TestWiring(t *testing.T) {
	if _, err := openStore(t.Context(), "gopher://hole"); err == nil || !strings.Contains(err.Error(), "gopher") {
		t.Errorf("unknown scheme: %v", err)
	}
	for _, url := range []string{t.TempDir(), "file://" + t.TempDir()} {
		s, err := openStore(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := storage.PutBytes(t.Context(), s, "a/b", []byte("x")); err != nil {
			t.Error(err)
		}
	}
	if _, err := backendFor("tpu"); err == nil {
		t.Error("backend tpu exists")
	}
}
