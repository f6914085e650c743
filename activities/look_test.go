package activities

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// observer is an Observer that calls a function.
type observer func(ctx context.Context, in protocol.LookInput) (protocol.Live, error)

func (o observer) Look(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
	return o(ctx, in)
}

func (o observer) Workers(context.Context, string) ([]string, error) {
	return nil, errors.New("not asked")
}

// lookAt runs Look once.
func (w *testWorker) lookAt(in protocol.LookInput) (live protocol.Live, err error) {
	v, err := w.get(protocol.ActivityLook, in)
	if err == nil {
		err = v.Get(&live)
	}
	return live, err
}

func TestLook(t *testing.T) {
	in := protocol.LookInput{Sweep: "tiny-12345678", TrainQueue: "sweep-train-cpu", Owner: "ada"}
	w := newWorker(t, openDir(t), makePlan(t, nil))
	if live, err := w.lookAt(in); err != nil || !reflect.DeepEqual(live, protocol.Live{}) {
		t.Errorf("without an observer: %+v, %v", live, err)
	}

	want := protocol.Live{Stages: []protocol.LiveStage{{Cell: 3, State: plan.Training}}, Training: 1, Waiting: 2, Slots: 8}
	w.Observer = observer(func(_ context.Context, got protocol.LookInput) (protocol.Live, error) {
		if got != in {
			t.Errorf("asked for %+v", got)
		}
		return want, nil
	})
	if live, err := w.lookAt(in); err != nil || !reflect.DeepEqual(live, want) {
		t.Errorf("saw %+v, %v", live, err)
	}

	// A history holds every answer: it is cut, whatever an observer gives, unless all stages are asked for.
	w.Observer = observer(func(context.Context, protocol.LookInput) (protocol.Live, error) {
		return protocol.Live{Stages: make([]protocol.LiveStage, 1000), Training: 1000}, nil
	})
	if live, err := w.lookAt(in); err != nil || len(live.Stages) != protocol.MaxLive || live.Training != 1000 {
		t.Errorf("%d stages, %d in training, %v", len(live.Stages), live.Training, err)
	}
	in.All = true
	if live, err := w.lookAt(in); err != nil || len(live.Stages) != 1000 {
		t.Errorf("asked for all: %d stages, %v", len(live.Stages), err)
	}
}

// A look that fails is tried again by the workflow's policy, and is no error in a log.
func TestLookFails(t *testing.T) {
	w := newWorker(t, openDir(t), makePlan(t, nil))
	refused := errors.New("dial tcp 10.0.0.1:7233: connection refused")
	untilEnd := func(ctx context.Context, _ protocol.LookInput) (protocol.Live, error) {
		<-ctx.Done()
		return protocol.Live{Training: 1}, fmt.Errorf("describe: %w", ctx.Err())
	}
	for name, c := range map[string]struct {
		observer
		lookFor time.Duration
		text    string
	}{
		"refused": {func(context.Context, protocol.LookInput) (protocol.Live, error) {
			return protocol.Live{Training: 1}, refused
		}, time.Hour, "look at tiny: dial tcp 10.0.0.1:7233: connection refused"},
		"silent": {untilEnd, time.Millisecond, "look at tiny: the server gave no answer within 1ms: describe: "},
	} {
		w.Observer, w.lookFor = c.observer, c.lookFor
		live, err := w.lookAt(protocol.LookInput{Sweep: "tiny"})
		wantType(t, err, "LookFailed", true)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Category() != temporal.ApplicationErrorCategoryBenign ||
			!strings.HasPrefix(app.Message(), c.text) || live.Training != 0 {
			t.Errorf("%s: %+v, %v", name, live, err)
		}
	}

	// What ends the activity ends a look at once.
	w.lookFor = time.Hour
	w.Observer = observer(func(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
		close(w.stop)
		return untilEnd(ctx, in)
	})
	_, err := w.lookAt(protocol.LookInput{})
	wantType(t, err, "WorkerStopping", true)
	w.stop = make(chan struct{})
	w.Observer = observer(func(ctx context.Context, in protocol.LookInput) (protocol.Live, error) {
		w.end(activity.ErrActivityPaused)
		return untilEnd(ctx, in)
	})
	_, err = w.lookAt(protocol.LookInput{})
	wantType(t, err, "Paused", true)
}
