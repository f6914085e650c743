package cpu_test

import (
	"testing"

	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/cpu"
)

func TestBackend(t *testing.T) { backendtest.Run(t, cpu.New(2)) }
