//go:build !noserver

package main

import (
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A sweep that was interrupted takes no slot of the mended one that is run after it. It is named, and goes on later as
// if nobody had disturbed it.
func TestRunPausesOthers(t *testing.T) {
	t.Parallel()
	first := changed(t, smallGrid, "steps: 1500, batch_size: 256", "steps: 2000, batch_size: 64")
	file := writeGrid(t, first)
	undisturbed := t.TempDir()
	want := mustRun(t, undisturbed, "run", file, "--no-ui")

	dir := t.TempDir()
	interrupt(t, dir, file)
	id := statusOfSweep(t, dir, "small").ID
	mended := startProgram(t, dir, "run", writeGrid(t, changed(t, first, "k: [2, 4]", "k: [2, 8]")), "--no-ui")
	if status := mended.exitStatus(t); status != exitOK || strings.Count(mended.out.String(), "completed") != 4 {
		t.Fatalf("mended: status %d\n%s%s", status, mended.err.String(), mended.out.String())
	}
	line := regexp.MustCompile(`also unfinished here: ` + id + ` \(\d of 4 runs done\), an earlier version of ` +
		`this grid; ` +
		`paused; k=4 is not in this grid any more: its \d runs? (is|are) not trained; ` +
		`2 of its runs are in this grid too\. ` +
		`sweep resume ` + id + ` goes on with it, sweep cancel ` + id + ` ends it\n`)
	if text := mended.err.String(); !line.MatchString(text) || strings.Count(text, "also unfinished") != 1 {
		t.Errorf("the mended grid does not name %s:\n%s", id, text)
	}
	checkPausedSince(t, dir, id)

	up, _ := startServer(t, dir, "--slots", "1")
	says := regexp.MustCompile("sweep " + id + " is paused: .*: sweep resume " + id + `\n`)
	waitFor(t, "up to name it", func() bool { return says.MatchString(up.err.String()) })
	if s := statusOfSweep(t, dir, id); s.State != plan.Paused {
		t.Errorf("in the server of up: %s", s.State)
	}
	up.terminate(t)
	again := startProgram(t, dir, "run", file, "--no-ui")
	if status := again.exitStatus(t); status != exitOK || again.out.String() != want {
		t.Errorf("resumed: status %d\n%s%s\nundisturbed:\n%s", status, again.err.String(), again.out.String(), want)
	}
	if text := again.err.String(); !strings.Contains(text, "sweep "+id+" was paused: resumed\n") ||
		strings.Contains(text, "also unfinished") {
		t.Errorf("resumed:\n%s", text)
	}
	models := readModels(t, dir)
	maps.DeleteFunc(models, func(run, _ string) bool { return !slices.Contains(runsOf(t, undisturbed), run) })
	if !maps.Equal(models, readModels(t, undisturbed)) {
		t.Error("the weights differ from those of the undisturbed sweep")
	}
}

// runsOf lists the runs of which a store has models.
func runsOf(t *testing.T, dir string) []string {
	t.Helper()
	return slices.Collect(maps.Keys(readModels(t, dir)))
}

// checkPausedSince checks that a sweep has been paused, and that no worker has taken a stage of it since.
func checkPausedSince(t *testing.T, dir, id string) {
	t.Helper()
	server, err := local.Start(t.Context(), local.Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	to := embeddedOptions(server.HostPort, "", server.TLS)
	srv, err := connect(t.Context(), to, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	events := srv.client.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	stages, paused := map[int64]bool{}, false
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == protocol.ActivityTrain {
			stages[e.GetEventId()] = true
		}
		if u := e.GetWorkflowExecutionUpdateAcceptedEventAttributes(); u != nil {
			paused = u.GetAcceptedRequest().GetInput().GetName() == protocol.UpdatePause
		}
		if a := e.GetActivityTaskStartedEventAttributes(); paused && stages[a.GetScheduledEventId()] {
			t.Errorf("a worker has taken a stage of the paused sweep: %v", e)
		}
	}
	if !paused {
		t.Errorf("sweep %s was not paused", id)
	}
}

// The sweeps of the store that no server knows are named too, at most five of them, and not those that are canceled.
func TestRunNamesIdleSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ids []string
	for i := range 7 {
		_, p := storeGrid(t, dir, gridWith(fmt.Sprintf("name: idle%d", i)), 0)
		ids = append(ids, p.ID)
	}
	l, p := storeGrid(t, dir, gridWith("name: over"), 0)
	if n, err := l.CancelRuns(t.Context(), &p.Header); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	storeGrid(t, dir, gridWith("name: whole", "parameters: {k: [2, 4, 6]}"), 0)
	run := startProgram(t, dir, "run", writeGrid(t, gridWith("name: own", "parameters: {k: [3]}")), "--no-ui")
	if status := run.exitStatus(t); status != exitOK {
		t.Fatalf("status %d\n%s", status, run.err.String())
	}
	text := run.err.String()
	if strings.Count(text, "also unfinished here: ") != othersShown || strings.Contains(text, "over-") ||
		!strings.Contains(text, "3 more are unfinished: sweep list\n") {
		t.Errorf("messages:\n%s", text)
	}
	idle := fmt.Sprintf("%s (0 of 2 runs done); idle. sweep retry %[1]s goes on with it, "+
		"sweep cancel %[1]s ends it\n", ids[6])
	if !strings.Contains(text, idle) {
		t.Errorf("messages lack %q:\n%s", idle, text)
	}
	if results, err := l.CompletedRuns(t.Context()); err != nil || len(results) != 1 {
		t.Errorf("%d results, %v", len(results), err)
	}
}
