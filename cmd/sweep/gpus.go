package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// chooseGPUs returns the numbers of the GPUs that a process uses. backend and want
// are the flags --backend and --gpus. present names the GPUs of this machine; none
// is the error that says why there are none; notBuilt says that the program has no
// GPU support. note is a line for the user where the process trains on the CPU
// although it has GPU support.
func chooseGPUs(
	backend string, want []int, present []string, none error, notBuilt bool,
) (use []int, note string, err error) {
	switch backend {
	case "cpu":
		if len(want) > 0 {
			return nil, "", inputError{errors.New("--gpus: --backend cpu uses none")}
		}
		return nil, "", nil
	case "auto", "cuda":
	default:
		return nil, "", inputError{fmt.Errorf("backend %q: want auto, cpu or cuda", backend)}
	}
	if none != nil {
		switch {
		case backend == "cuda":
			return nil, "", inputError{fmt.Errorf("--backend cuda: %w", none)}
		case len(want) > 0:
			return nil, "", inputError{fmt.Errorf("--gpus: %w", none)}
		case notBuilt:
			return nil, "", nil
		}
		return nil, "training on the CPU: " + none.Error(), nil
	}
	for i, g := range want {
		if g < 0 || g >= len(present) {
			return nil, "", inputError{fmt.Errorf("--gpus %d: this machine has GPUs 0 to %d", g, len(present)-1)}
		}
		if slices.Contains(want[:i], g) {
			return nil, "", inputError{fmt.Errorf(
				"--gpus: %d comes twice; --slots-per-gpu 2 trains two runs on each", g)}
		}
	}
	if len(want) > 0 {
		return want, "", nil
	}
	for g := range present {
		use = append(use, g)
	}
	return use, "", nil
}

// gpuNames returns the names of the GPUs that are used, for the user.
func gpuNames(use []int, present []string) string {
	names := make([]string, len(use))
	for i, g := range use {
		names[i] = present[g]
	}
	return strings.Join(names, ", ")
}
