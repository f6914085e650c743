package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/report"
)

// startWorkflow starts the workflow of a sweep, or attaches to it if it runs. started is
// false, without an error, if the workflow has run before and the policy forbids another
// time. A namespace that lacks search attributes is noted on errOut.
func startWorkflow(ctx context.Context, errOut io.Writer, srv *server, s submission,
	reuse enums.WorkflowIdReusePolicy) (started bool, err error) {

	known := knownAttributes(ctx, errOut, srv)
	var cells []grid.Cell
	if slices.Contains(known, protocol.AttrAxes) {
		if cells, err = cellsOf(ctx, s.ledger, s.header); err != nil {
			return false, err
		}
	}
	started, err = executeWorkflow(ctx, srv, s, reuse, known, cells)
	var refused *serviceerror.InvalidArgument
	if errors.As(err, &refused) && len(known) > 0 { // it lists what is new some seconds before it takes it
		fmt.Fprintf(errOut, "note: the sweep starts without search attributes: %v\n", err)
		started, err = executeWorkflow(ctx, srv, s, reuse, nil, nil)
	}
	if err != nil || !started {
		return started, err
	}
	// A removal that found no workflow of the sweep a moment ago takes its plan away.
	err = s.ledger.Settled(ctx, s.header.ID, removalOptions(errOut))
	if errors.Is(err, storage.ErrNotFound) {
		err = fmt.Errorf("sweep %s was removed while it was started: run the same command again", s.header.ID)
		err = errors.Join(err, terminate(ctx, srv.client, s.header.ID, "sweep rm removed the sweep"))
	}
	return started, err
}

// executeWorkflow starts a workflow for startWorkflow, with those search attributes that are known.
func executeWorkflow(ctx context.Context, srv *server, s submission, reuse enums.WorkflowIdReusePolicy,
	known []string, cells []grid.Cell) (started bool, err error) {

	h := s.header
	limit := h.Run.FailureLimit()
	if limit > 0 {
		limit += s.failedBefore
	}
	_, err = srv.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       h.ID,
		TaskQueue:                                protocol.Queue,
		WorkflowIDReusePolicy:                    reuse,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    firstAttributes(known, h, cells, s.owner),
		StaticSummary:                            fmt.Sprintf("%s: %d cells", h.Name, h.CellCount),
		StaticDetails:                            s.details,
	}, protocol.WorkflowSweep, protocol.SweepInput{
		Sweep: h.ID, Size: h.Size(), TrainQueue: protocol.TrainQueue(s.backend),
		MaxConcurrent: h.Run.Concurrent(s.slots), AutoConcurrent: h.Run.MaxConcurrent == 0,
		FailureLimit: limit, Resume: s.resume,
		Owner: keyword(s.owner), Attributes: known, Priority: s.priority, Store: s.store,
		MixClasses: s.mixClasses, Encrypted: srv.encrypted,
	})
	var ranBefore *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &ranBefore) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start sweep %s: %w", h.ID, err)
	}
	return true, nil
}

