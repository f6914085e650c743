package observe

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A Looker is what activities.Activities.Observer is in a worker.
type Looker struct{ Client client.Client }

// askTimeout bounds the questions without which a look is still of use.
const askTimeout = 10 * time.Second

// Look tells of a sweep what its workflow cannot ask. An error means that the server did not describe the workflow.
// What else the server does not tell is 0.
func (l Looker) Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
	o, err := Describe(ctx, l.Client, in.Sweep)
	if err != nil {
		return protocol.Live{}, err
	}
	live, workers := o.live(in.All)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var owners sync.WaitGroup
	owners.Go(func() { live.OwnersSweeps = ownersSweeps(ctx, l.Client, in.Owner) })
	for identity := range pollers(ctx, l.Client, in.TrainQueue) {
		workers[identity] = true
	}
	owners.Wait()
	for identity := range workers {
		_, _, slots, _ := ParseIdentity(identity)
		live.Slots += slots
	}
	return live, nil
}

// live counts the stages in flight, and lists all of them or protocol.MaxLive. workers holds the identities of the
// workers that have one. A stage that is paused by itself counts neither as one in training nor as one that waits, also
// while its worker still saves its state.
func (o Observation) live(all bool) (live protocol.Live, workers map[string]bool) {
	live.Stages, workers = []protocol.LiveStage{}, map[string]bool{}
	for _, a := range o.Activities {
		if !a.IsStage() {
			continue
		}
		switch a.State {
		case plan.Paused:
		case plan.Waiting:
			live.Waiting++
		default:
			live.Training++
		}
		if all || len(live.Stages) < protocol.MaxLive {
			live.Stages = append(live.Stages, a.LiveStage)
		}
		if a.Started && a.identity != "" {
			workers[a.identity] = true
		}
	}
	return live, workers
}

// pollers lists the identities of workers that asked a queue for activities in the last minutes: those that asked its
// first partition. On the servers of up, run and Compose a queue has no other. Where it has, a worker asks each of them
// in turn. What a server refuses is left out.
func pollers(ctx context.Context, c client.Client, queue string) map[string]bool {
	out := map[string]bool{}
	if queue == "" {
		return out
	}
	first, err := c.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
	if err == nil {
		for _, p := range first.GetPollers() {
			out[p.GetIdentity()] = true
		}
	}
	return out
}

// ownersSweeps counts the running sweeps of an owner; 0 if there is none, or the namespace lacks the search attribute.
func ownersSweeps(ctx context.Context, c client.Client, owner string) int {
	const running = "ExecutionStatus = 'Running'"
	switch {
	case owner == "":
		return 0
	case strings.ContainsAny(owner, mangled):
		return countListed(ctx, c, protocol.AttrOwner+" IS NOT NULL AND "+running, owner)
	}
	query := protocol.AttrOwner + " = " + quote(owner) + " AND " + running
	answer, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	if err != nil {
		return 0
	}
	return int(answer.GetCount())
}

// mangled are the characters that a server with SQL visibility changes in a literal, as it was seen with SQLite: no
// query finds a text with one of them.
const mangled = "\\\"\b\n\r\t"

// maxListed bounds the workflows that are listed to count those of an owner.
const maxListed = 10_000

// countListed counts the workflows of a query that have an owner, one by one.
func countListed(ctx context.Context, c client.Client, query, owner string) int {
	n, listed := 0, 0
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1000}
	for listed < maxListed {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return 0
		}
		for _, e := range page.GetExecutions() {
			listed++
			if attribute(e.GetSearchAttributes(), protocol.AttrOwner) == owner {
				n++
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
	}
	return n
}

// quote writes a text as a literal of the query language.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
