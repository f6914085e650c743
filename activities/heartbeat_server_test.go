//go:build !noserver

package activities

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// A short attempt, which ends while its first heartbeat is on the way, does not cut it off: the log would say so at
// each refusal.
func TestHeartbeatOfShortAttemptArrives(t *testing.T) {
	log := &lockedBuffer{}
	c := startServerLogging(t, slog.NewTextHandler(log, nil))
	a := &Activities{beat: time.Hour}
	w := worker.New(c, "short", worker.Options{})
	w.RegisterActivityWithOptions(func(ctx context.Context) error {
		sent := make(chan struct{}, 2) // the first, and the last
		stop := a.heartbeat(ctx, func() any { sent <- struct{}{}; return nil })
		<-sent
		stop()
		return nil
	}, activity.RegisterOptions{Name: "short"})
	run := func(ctx workflow.Context) error {
		options := workflow.ActivityOptions{StartToCloseTimeout: time.Hour, HeartbeatTimeout: time.Minute}
		for range 10 {
			if err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "short").Get(ctx, nil); err != nil {
				return err
			}
		}
		return nil
	}
	w.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: "short"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	r, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "short"}, "short")
	if err == nil {
		err = r.Get(t.Context(), nil)
	}
	if err != nil || strings.Contains(log.String(), "RecordActivityHeartbeat") {
		t.Errorf("%v; the log:\n%s", err, log)
	}
}
