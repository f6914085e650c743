package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func newRootCommand(env *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "sweep",
		Short: "Train Top-K sparse autoencoders over a grid, durably",
		Long: `sweep trains Top-K sparse autoencoders over a grid of hyperparameters. Every run
is a durable Temporal activity that checkpoints as it goes: kill it, and it goes
on where it stopped, bit for bit.

Exit status: 0 all went well; 1 an error, or runs failed; 2 the grid, the data or
the flags are wrong and nothing was started; 130 interrupted, with all work saved.`,
		Example: `  sweep run grid.yaml                   everything in one process: server, worker, progress, table
  sweep plan grid.yaml                  what would run, without running it
  sweep up                              server, Web UI and worker, kept running
  sweep submit grid.yaml --wait         hand a grid to a running server
  sweep pause topk-demo                 save what trains and free its slots, until sweep resume
  sweep results topk-demo -o csv        the results again, for a program
  sweep plot topk-demo --out figures    the figures of a paper
  sweep report topk-demo --out t.html   the same for a browser, in one file`,
		Args:             unknownVerb,
		RunE:             showHelp,
		PersistentPreRun: func(c *cobra.Command, _ []string) { env.caller, env.storeURL = newCaller(c), storeOf(c) },
		SilenceUsage:     true,
		SilenceErrors:    true,
	}
	root.SetOut(env.out)
	root.SetErr(env.errOut)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newRunCommand(env), newUpCommand(env), newSubmitCommand(env), newPlanCommand(env),
		newListCommand(env), newStatusCommand(env), newWatchCommand(env), newResultsCommand(env), newCurvesCommand(env),
		newPauseCommand(env), newResumeCommand(env), newSetCommand(env), newPriorityCommand(env),
		newCancelCommand(env), newRetryCommand(env), newRmCommand(env), newExtendCommand(env), newWorkerCommand(env),
		newImportCommand(env), newDataCommand(env), newGCCommand(env), newBenchCommand(env), newVersionCommand(env),
		newFitCommand(env), newPredictCommand(env), newPlotCommand(env), newReportCommand(env), newTrackCommand(env),
		newEvalCommand(env),
		newExportCommand(env),
	)
	makeStrict(root)
	fitHelp(root, env.width)
	return root
}

// storeOf returns the URL of the store that a command uses, as far as it is given.
func storeOf(c *cobra.Command) string {
	var given string
	if f := c.Flags().Lookup("store"); f != nil {
		given = f.Value.String()
	}
	return cmp.Or(given, os.Getenv("SWEEP_STORE"))
}

// flagError makes an error of the flags bad input, and adds where help is.
func flagError(c *cobra.Command, err error) error {
	// The flags of a mistyped verb are unknown to its parent: the verb is what is wrong.
	if wrong := unknownVerb(c, c.Flags().Args()); c.HasSubCommands() && wrong != nil {
		return wrong
	}
	if in := (inputError{}); errors.As(err, &in) { // the flag says itself what it wants
		return in
	}
	return inputError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
}

// makeStrict makes the verbs that cobra adds refuse arguments that they do not
// know, as the others do: a shell runs whatever completion prints.
func makeStrict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				of, rest, err := root.Find(args)
				return cmp.Or(err, unknownVerb(of, rest))
			}
		case "completion":
			c.Args, c.RunE = unknownVerb, showHelp
			for _, shell := range c.Commands() {
				shell.Args = args(cobra.NoArgs)
			}
		}
	}
}

// showHelp is what a command does that only has verbs.
func showHelp(c *cobra.Command, _ []string) error { return c.Help() }

// args wraps a cobra argument check so that a wrong count is bad input.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return inputError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}

// unknownVerb refuses the arguments of a command that only has verbs, and suggests
// verbs that are spelled alike.
func unknownVerb(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	hint := "see " + c.CommandPath() + " --help"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return inputError{fmt.Errorf("%q is no verb of %s; %s", args[0], c.CommandPath(), hint)}
}
