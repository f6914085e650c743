package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/spelling"
)

type setOptions struct {
	steerOptions
	settings []string // as in max_concurrent=4
}

func newSetCommand(env *environment) *cobra.Command {
	o := setOptions{steerOptions: newSteerOptions()}
	c := &cobra.Command{
		Use:   "set SWEEP max_concurrent=N",
		Short: "Change how many runs of a running sweep train at a time",
		Long: `Change a setting of a running sweep. max_concurrent is the number of runs that train at
a time, if the workers have slots for them. The grid sets it at the start, in its section
run. If more train now, some of them are saved and stop; they go on when there is a place.`,
		Example: "  sweep set topk-demo max_concurrent=4",
		Args:    args(cobra.MinimumNArgs(2)),

		ValidArgsFunction: completeSettings(&o.location),
		RunE: func(c *cobra.Command, args []string) error {
			o.sweep, o.settings = args[0], args[1:]
			return runSet(c.Context(), env, o)
		},
	}
	o.addFlags(c.Flags())
	return c
}

// runSet is the verb set.
func runSet(ctx context.Context, env *environment, o setOptions) error {
	to, err := parseSettings(o.settings)
	if err != nil {
		return inputError{err}
	}
	return runSteering(ctx, env, o.steerOptions, steering{
		update: protocol.UpdateSet, args: []any{to}, doing: "changing it; waiting until what stops is saved",
	})
}

// A setting is a number that can be changed while a sweep runs.
type setting struct {
	key         string
	least, most int
	at          func(*protocol.Settings) *int
}

// settings lists what can be changed. The bounds are those of the grid.
func settings() []setting {
	return []setting{
		{"max_concurrent", 1, plan.MaxConcurrent, func(s *protocol.Settings) *int { return &s.MaxConcurrent }},
	}
}

// parseSettings reads settings such as max_concurrent=4.
func parseSettings(texts []string) (to protocol.Settings, err error) {
	var keys []string
	for _, s := range settings() {
		keys = append(keys, s.key)
	}
	want := "want " + strings.Join(keys, "=N or ") + "=N, as in max_concurrent=4"
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return to, fmt.Errorf("%q is no setting; %s", text, want)
		}
		known := false
		for _, s := range settings() {
			if s.key != key {
				continue
			}
			known = true
			n, err := strconv.Atoi(value)
			if err != nil || n < s.least || n > s.most {
				return to, fmt.Errorf("%s=%s: want %d to %d", key, value, s.least, s.most)
			}
			if *s.at(&to) != 0 {
				return to, errors.New(key + " is there twice")
			}
			*s.at(&to) = n
		}
		if !known {
			return to, fmt.Errorf("%q cannot be set; %s", key, meant(key, keys, want))
		}
	}
	return to, nil
}

// meant returns the question whether a word was to be one of the known ones, or else what is wanted.
func meant(word string, known []string, want string) string {
	for _, k := range known {
		if spelling.Simplify(k) == spelling.Simplify(word) {
			return fmt.Sprintf("did you mean %s?", k)
		}
	}
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return want
}
