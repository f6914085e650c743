package workflows

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/topksweep/sweep/sweep/protocol"
)

// A build that starts activities in another order must not go on with the history of one that does not. To such a
// history a build of today is one with another order. So in each recorded history, two activities that one workflow
// task has scheduled change places, in all events: the history is then one that a build with another order writes, and
// replaying it must be an error. TestReplay replays all of them as they are.
func TestReorderedReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, file := range files {
		plain := !strings.HasPrefix(filepath.Base(file), "steered-")
		h := readHistory(t, file)
		if echo(t, h); replayer().ReplayWorkflowHistory(silent(), h) != nil {
			t.Fatalf("%s: outcomes that say what they are of are no error", file)
		}
		pairs := scheduledTogether(h)
		for _, p := range pairs {
			a, b := scheduled(h, p[0]), scheduled(h, p[1])
			kind := a.ActivityType.Name
			if o := b.ActivityType.Name; o != kind {
				kind += "+" + o
			}
			if plain && !completes(h, p[0]) && !completes(h, p[1]) {
				continue // nothing tells a failure from another's there; nothing is credited either
			}
			swapped := exchange(h, p[0], p[1], plain)
			err := replayer().ReplayWorkflowHistory(silent(), swapped)
			if err == nil {
				t.Errorf("%s: %s and %s in another order (events %v): no error", file, a.ActivityId, b.ActivityId, p)
			}
			if plain {
				kind += ", numbered"
			}
			count[kind]++
		}
	}
	for _, kind := range []string{
		"TrainStage", "Evaluate", "Evaluate+TrainStage", "Evaluate+Prepare", "Evaluate+RecordFailure", // named
		"TrainStage, numbered", "Evaluate, numbered", "Evaluate+TrainStage, numbered",
	} {
		if count[kind] == 0 {
			t.Errorf("no recorded history schedules two of %s at once: %v", kind, count)
		}
	}
}

func readHistory(t *testing.T, file string) *historypb.History {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := new(historypb.History)
	if err := (temporalproto.CustomJSONUnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, h); err != nil {
		t.Fatal(err)
	}
	return h
}

func scheduled(h *historypb.History, event int64) *historypb.ActivityTaskScheduledEventAttributes {
	return h.Events[event-1].GetActivityTaskScheduledEventAttributes()
}

// completes reports whether the activity of an event has an outcome that is no error.
func completes(h *historypb.History, event int64) bool {
	for _, e := range h.Events {
		if e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId() == event {
			return true
		}
	}
	return false
}

// scheduledTogether returns the pairs of events at which one workflow task has scheduled two activities, one right
// after the other, whose inputs are not the same.
func scheduledTogether(h *historypb.History) (pairs [][2]int64) {
	var last int64
	for _, e := range h.Events {
		a := e.GetActivityTaskScheduledEventAttributes()
		if a == nil {
			continue
		}
		if last > 0 {
			b := scheduled(h, last)
			if b.WorkflowTaskCompletedEventId == a.WorkflowTaskCompletedEventId && !proto.Equal(a.Input, b.Input) {
				pairs = append(pairs, [2]int64{last, e.EventId})
			}
		}
		last = e.EventId
	}
	return pairs
}

// exchange returns a history in which two scheduled activities have changed places, with all that became of them. Where
// activities have numbers for IDs, the numbers are those of their places.
func exchange(h *historypb.History, a, b int64, numbered bool) *historypb.History {
	h = proto.CloneOf(h)
	x, y := scheduled(h, a), scheduled(h, b)
	if numbered {
		x.ActivityId, y.ActivityId = y.ActivityId, x.ActivityId
	}
	h.Events[a-1].Attributes, h.Events[b-1].Attributes = h.Events[b-1].Attributes, h.Events[a-1].Attributes
	move := func(id *int64) {
		switch *id {
		case a:
			*id = b
		case b:
			*id = a
		}
	}
	for _, e := range h.Events {
		if s := e.GetActivityTaskStartedEventAttributes(); s != nil {
			move(&s.ScheduledEventId)
		}
		if s := e.GetActivityTaskCompletedEventAttributes(); s != nil {
			move(&s.ScheduledEventId)
		}
		if s := e.GetActivityTaskFailedEventAttributes(); s != nil {
			move(&s.ScheduledEventId)
		}
		if s := e.GetActivityTaskTimedOutEventAttributes(); s != nil {
			move(&s.ScheduledEventId)
		}
		if s := e.GetActivityTaskCancelRequestedEventAttributes(); s != nil {
			move(&s.ScheduledEventId)
		}
		if s := e.GetActivityTaskCanceledEventAttributes(); s != nil {
			move(&s.ScheduledEventId)
		}
	}
	return h
}

// echo makes the outcomes of activities say what they are of, as the workers of today do.
func echo(t *testing.T, h *historypb.History) {
	t.Helper()
	for _, e := range h.Events {
		done := e.GetActivityTaskCompletedEventAttributes()
		if done == nil {
			continue
		}
		by := scheduled(h, done.ScheduledEventId)
		key := map[string]string{protocol.ActivityTrain: "Of", protocol.ActivityEval: "of"}[by.ActivityType.Name]
		if key == "" {
			continue
		}
		out := map[string]json.RawMessage{}
		if r := done.Result.GetPayloads(); len(r) > 0 {
			if err := json.Unmarshal(r[0].Data, &out); err != nil {
				t.Fatal(err)
			}
		} else if key == "Of" { // the first versions returned nothing
			continue
		}
		out[key] = by.Input.Payloads[0].Data
		p, err := converter.GetDefaultDataConverter().ToPayload(out)
		if err != nil {
			t.Fatal(err)
		}
		done.Result = &commonpb.Payloads{Payloads: []*commonpb.Payload{p}}
	}
}

// Failures that a workflow task records together have numbered IDs, so that what is noted tells them apart.
func TestReorderedFailures(t *testing.T) {
	f := newFake(2)
	f.train = func(context.Context, int, int) error { return errFinal }
	env := f.env(t)
	env.OnActivity(protocol.ActivityFail, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in protocol.FailInput) ([]int, error) { return []int{1 - in.Cells[0]}, nil })
	env.ExecuteWorkflow(protocol.WorkflowSweep, f.input(2))
	if err := env.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), "nondeterministic workflow") {
		t.Errorf("the note of another cell: %v", err)
	}
}
