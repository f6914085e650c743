package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
)

// steerOptions are what the verbs have in common that steer a running sweep.
type steerOptions struct {
	location   location
	connection connection
	output     format
	sweep      string // name or ID
}

func newSteerOptions() steerOptions { return steerOptions{output: newFormat("text", "json")} }

func (o *steerOptions) addFlags(f *pflag.FlagSet) {
	o.location.addFlags(f)
	o.connection.addFlags(f)
	o.output.addFlag(f)
}

// A steering is an update that is sent to a running sweep.
type steering struct {
	update string // its name in package protocol, which is the verb's too
	args   []any
	doing  string        // what a person reads who waits for it, as in "pausing; waiting until what trains is saved"
	within time.Duration // how long a worker may take to accept it; 0: updateTimeout

	check func(protocol.Steered) error // of the answer; nil for none
}

// slowUpdate is how long an update may take before the verb says what it waits for.
const slowUpdate = 2 * time.Second

// updateTimeout is how long a worker may take to accept an update.
const updateTimeout = time.Minute

// errNotRunning says that no workflow of the sweep runs.
var errNotRunning = errors.New("the sweep is not running")

// errEnding says that the workflow of the sweep is ending, or has ended before it had done what an update asked for.
var errEnding = errors.New("the sweep is ending")

// runSteering is a verb that sends an update to a running sweep and prints what it did.
func runSteering(ctx context.Context, env *environment, o steerOptions, s steering) error {
	l, header, err := openSweep(ctx, o.location, o.sweep)
	if err != nil {
		return err
	}
	srv, err := o.dial(ctx, env, s.update, l, header)
	if err != nil {
		return err
	}
	defer srv.close()
	err = o.send(ctx, env, srv, l, header, s)
	if err == nil && s.update == protocol.UpdateResume {
		noteNothingTrains(env, srv)
	}
	return err
}

// dial connects to the server that runs a sweep, or starts one for this command. If there is none to start, the error
// says where the sweep stands.
func (o *steerOptions) dial(ctx context.Context, env *environment, verb string, l *ledger.Ledger, header *plan.Header) (
	*server, error) {

	srv, err := o.connection.dialOrStart(ctx, env, o.location)
	if errors.Is(err, errNoServer) {
		err = fmt.Errorf("%s %s: %w", verb, header.ID, explainNotRunning(ctx, env, l, header, err))
	}
	return srv, err
}

// send sends an update to a sweep and prints what it did.
func (o *steerOptions) send(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	s steering) error {

	did, err := sendUpdate(ctx, env, srv, header.ID, s)
	if errors.Is(err, errNotRunning) {
		err = fmt.Errorf("%s %s: %w", s.update, header.ID, explainNotRunning(ctx, env, l, header, nil))
	}
	if err == nil && s.check != nil {
		err = s.check(did)
	}
	if err != nil {
		return explain(srv.folders, err)
	}
	return printSteered(env, o.output.name, did)
}

// printSteered prints what an update did.
func printSteered(env *environment, format string, did protocol.Steered) error {
	if format == "json" {
		if did.Cells == nil {
			did.Cells = []int{}
		}
		return env.writeJSON(did)
	}
	fmt.Fprintln(env.out, report.OneLine(did.Did))
	return nil
}

// explainNotRunning says where a sweep stands that no server runs, and what to do. noServer is nil, or says that
// there is no server to ask.
func explainNotRunning(ctx context.Context, env *environment, l *ledger.Ledger, header *plan.Header,
	noServer error) error {

	n, err := countRuns(ctx, l, header)
	if err != nil {
		return fmt.Errorf("%w, and its results cannot be counted: %w", cmp.Or(noServer, errNotRunning), err)
	}
	if n.Completed == header.CellCount {
		return fmt.Errorf("%w: all its %d runs have results", errNotRunning, header.CellCount)
	}
	counts := fmt.Sprintf("%d of %d runs have results", n.Completed, header.CellCount)
	if n.Failed > 0 {
		counts += fmt.Sprintf(", %d failed", n.Failed)
	}
	if noServer != nil {
		return fmt.Errorf("%s; only a sweep that runs can be steered, and %w; it goes on here with: %s", counts, noServer,
			env.command("retry", header.ID, "--wait"))
	}
	return fmt.Errorf("%w: %s; this starts it again: %s", errNotRunning, counts, env.command("retry", header.ID))
}

