package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestChooseGPUs(t *testing.T) {
	two := []string{"GPU 0 (A)", "GPU 1 (B)"}
	none := errors.New("no NVIDIA driver on this machine")
	for _, c := range []struct {
		backend  string
		want     []int
		present  []string
		none     error
		notBuilt bool
		use      []int
		message  string // the note or the error
	}{
		{"auto", nil, two, nil, false, []int{0, 1}, ""},
		{"cuda", nil, two, nil, false, []int{0, 1}, ""},
		{"cuda", []int{1}, two, nil, false, []int{1}, ""},
		{"cuda", []int{1, 0}, two, nil, false, []int{1, 0}, ""},
		{"cpu", nil, two, nil, false, nil, ""},
		{"auto", nil, nil, none, false, nil, "training on the CPU: no NVIDIA driver on this machine"},
		{"auto", nil, nil, none, true, nil, ""}, // not built with CUDA: no note
		{"cuda", nil, nil, none, true, nil, "--backend cuda: no NVIDIA driver on this machine"},
		{"auto", []int{0}, nil, none, false, nil, "--gpus: no NVIDIA driver on this machine"},
		{"cpu", []int{0}, two, nil, false, nil, "--gpus: --backend cpu uses none"},
		{"cuda", []int{2}, two, nil, false, nil, "--gpus 2: this machine has GPUs 0 to 1"},
		{"cuda", []int{-1}, two, nil, false, nil, "--gpus -1: this machine has GPUs 0 to 1"},
		{"cuda", []int{0, 0}, two, nil, false, nil, "--gpus: 0 comes twice; --slots-per-gpu 2 trains two runs on each"},
		{"tpu", nil, two, nil, false, nil, `backend "tpu": want auto, cpu or cuda`},
	} {
		use, note, err := chooseGPUs(c.backend, c.want, c.present, c.none, c.notBuilt)
		message := note
		if err != nil {
			message = err.Error()
			if !errors.As(err, new(inputError)) {
				t.Errorf("%+v: %v does not end with status 2", c, err)
			}
		}
		if !slices.Equal(use, c.use) || message != c.message || strings.Contains(message, "\n") {
			t.Errorf("%+v: %v, %q", c, use, message)
		}
	}
}
