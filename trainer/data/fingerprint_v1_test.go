package data

import (
	"errors"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// These are what version 0.1.0 gives. Sweeps that it has begun are stored under them.
func TestFingerprintV1(t *testing.T) {
	body := make([]byte, 4*1024*5120) // 20 MiB: hashed in part
	for i := range body {
		if i%4 < 2 {
			body[i] = byte(int64(i) / 4 * 2654435761 >> 13)
		}
	}
	large := write(t, t.TempDir(), "a.npy",
		npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (5120, 1024)}", body))
	syn := trainer.Synthetic{ActivationDim: 4, Directions: 8, Tokens: 100, Active: 2, Zipf: 1, Noise: 0.1}
	for want, spec := range map[string]trainer.DataSpec{
		"31888fec80528142fb5f522aafd02f83": {Source: "testdata/tiny", EvalTokens: 4},
		"87b14e8864e51a50eba55743493fb8b1": {Source: "testdata/minilm-l3", Normalize: "mean_square", EvalTokens: 500},
		"40417ffb3bda3629352853dc493574a1": {Source: large},
		"498fed7be50d6ec0a5ce2b4a68afe3e9": {Synthetic: &syn},
		"3db8c8d8cd50e83a94c310fec5182a28": {Synthetic: &syn, Normalize: "mean_square", EvalTokens: 7},
	} {
		s := open(t, spec, Options{})
		if got, err := s.FingerprintV1(t.Context()); err != nil || got != want || got == s.Info().Fingerprint {
			t.Errorf("%s: %s, %v, want %s", spec.Source, got, err, want)
		}
	}
	// It does not depend on how the content of today is verified.
	s := open(t, trainer.DataSpec{Source: large, Verify: "sample"}, Options{})
	if got, err := s.FingerprintV1(t.Context()); err != nil || got != "40417ffb3bda3629352853dc493574a1" {
		t.Errorf("sampled: %s, %v", got, err)
	}
}

func TestFingerprintV1Errors(t *testing.T) {
	m := memory{"a.safetensors": tensorFile(t, 4, numbered(0, 50, 4))}
	left := 1 << 30
	s := openWith(t, failingOpener{m, &left}, trainer.DataSpec{Source: "memory"}, Options{})
	left = 0
	if _, err := s.FingerprintV1(t.Context()); !errors.Is(err, errDisk) {
		t.Errorf("a failing disk: %v", err)
	}
}