// countRuns counts what a sweep's runs have come to.
func countRuns(ctx context.Context, l *ledger.Ledger, header *plan.Header) (ledger.Counts, error) {
	done, err := l.CompletedRuns(ctx)
	if err != nil {
		return ledger.Counts{}, err
	}
	return l.Count(ctx, header, done)
}

// sendUpdate sends an update to a sweep's workflow and waits until it is done. A worker
// must accept it in time. What it does then takes its time: a stage that is
// stopped saves its state first. The error wraps errNotRunning if no workflow runs.
func sendUpdate(ctx context.Context, env *environment, srv *server, id string, s steering) (
	did protocol.Steered, err error) {

	handle, err := acceptUpdate(ctx, env, srv, id, s)
	if err != nil {
		return did, err
	}
	waits := fmt.Sprintf("sweep %s: %s (Ctrl-C leaves it to it)", id, s.doing)
	err = saying(env, waits, func() error { return handle.Get(ctx, &did) })
	if ctx.Err() != nil {
		return did, errInterrupted
	}
	return did, updateError(env, s.update, id, err)
}

// acceptUpdate sends an update to a sweep's workflow and waits until a worker has accepted it. Its errors are those of
// sendUpdate.
func acceptUpdate(ctx context.Context, env *environment, srv *server, id string, s steering) (
	handle client.WorkflowUpdateHandle, err error) {

	within := cmp.Or(s.within, updateTimeout)
	acceptCtx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var late *client.WorkflowUpdateServiceTimeoutOrCanceledError // the timer of a call may end before its context
	waitsForWorker := fmt.Sprintf("sweep %s: %s: waiting for its worker to answer", id, s.update)
	err = saying(env, waitsForWorker, func() error {
		var err error
		handle, err = srv.client.UpdateWorkflow(acceptCtx, client.UpdateWorkflowOptions{
			WorkflowID: id, UpdateName: s.update, Args: s.args, WaitForStage: client.WorkflowUpdateStageAccepted,
		})
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil, errInterrupted
	case err != nil && (acceptCtx.Err() != nil || errors.As(err, &late)):
		return nil, fmt.Errorf("%s %s: no worker answered within %s: is one running? %s starts one, and so does "+
			"sweep worker elsewhere", s.update, id, within, env.command("up"))
	}
	return handle, updateError(env, s.update, id, err)
}

// updateError explains why a sweep did not do what an update says.
func updateError(env *environment, update, id string, err error) error {
	var notFound *serviceerror.NotFound
	var refused *temporal.ApplicationError
	var notReady *serviceerror.WorkflowNotReady
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notFound):
		return errNotRunning
	case errors.As(err, &notReady):
		return fmt.Errorf("%s %s: %w: its worker cannot go on with the sweep, and tries again; the log of the worker "+
			"says why", update, id, err)
	case errors.As(err, &refused) && strings.HasPrefix(refused.Message(), "unknown update "):
		return fmt.Errorf("%s %s: the sweep was started by an older version of sweep, or its worker is one, which cannot "+
			"do this: it can be steered once its worker runs this version", update, id)
	case errors.As(err, &refused) && refused.Type() == "AcceptedUpdateCompletedWorkflow":
		return endingError{fmt.Sprintf("%s %s: the sweep ended before it had done it; %s says where it stands",
			update, id, env.command("status", id))}
	case errors.As(err, &refused) && (refused.Type() == protocol.ErrTypeEnding ||
		strings.HasPrefix(refused.Message(), errEnding.Error())): // the type is missing where its worker is older
		return endingError{fmt.Sprintf("%s %s: %s", update, id, refused.Message())}
	case errors.As(err, &refused) && strings.HasPrefix(refused.Message(), "max_concurrent 0: "): // it is not given
		return fmt.Errorf("%s %s: its worker is an older version of sweep, which does not know this setting: it can be set "+
			"once its worker runs this version", update, id)
	case errors.As(err, &refused):
		return fmt.Errorf("%s %s: %s", update, id, refused.Message())
	}
	return fmt.Errorf("%s %s: %w", update, id, err)
}

// An endingError is errEnding with what a person is told.
type endingError struct{ text string }

func (e endingError) Error() string        { return e.text }
func (e endingError) Is(target error) bool { return target == errEnding }

// saying calls wait, and prints a line if that takes long.
func saying(env *environment, line string, wait func() error) error {
	done := make(chan error, 1)
	go func() { done <- wait() }()
	slow := time.NewTimer(slowUpdate)
	defer slow.Stop()
	select {
	case err := <-done:
		return err
	case <-slow.C:
		fmt.Fprintln(env.errOut, line)
		return <-done
	}
}
