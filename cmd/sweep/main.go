// Command sweep trains Top-K sparse autoencoders over a grid of hyperparameters,
// durably. It is where everything meets: flags, environment, the Temporal
// client, the backends and the stores. One file a verb; wire.go alone names the
// concrete backends and stores.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"golang.org/x/term"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer/data"
)

// Exit statuses, as the help of every command states.
const (
	exitOK          = 0
	exitError       = 1 // something went wrong, or runs failed
	exitBadInput    = 2 // bad grid, data or flags: nothing was started
	exitInterrupted = 130
)

// errInterrupted ends a command that a signal stopped, after it saved its work.
var errInterrupted = errors.New("interrupted")

// An inputError is an error of what the user gave; nothing was started.
type inputError struct{ err error }

func (e inputError) Error() string { return e.err.Error() }
func (e inputError) Unwrap() error { return e.err }

// A silentError has been shown already.
type silentError struct{ err error }

func (e silentError) Error() string { return e.err.Error() }
func (e silentError) Unwrap() error { return e.err }

// app is what a command knows of the world around it.
type app struct {
	out, err io.Writer
	tty      bool // err is a terminal: progress is drawn, not listed
}

// An output remembers its first error, so that not every line printed needs a look.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// terminal is where progress is shown.
func (a *app) terminal() progress.Terminal {
	t := progress.Terminal{Out: a.err, Interactive: a.tty, Columns: progress.Wide}
	if f, ok := a.err.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			t.Columns = columns
		}
	}
	return t
}

// newLabels returns the labels of a stored plan's cells.
func newLabels(ctx context.Context, l *ledger.Ledger, header *plan.Header) *progress.Labels {
	return progress.NewLabels(header, func(chunk int) ([]grid.Cell, error) { return l.Chunk(ctx, header.ID, chunk) })
}

func main() {
	ctx, stop := signals(context.Background())
	a := &app{out: os.Stdout, err: os.Stderr, tty: term.IsTerminal(int(os.Stderr.Fd()))}
	status := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// signals returns a context that the first interrupt cancels; the second ends
// the process at once.
func signals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-c; ok {
			cancel(errInterrupted)
			signal.Reset()
		}
	}()
	return ctx, func() { signal.Stop(c); close(c); cancel(nil) }
}

func (a *app) main(ctx context.Context, args []string) int {
	out := &output{to: a.out}
	a.out = out
	root := a.command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	var in inputError
	var g grid.Errors
	var silent silentError
	switch {
	case err == nil:
		return exitOK
	case interrupted(ctx, err):
		return exitInterrupted
	case errors.As(err, &silent):
		return exitError
	case errors.As(err, &g):
		fmt.Fprintln(a.err, g)
		return exitBadInput
	}
	fmt.Fprintln(a.err, "sweep:", err)
	if errors.As(err, &in) || errors.Is(err, data.ErrBad) {
		return exitBadInput
	}
	return exitError
}

// interrupted says that an error is what came of a signal. What a server was being
// asked then ends in an error of its client's own.
func interrupted(ctx context.Context, err error) bool {
	var call *serviceerror.Canceled
	return errors.Is(err, errInterrupted) ||
		errors.Is(context.Cause(ctx), errInterrupted) && (errors.Is(err, context.Canceled) || errors.As(err, &call))
}

func (a *app) command() *cobra.Command {
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
  sweep results topk-demo -o csv        the results again, for a program`,
		Args:          unknownVerb,
		RunE:          help,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		// The flags of a mistyped verb are unknown to its parent: the verb is what is wrong.
		if wrong := unknownVerb(c, c.Flags().Args()); c.HasSubCommands() && wrong != nil {
			return wrong
		}
		return inputError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	})
	root.AddCommand(
		a.runCmd(), a.upCmd(), a.submitCmd(), a.planCmd(), a.listCmd(), a.statusCmd(), a.watchCmd(),
		a.resultsCmd(), a.cancelCmd(), a.retryCmd(), a.extendCmd(), a.workerCmd(), a.dataCmd(), a.gcCmd(), a.benchCmd(), a.versionCmd(),
	)
	strict(root)
	return root
}

// strict makes the verbs that cobra adds refuse what they do not know, as the
// others do: a shell runs whatever completion prints.
func strict(root *cobra.Command) {
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
			c.Args, c.RunE = unknownVerb, help
			for _, shell := range c.Commands() {
				shell.Args = args(cobra.NoArgs)
			}
		}
	}
}

// help is what a command that only has verbs does.
func help(c *cobra.Command, _ []string) error { return c.Help() }

// args wraps a cobra argument check so that a wrong count is bad input.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return inputError{fmt.Errorf("%w; usage: %s", err, c.UseLine())}
		}
		return nil
	}
}

// unknownVerb refuses what is no verb of a command that only has verbs, with
// those that it may have meant.
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