// startOrAttach starts the sweep of a stored plan, or attaches to it if it runs. A
// sweep that failed or was canceled starts again, with the results that it has. One
// that is done starts again only if the store lacks results: they were lost, or the
// sweep was done with another store; or if results have other names than the grid. src is
// the grid.yaml.
func startOrAttach(ctx context.Context, env *environment, srv *server, l *ledger.Ledger, header *plan.Header,
	src []byte, s submission) error {

	if err := waitIfEnding(ctx, env, srv.client, header.ID); err != nil {
		return err
	}
	extensions, err := l.Extensions(ctx, header)
	if err != nil {
		return err
	}
	s.header, s.ledger, s.details = header, l, gridDetails(header.ID, src, extensions...)
	runs, err := isRunning(ctx, srv.client, header.ID)
	if err != nil {
		return err
	}
	if !runs {
		if err := s.forgetCanceled(ctx, srv); err != nil {
			return err
		}
	}
	started, err := startWorkflow(ctx, env.errOut, srv, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY)
	if err != nil {
		return err
	}
	if started {
		fmt.Fprintf(env.errOut, "sweep %s: %d cells\n", header.ID, header.CellCount)
		if runs {
			return s.mixRunning(ctx, env, srv)
		}
		return nil
	}
	results, err := l.Results(ctx, header)
	if err != nil {
		return err
	}
	left, renamed := 0, 0
	for _, r := range results {
		switch {
		case r.Status != plan.Completed:
			left++
		case r.Renamed:
			renamed++
		}
	}
	fmt.Fprintf(env.errOut, "sweep %s has run already: %d cells\n", header.ID, header.CellCount)
	if left > 0 {
		fmt.Fprintf(env.errOut, "note: this store lacks the results of %d of them: they are trained\n", left)
	}
	if renamed > 0 {
		fmt.Fprintf(env.errOut, "note: the results and models of %d of them get the grid's names of the activations\n",
			renamed)
	}
	if left+renamed == 0 {
		return nil
	}
	_, err = startWorkflow(ctx, io.Discard, srv, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
	return err
}

// isRunning reports whether the workflow of a sweep runs.
func isRunning(ctx context.Context, c client.Client, id string) (bool, error) {
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at sweep %s: %w", id, err)
	}
	return d.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

// mixRunning tells a sweep that runs that classes may be mixed, where the flag asks for it.
func (s submission) mixRunning(ctx context.Context, env *environment, srv *server) error {
	if !s.mixClasses {
		return nil
	}
	mix := true
	to := protocol.Settings{MixClasses: &mix}
	did, err := sendUpdate(ctx, env, srv, s.header.ID, setSteering(to))
	if errors.Is(err, errNotRunning) { // it has just ended: what is started next is told by its input
		return nil
	}
	if err == nil {
		err = checkSet(s.header.ID, to, did)
	}
	if err != nil {
		return fmt.Errorf("--mix-classes: %w", err)
	}
	fmt.Fprintf(env.errOut, "sweep %s: %s\n", s.header.ID, report.OneLine(did.Did))
	return nil
}

// storedDetails is what the Web UI shows of a stored sweep: its grid as it was extended.
func storedDetails(ctx context.Context, l *ledger.Ledger, h *plan.Header) (string, error) {
	src, err := l.Grid(ctx, h.ID)
	if err != nil {
		return "", err
	}
	extensions, err := l.Extensions(ctx, h)
	return gridDetails(h.ID, src, extensions...), err
}

// restart starts a stored sweep that does not run: for all its cells without result, unless s.resume says for which.
// started is false, without an error, if it runs: somebody else has started it.
func restart(ctx context.Context, errOut io.Writer, srv *server, l *ledger.Ledger, h *plan.Header,
	s submission) (started bool, err error) {

	if s.resume == nil { // it may have been extended since it was read
		if h, err = l.Header(ctx, h.ID); err != nil {
			return false, err
		}
	}
	s.header, s.ledger = h, l
	if s.details, err = storedDetails(ctx, l, h); err != nil {
		return false, err
	}
	if err := s.forgetCanceled(ctx, srv); err != nil {
		return false, err
	}
	return startWorkflow(ctx, errOut, srv, s, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE)
}

// forgetCanceled removes the notes that runs were canceled which a sweep is to train when it starts. The store would
// else call the sweep canceled while no server runs it. The note that a run failed stays until its turn comes, which
// without a worker is not soon: then it goes too.
func (s submission) forgetCanceled(ctx context.Context, srv *server) error {
	of := []plan.Status{plan.Canceled}
	if srv.forSteering {
		of = append(of, plan.Failed)
	}
	var cells []int // all
	if s.resume != nil {
		cells = []int{}
		for _, t := range s.resume.Unfinished {
			cells = append(cells, t.Cells...)
		}
	}
	return s.ledger.DeleteNotes(ctx, s.header, cells, of...)
}

// maxAsks is how often a sweep is asked that ends, starts, and ends again meanwhile.
const maxAsks = 10

// tellOrStart sends an update to a sweep, or starts the sweep again if it does not run. One that is ending does not do
// what it is asked, so that its end is waited for. start reports whether it has started the sweep; it has not if
// somebody else was faster, and then that sweep is told.
func tellOrStart(ctx context.Context, env *environment, srv *server, id string, update steering,
	start func() (did protocol.Steered, started bool, err error)) (protocol.Steered, error) {

	for range maxAsks {
		if err := waitIfEnding(ctx, env, srv.client, id); err != nil {
			return protocol.Steered{}, err
		}
		did, err := sendUpdate(ctx, env, srv, id, update)
		if errors.Is(err, errEnding) {
			continue // it says so when it is asked, or it has ended, or goes on in another history
		}
		if !errors.Is(err, errNotRunning) {
			return did, err
		}
		did, started, err := start()
		if started || err != nil {
			return did, err
		}
	}
	return protocol.Steered{}, fmt.Errorf("%s %s: the sweep started and ended %d times meanwhile: try again",
		update.update, id, maxAsks)
}

// waitIfEnding waits for a sweep that is being canceled, or that stops because of
// runs that failed, to end. Until then it would not do what it is asked. It notes that a
// sweep is paused, which does what it is asked when it is resumed.
func waitIfEnding(ctx context.Context, env *environment, c client.Client, id string) error {
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at sweep %s: %w", id, err)
	}
	if d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	if !d.GetWorkflowExtendedInfo().GetCancelRequested() {
		var p protocol.Progress
		if err := queryProgress(ctx, c, id, &p); err != nil || !p.Ending {
			if err == nil && p.State == plan.Paused {
				env.note(fmt.Sprintf("sweep %s is paused: nothing trains until %s", id, env.command("resume", id)))
			}
			return nil
		}
	}
	fmt.Fprintf(env.errOut, "sweep %s is ending: waiting until its runs are saved\n", id)
	err = c.GetWorkflow(ctx, id, "").Get(ctx, nil)
	if ctx.Err() != nil {
		return errInterrupted
	}
	var ended *temporal.WorkflowExecutionError
	if err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("wait for sweep %s to end: %w", id, err)
	}
	return nil
}
