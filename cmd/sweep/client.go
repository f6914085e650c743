package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// connection says which Temporal server to use. Without flags it is that of
// Temporal's own environment variables and configuration file, else the one that
// runs on the state directory.
type connection struct{ address, namespace string }

func (c *connection) flags(f *pflag.FlagSet) {
	f.StringVar(&c.address, "address", "", "Temporal server `host:port` (default: TEMPORAL_ADDRESS or what Temporal's configuration file says, else the one that runs on --dir)")
	f.StringVar(&c.namespace, "namespace", "", "Temporal namespace (default: TEMPORAL_NAMESPACE, else default)")
}

// errNoServer says that no server was named and none runs on the state
// directory.
var errNoServer = errors.New("there is no Temporal server: none runs on this state directory (start one with sweep up), and neither --address nor TEMPORAL_ADDRESS names one")

// dial connects. uiURL is the Web UI's address if it is known.
func (c *connection) dial(ctx context.Context, dir string, log *slog.Logger) (_ client.Client, uiURL string, err error) {
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, "", inputError{fmt.Errorf("configuration of Temporal: %w", err)}
	}
	switch {
	case c.address != "":
		opts.HostPort = c.address
	case opts.HostPort != "": // from the environment
	default:
		info, ok, err := local.Running(dir)
		if err != nil {
			return nil, "", err
		}
		if !ok || info.HostPort == "" {
			return nil, "", errNoServer
		}
		opts.HostPort, opts.Namespace, uiURL = info.HostPort, info.Namespace, info.UIURL
	}
	if c.namespace != "" {
		opts.Namespace = c.namespace
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	opts.Logger = sdklog.NewStructuredLogger(log)
	tc, err := client.DialContext(ctx, opts)
	if err != nil {
		return nil, "", fmt.Errorf("connect to Temporal at %s: %w", opts.HostPort, err)
	}
	return tc, uiURL, nil
}

// reach connects where the store alone can tell, too. state is what a sweep is in
// that is not done, as far as the store tells: stopped without a server; unknown,
// and a note says so, where the one that is named does not answer.
func (a *app) reach(ctx context.Context, c *connection, dir string) (tc client.Client, uiURL, state string) {
	tc, uiURL, err := c.dial(ctx, dir, nil)
	if err == nil || errors.Is(err, errNoServer) {
		return tc, uiURL, "stopped"
	}
	fmt.Fprintf(a.err, "note: what follows is what the store tells: %v\n", err)
	return nil, "", "unknown"
}

// Search attributes by which sweeps are found in the Web UI.
var (
	attrName  = temporal.NewSearchAttributeKeyKeyword("SweepName")
	attrCells = temporal.NewSearchAttributeKeyInt64("SweepCells")
)

func searchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		attrName.GetName():  attrName.GetValueType(),
		attrCells.GetName(): attrCells.GetValueType(),
	}
}

// attributes are the search attributes of a sweep, as far as the server knows
// them: one that lacks them runs sweeps all the same.
func attributes(ctx context.Context, c client.Client, namespace, name string, cells int) temporal.SearchAttributes {
	have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return temporal.SearchAttributes{}
	}
	var set []temporal.SearchAttributeUpdate
	if _, ok := have.CustomAttributes[attrName.GetName()]; ok {
		set = append(set, attrName.ValueSet(name))
	}
	if _, ok := have.CustomAttributes[attrCells.GetName()]; ok {
		set = append(set, attrCells.ValueSet(int64(cells)))
	}
	return temporal.NewSearchAttributes(set...)
}

// start starts the workflow of a sweep whose plan is stored, or attaches to it
// if it runs. started is false, without an error, if it has run before and the
// policy forbids another time.
func start(ctx context.Context, c client.Client, p *plan.Header, details, backend string, again enums.WorkflowIdReusePolicy) (started bool, err error) {
	_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       p.ID,
		TaskQueue:                                protocol.Queue,
		WorkflowIDReusePolicy:                    again,
		WorkflowIDConflictPolicy:                 enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    attributes(ctx, c, "default", p.Name, p.CellCount),
		StaticSummary:                            fmt.Sprintf("%s: %d cells", p.Name, p.CellCount),
		StaticDetails:                            details,
	}, protocol.WorkflowSweep, protocol.SweepInput{
		Sweep: p.ID, Size: p.Size(), TrainQueue: protocol.TrainQueue(backend),
		MaxConcurrent: p.Run.MaxConcurrent, FailureLimit: p.Run.FailureLimit(),
	})
	var done *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &done) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start sweep %s: %w", p.ID, err)
	}
	return true, nil
}

// settled waits for a sweep that is being canceled, or that stops because of runs
// that failed, to end: what it is told until then it would not do.
func (a *app) settled(ctx context.Context, c client.Client, id string) error {
	d, err := c.DescribeWorkflowExecution(ctx, id, "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at sweep %s: %w", id, err)
	}
	if d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	var p protocol.Progress
	if !d.GetWorkflowExtendedInfo().GetCancelRequested() && (queryProgress(ctx, c, id, &p) != nil || !p.Ending) {
		return nil
	}
	fmt.Fprintf(a.err, "sweep %s is ending: waiting until its runs are saved\n", id)
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
