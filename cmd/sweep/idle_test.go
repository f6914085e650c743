//go:build !noserver

package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/webhook"
)

// A worker is idle once no attempt has had a slot for the limit: polls that come to nothing and a pause that is
// shorter do not count.
func TestIdleClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Hour
		c := newIdleClock(limit)
		isIdle := func() bool {
			synctest.Wait()
			select {
			case <-c.ends():
				return true
			default:
				return false
			}
		}
		time.Sleep(limit - time.Second)
		c.began()
		time.Sleep(2 * limit)
		c.began()
		c.ended()
		time.Sleep(2 * limit)
		if isIdle() {
			t.Error("idle while an attempt has a slot")
		}
		c.ended()
		time.Sleep(limit - time.Second)
		c.began()
		c.ended()
		time.Sleep(limit - time.Second)
		if isIdle() {
			t.Error("idle before the limit")
		}
		time.Sleep(2 * time.Second)
		if !isIdle() {
			t.Error("not idle after the limit")
		}
		c.began() // a stage that came in that moment, which the worker saves for long
		c.ended()
		time.Sleep(2 * limit)
		if !isIdle() {
			t.Error("not idle any more")
		}
	})
	never := newIdleClock(0)
	never.began()
	never.ended()
	if never.ends() != nil {
		t.Error("a worker without a limit may be idle")
	}
}

// A server that trains nothing leaves all to a worker, which ends by itself when nothing is left. What it trained is
// what sweep run trains.
func TestIdleWorkerEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grid := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50"))
	want := mustRun(t, t.TempDir(), "run", grid, "--no-ui")
	h := startHook(t)
	up, info := startServer(t, dir, "--no-train", "--no-report", "--metrics-addr", ":0", "--webhook", h.URL)
	if code, body := scrape(t, metricsOf(t, up)+"/readyz"); code != http.StatusOK {
		t.Errorf("a server that is to train nothing is not ready: %d %s", code, body)
	}
	id := strings.TrimSpace(mustRun(t, dir, "submit", grid))

	// A worker may end before it gets its first stage, on a machine that is that slow.
	for statusOfSweep(t, dir, id).State != plan.Completed {
		worker := startProgram(t, dir, "worker", "--slots", "2", "--idle-timeout", "1s")
		if status := worker.exitStatus(t); status != exitOK ||
			!strings.Contains(worker.err.String(), "nothing to train for 1s") {
			t.Fatalf("status %d\n%s", status, worker.err.String())
		}
	}
	if got := mustRun(t, dir, "watch", id); got != want {
		t.Errorf("results:\n%s\nwant:\n%s", got, want)
	}
	queue, err := dialServer(t, info).DescribeTaskQueue(t.Context(), protocol.TrainQueue("cpu"),
		enums.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range queue.Pollers {
		if strings.HasPrefix(p.Identity, fmt.Sprintf("%d@", up.Process.Pid)) {
			t.Errorf("the server asks for stages too: %s", p.Identity)
		}
	}
	if len(queue.Pollers) == 0 || !strings.Contains(up.err.String(), "no training here") {
		t.Errorf("pollers %v; the server says:\n%s", queue.Pollers, up.err.String())
	}
	up.terminate(t)
	// The server's process, or the worker's, whichever ended the sweep; the worker has no webhook.
	for _, m := range h.wants(t, webhook.SweepEnded) {
		if m.Done != m.Cells {
			t.Errorf("%+v", m.Sweep)
		}
	}

	bad := startProgram(t, dir, "worker", "--idle-timeout", "-1s")
	if status := bad.exitStatus(t); status != exitBadInput {
		t.Errorf("--idle-timeout -1s: status %d", status)
	}
}
