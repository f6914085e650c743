package plain_test

import (
	"testing"

	"github.com/topksweep/sweep/trainer/backendtest"
	"github.com/topksweep/sweep/trainer/plain"
)

// The runs of the programs that the recipes name.
func TestGoldens(t *testing.T) { backendtest.Goldens(t, plain.Backend{}) }

func TestEncode(t *testing.T) { backendtest.Encode(t, plain.Backend{}) }

// What a run says that meets a number that is not finite.
func TestMessages(t *testing.T) { backendtest.Messages(t, plain.Backend{}) }

func TestDecoderRows(t *testing.T) { backendtest.DecoderRows(t, plain.Backend{}) }

// The held-out points of the loss curve are what Evaluate measures.
func TestHeldOutPoints(t *testing.T) { backendtest.HeldOutPoints(t, plain.Backend{}) }
