//go:build noserver

package local

import (
	"errors"
	"strings"
	"testing"
)

func TestNoServer(t *testing.T) {
	s, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if s != nil || !errors.Is(err, ErrNoServer) || !strings.Contains(err.Error(), "--address") {
		t.Errorf("Start = %v, %v; want ErrNoServer", s, err)
	}
	if _, ok, err := Running(t.TempDir()); ok || err != nil {
		t.Errorf("Running = %v, %v", ok, err)
	}
}
