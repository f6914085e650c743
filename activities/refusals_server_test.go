//go:build !noserver

package activities

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/protocol"
)

// awayPlan is a plan whose data are gone.
func awayPlan(t *testing.T) *testWorker {
	t.Helper()
	p, file := planOnShard(t)
	w := submit(t, openDir(t), p)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	return w
}

// Refusals go from attempt to attempt through a real server. When all live workers have refused for the time of
// patience, the error is final, and names each of them with its reason.
func TestRefusalsOnServer(t *testing.T) {
	base := awayPlan(t)
	c := startServer(t)
	live := lives{"1@a (cpu, 1 slot)", "2@b (cpu, 1 slot)"}
	var workers []*testWorker
	for _, name := range live {
		w := newWorker(t, base.store, base.plan).named(name, live)
		w.Patience = 50 * time.Millisecond
		w.serve(c, "refusals", &attemptWatch{})
		workers = append(workers, w)
	}
	err := workers[0].start(c, "refusals", 1).Get(t.Context(), nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != "BadData" || !app.NonRetryable() {
		t.Fatalf("the run ended with %v", err)
	}
	for _, want := range []string{"refused by every live worker (2): ", "1@a: data ", "2@b: data ", "no such file"} {
		if !strings.Contains(app.Message(), want) {
			t.Errorf("%q lacks %q", app.Message(), want)
		}
	}
}

// A worker that has another store refuses, three times in a row, and takes no more work. The error says so for people,
// and the heartbeat keeps the refusal. The worker that has the plan trains the run as if nothing had been.
func TestRefusedUntilAbleWorker(t *testing.T) {
	calm := submit(t, openDir(t), makePlan(t, nil))
	calm.finish()
	c := startServer(t)
	live := lives{"1@a (cpu, 1 slot)", "2@b (cpu, 1 slot)"}
	bad := newWorker(t, openDir(t), calm.plan).named(live[0], live)
	bad.serve(c, "able", &attemptWatch{})
	run := bad.start(c, "able", 1)
	<-bad.Unfit()
	err := bad.WhyUnfit()
	for _, want := range []string{"takes no more work", "refused 3 activities in a row", ErrNoPlan.Error()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	p := pendingWhen(t, c, run, enums.PENDING_ACTIVITY_STATE_SCHEDULED)
	var beat protocol.Heartbeat
	if err := converter.GetDefaultDataConverter().FromPayloads(p.GetHeartbeatDetails(), &beat); err != nil {
		t.Fatal(err)
	}
	if r := beat.Refusals; len(r) != 1 || r[0].Worker != live[0] || !strings.HasPrefix(r[0].Why, ErrNoPlan.Error()) ||
		r[0].Since.IsZero() {

		t.Errorf("the heartbeat is %+v", beat)
	}
	m := p.GetLastFailure().GetMessage()
	if !strings.HasPrefix(m, "refused by 1@a: "+ErrNoPlan.Error()) || !strings.HasSuffix(m, "; waits for another worker") {
		t.Errorf("the failure reads %q", m)
	}
	good := submit(t, openDir(t), makePlan(t, nil)).named(live[1], live)
	good.serve(c, "able", &attemptWatch{})
	if err := run.Get(t.Context(), nil); err != nil {
		t.Error(err)
	}
	wantSame(t, "the model", good.model(), calm.model())
	if err := good.WhyUnfit(); err != nil {
		t.Error(err)
	}
}
