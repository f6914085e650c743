// Command sweep trains Top-K sparse autoencoders over a grid of hyperparameters,
// durably. Everything meets here: flags, environment variables, the Temporal
// client, the backends and the stores.
//
// Each verb has a file, cmd_VERB.go: the cobra command with its flags and help, and
// below it a function runVERB(ctx, env, options) that knows neither cobra nor
// flags. wire.go alone names the concrete backends and stores.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/term"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/trainer/data"
)

// Exit statuses, as the help of the program states them.
const (
	exitOK          = 0
	exitError       = 1 // something went wrong, or runs failed
	exitBadInput    = 2 // bad grid, data or flags: nothing was started
	exitInterrupted = 130
)

// errInterrupted ends a command that a signal stopped, after it saved its work.
var errInterrupted = errors.New("interrupted")

// An inputError is an error in what the user gave; nothing was started.
type inputError struct{ err error }

func (e inputError) Error() string { return e.err.Error() }
func (e inputError) Unwrap() error { return e.err }

func main() { os.Exit(start(hooks{})) }

// start runs the program with the arguments of the process, and returns the exit status.
func start(h hooks) int {
	log.SetOutput(io.Discard) // the Web UI's server tells there which keys it reads, on the user's terminal
	ctx, stop := signals(context.Background())
	env := &environment{out: os.Stdout, errOut: os.Stderr, cache: dataCache(), hooks: h}
	env.tty, env.outTTY = term.IsTerminal(int(os.Stderr.Fd())), term.IsTerminal(int(os.Stdout.Fd()))
	if columns, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && env.outTTY {
		env.width = columns
	}
	defer stop()
	return execute(ctx, env, os.Args[1:])
}

// signals returns a context that the first interrupt or SIGTERM cancels; an interrupt
// after that ends the process at once.
func signals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-c; ok {
			cancel(errInterrupted)
			// A second Ctrl-C ends the process at once. A second SIGTERM does not: what ends a job, such as Slurm, sends it to
			// the process and to the shell that started it, which hands it on.
			signal.Reset(os.Interrupt)
		}
	}()
	return ctx, func() { signal.Stop(c); close(c); cancel(nil) }
}

// execute runs the program with its arguments, writes the error if there is one,
// and returns the exit status.
func execute(ctx context.Context, env *environment, args []string) int {
	out := &errorWriter{to: env.out}
	inner := *env
	inner.out = out
	env = &inner
	root := newRootCommand(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	if err == nil {
		return exitOK
	}
	if interrupted(ctx, err) {
		return exitInterrupted
	}
	if errs := (grid.Errors)(nil); errors.As(err, &errs) {
		fmt.Fprintln(env.errOut, harmless(errs.Error()))
		return exitBadInput
	}
	fmt.Fprintln(env.errOut, "sweep:", harmless(err.Error()))
	if errors.As(err, new(inputError)) || errors.Is(err, data.ErrBad) {
		return exitBadInput
	}
	return exitError
}

// interrupted says that an error came of a signal. A call to the server that is
// under way then ends in an error of the client's own.
func interrupted(ctx context.Context, err error) bool {
	if errors.Is(err, errInterrupted) {
		return true
	}
	if !errors.Is(context.Cause(ctx), errInterrupted) {
		return false
	}
	var call *serviceerror.Canceled
	return errors.Is(err, context.Canceled) || errors.As(err, &call)
}
