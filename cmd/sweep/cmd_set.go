package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		Use:   "set SWEEP KEY=VALUE…",
		Short: "Change settings of a running sweep",
		Long: `Change settings of a running sweep.

max_concurrent is the number of runs that train at a time, if the workers have slots for
them, or auto: as many as they have slots. The grid sets it at the start, in its section
run. If more train now, some of them are saved and stop; they go on when there is a place.

mix_classes says whether a run may go on on hardware of another class than it began on,
with other last bits: true or false. The flag --mix-classes sets it at the start. What
trains is saved and goes on at once.`,
		Example: `  sweep set topk-demo max_concurrent=4
  sweep set topk-demo mix_classes=true`,
		Args: args(cobra.MinimumNArgs(2)),

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
	s := setSteering(to)
	s.check = func(did protocol.Steered) error { return checkSet(o.sweep, to, did) }
	return runSteering(ctx, env, o.steerOptions, s)
}

// setSteering is the update that changes settings.
func setSteering(to protocol.Settings) steering {
	return steering{
		update: protocol.UpdateSet, args: []any{to}, doing: "changing it; waiting until what stops is saved",
	}
}

// checkSet returns an error if the sweep did not do what its worker did not know.
func checkSet(sweep string, to protocol.Settings, did protocol.Steered) error {
	unknown := ""
	switch {
	case to.MixClasses != nil && !strings.Contains(did.Did, mixClasses):
		unknown = mixClasses
	case to.AutoConcurrent && !strings.Contains(did.Did, maxConcurrent):
		unknown = autoConcurrent
	default:
		return nil
	}
	return fmt.Errorf("set %s: its worker is an older version of sweep, which does not know %s: it can be set once its "+
		"worker runs this version", sweep, unknown)
}

// Keys of settings.
const (
	maxConcurrent = "max_concurrent"
	mixClasses    = "mix_classes"

	auto           = "auto"
	autoConcurrent = maxConcurrent + "=" + auto
)

// A setting can be changed while a sweep runs.
type setting struct {
	key  string
	want string // its values
	set  func(to *protocol.Settings, value string) (ok bool)
}

// settings lists what can be changed. The bounds are those of the grid.
func settings() []setting {
	return []setting{
		{maxConcurrent, fmt.Sprintf("1 to %d, the most in flight, or auto", plan.MaxConcurrent),
			func(to *protocol.Settings, value string) bool {
				if to.AutoConcurrent = value == auto; to.AutoConcurrent {
					return true
				}
				n, err := strconv.Atoi(value)
				to.MaxConcurrent = n
				return err == nil && n >= 1 && n <= plan.MaxConcurrent
			}},
		{mixClasses, "true or false", func(to *protocol.Settings, value string) bool {
			mix := value == "true"
			to.MixClasses = &mix
			return mix || value == "false"
		}},
	}
}

// parseSettings reads settings such as max_concurrent=4.
func parseSettings(texts []string) (to protocol.Settings, err error) {
	var keys []string
	for _, s := range settings() {
		keys = append(keys, s.key)
	}
	const want = "want max_concurrent=N, max_concurrent=auto or mix_classes=true, as in max_concurrent=4"
	given := map[string]bool{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return to, fmt.Errorf("%q is no setting; %s", text, want)
		}
		i := slices.Index(keys, key)
		switch {
		case i < 0:
			return to, fmt.Errorf("%q cannot be set; %s", key, meant(key, keys, want))
		case given[key]:
			return to, errors.New(key + " is there twice")
		}
		given[key] = true
		if s := settings()[i]; !s.set(&to, value) {
			return to, fmt.Errorf("%s=%s: want %s", key, value, s.want)
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
