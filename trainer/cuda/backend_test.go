//go:build cuda

package cuda_test

import (
	"os"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cuda"
)

func open(t testing.TB) trainer.Backend {
	t.Helper()
	b, err := cuda.New(0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMain(m *testing.M) { os.Exit(backendtest.Main(m)) }

func TestBackend(t *testing.T) { backendtest.Run(t, open(t)) }
