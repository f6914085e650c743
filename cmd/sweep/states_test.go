//go:build !noserver

package main

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// endedGrid is a grid of which one run fails.
const endedGrid = `
name: ended
data: {synthetic: {activation_dim: 8, directions: 16, tokens: 4000, active: 2}}
parameters: {lr: [0.001, 1e37]}
train: {dict_size: 32, k: 2, steps: 60, batch_size: 64}
`

// Every command that tells states, the live report and the collected file have the same word for a sweep and for each
// of its runs, through all states of a sweep on real processes.
func TestStatesAgree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	id := strings.TrimSpace(mustRun(t, dir, "submit", endlessGrid(t)))
	waitFor(t, "a run in training", func() bool { return training(statusOfSweep(t, dir, id)) > 0 })
	runs := statesAgree(t, dir, id, plan.Training, reportOf(t, up))
	if !slices.Contains(slices.Collect(maps.Values(runs)), string(plan.Training)) {
		t.Errorf("no run is in training: %v", runs)
	}
	mustRun(t, dir, "pause", id)
	statesAgree(t, dir, id, plan.Paused, reportOf(t, up))
	mustRun(t, dir, "resume", id)
	waitFor(t, "the resumed sweep", func() bool { return training(statusOfSweep(t, dir, id)) > 0 })
	up.Process.Kill()
	up.exitStatus(t)
	statesAgree(t, dir, id, plan.Idle, "")

	up, _ = startServer(t, dir, "--slots", "1")
	statesAgree(t, dir, id, plan.Training, reportOf(t, up)) // a run is said to train until its worker counts as dead
	mustRun(t, dir, "cancel", id)
	filesAgree(t, dir, id, statesAgree(t, dir, id, plan.Canceled, reportOf(t, up)))
	failed := startProgram(t, dir, "submit", writeGrid(t, endedGrid), "--wait")
	if status := failed.exitStatus(t); status != exitError {
		t.Fatalf("a sweep with a run that fails: status %d\n%s", status, failed.err.String())
	}
	failedID := statusOfSweep(t, dir, "ended").ID
	filesAgree(t, dir, failedID, statesAgree(t, dir, failedID, plan.Failed, reportOf(t, up)))
	mustRun(t, dir, "submit", writeGrid(t, gridWith("name: quick")), "--wait")
	quick := statusOfSweep(t, dir, "quick").ID
	filesAgree(t, dir, quick, statesAgree(t, dir, quick, plan.Completed, reportOf(t, up)))
	up.terminate(t)
	for id, state := range map[string]plan.Status{
		id: plan.Canceled, failedID: plan.Failed, quick: plan.Completed,
	} {
		statesAgree(t, dir, id, state, "")
	}

	// What was canceled without a server, a later server does not know.
	_, p := storeGrid(t, dir, gridWith("name: stored", "train: {dict_size: 64, steps: 100, batch_size: 64}"), 0)
	mustRun(t, dir, "cancel", p.ID)
	up, _ = startServer(t, dir, "--slots", "1")
	statesAgree(t, dir, p.ID, plan.Canceled, reportOf(t, up))
}

// A sweep that the Web UI's button has canceled is canceled everywhere, also where no server runs any more: runs that
// nobody had begun too.
func TestCanceledByButton(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	up, info := startServer(t, dir, "--slots", "1")
	grid := writeGrid(t, gridWith("parameters: {k: [2, 3, 4]}", "run: {max_concurrent: 1}",
		"train: {dict_size: 32, steps: 100000000, batch_size: 64}"))
	id := strings.TrimSpace(mustRun(t, dir, "submit", grid))
	waitFor(t, "a run in training", func() bool { return training(statusOfSweep(t, dir, id)) > 0 })
	if err := dialServer(t, info).CancelWorkflow(t.Context(), id, ""); err != nil { // as the button does
		t.Fatal(err)
	}
	waitFor(t, "the end of the sweep", func() bool { return statusOfSweep(t, dir, id).State == plan.Canceled })
	runs := statesAgree(t, dir, id, plan.Canceled, reportOf(t, up))
	for cell, state := range runs {
		if state != string(plan.Canceled) {
			t.Errorf("run %s is %s", cell, state)
		}
	}
	filesAgree(t, dir, id, runs)
	up.terminate(t)
	statesAgree(t, dir, id, plan.Canceled, "")
}

// A verb that chooses runs by their states goes by those that status shows: of a run that waits for a worker, none says
// that it trains.
func TestChosenByState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	grid := gridWith("parameters: {k: [2, 3, 4]}", "train: {dict_size: 32, steps: 100000000, batch_size: 64}")
	id := strings.TrimSpace(mustRun(t, dir, "submit", writeGrid(t, grid)))
	in := map[plan.Status][]int{} // numbers of runs
	waitFor(t, "a run in training and one that waits", func() bool {
		clear(in)
		l, h, err := openSweep(t.Context(), location{dir: dir}, id)
		if err != nil {
			t.Fatal(err)
		}
		states := runStates(statusOfSweep(t, dir, id))
		cells, err := l.Cells(t.Context(), h, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cells {
			state := plan.Status(states[c.ID])
			in[state] = append(in[state], i)
		}
		return len(in[plan.Training]) > 0 && len(in[plan.Waiting]) > 0
	})
	chosen := func(verb string, state plan.Status) {
		t.Helper()
		var did protocol.Steered
		out := mustRun(t, dir, verb, id, "--where", "status="+string(state), "-o", "json")
		if err := json.Unmarshal([]byte(out), &did); err != nil || !slices.Equal(did.Cells, in[state]) {
			t.Errorf("%s of what is %s: cells %v, %v, want %v", verb, state, did.Cells, err, in[state])
		}
	}
	chosen("cancel", plan.Training)
	in[plan.Canceled] = in[plan.Training]
	chosen("retry", plan.Canceled)
	mustRun(t, dir, "cancel", id)
	up.terminate(t)
}

// reportOf returns the address of the live reports of a server.
func reportOf(t *testing.T, up *program) string {
	t.Helper()
	link := regexp.MustCompile(`report at (http://\S+/)\n`)
	waitFor(t, "the link of the report", func() bool { return link.MatchString(up.err.String()) })
	return link.FindStringSubmatch(up.err.String())[1]
}

// statesAgree checks that a sweep is in a state, wherever that is told, and returns the states of its runs by cell.
// reports is the address of the live reports, "" for none. While runs change their states it looks again.
func statesAgree(t *testing.T, dir, id string, want plan.Status, reports string) (runs map[string]string) {
	t.Helper()
	var got map[string]map[string]string
	waitFor(t, "a moment in which no run changes its state", func() bool {
		before := runStates(statusOfSweep(t, dir, id))
		got = map[string]map[string]string{"results": resultStates(t, mustRun(t, dir, "results", id, "-o", "json"))}
		if reports != "" {
			got["report"] = reportStates(t, fetch(t, reports+id+"/data.json"), want)
		}
		runs = runStates(statusOfSweep(t, dir, id))
		return maps.Equal(before, runs)
	})
	for where, states := range got {
		if !maps.Equal(states, runs) {
			t.Errorf("%s sweep: %s says %v, status %v", want, where, states, runs)
		}
	}
	if s := statusOfSweep(t, dir, id); s.State != want {
		t.Errorf("status -o json says %s, want %s", s.State, want)
	}
	word := regexp.MustCompile(`(?m)^` + id + ` +` + string(want) + `( |$)`)
	for _, args := range [][]string{{"status", id}, {"list"}} {
		if text := mustRun(t, dir, args...); !word.MatchString(text) {
			t.Errorf("%v does not say %s:\n%s", args, want, text)
		}
	}
	var list []sweepState
	if err := json.Unmarshal([]byte(mustRun(t, dir, "list", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list, func(s sweepState) bool { return s.ID == id && s.State == want }) {
		t.Errorf("list -o json does not say %s: %+v", want, list)
	}
	return runs
}

// runStates returns the states of a sweep's runs by cell, as status tells them.
func runStates(s sweepState) map[string]string {
	states := map[string]string{}
	for _, r := range s.Runs {
		states[r.Cell] = string(r.Status)
	}
	return states
}

// resultStates is runStates for the output of results.
func resultStates(t *testing.T, text string) map[string]string {
	t.Helper()
	var rows []struct{ Cell, Status string }
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, r := range rows {
		states[r.Cell] = r.Status
	}
	return states
}

// reportStates is runStates for the data of a live report. The sweep must be in the state want.
func reportStates(t *testing.T, text string, want plan.Status) map[string]string {
	t.Helper()
	var data struct {
		Rows    int
		Columns []struct {
			Name   string
			Words  []string
			Values []any
			All    any
		}
		Sweeps []struct{ Live struct{ State string } }
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		t.Fatal(err)
	}
	if got := data.Sweeps[0].Live.State; got != string(want) {
		t.Errorf("the live report says %s, want %s", got, want)
	}
	column := map[string][]string{}
	for _, c := range data.Columns {
		if c.Name != "cell" && c.Name != "status" {
			continue
		}
		for i := range data.Rows {
			value := c.All
			if value == nil {
				value = c.Values[i]
			}
			if n, isIndex := value.(float64); isIndex {
				value = c.Words[int(n)]
			}
			column[c.Name] = append(column[c.Name], value.(string))
		}
	}
	states := map[string]string{}
	for i, cell := range column["cell"] {
		states[cell] = column["status"][i]
	}
	return states
}

// filesAgree checks that the results that a sweep collected at its end have the states of its runs.
func filesAgree(t *testing.T, dir, id string, runs map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "store", filepath.FromSlash(ledger.ReportKey(id, "results.csv"))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	cell, status := slices.Index(rows[0], "cell"), slices.Index(rows[0], "status")
	states := map[string]string{}
	for _, r := range rows[1:] {
		states[r[cell]] = r[status]
	}
	if !maps.Equal(states, runs) {
		t.Errorf("results.csv of %s says %v, status %v", id, states, runs)
	}
}

// A server's console says what happens to its sweeps, and the commands that it advises work.
func TestNewsOfServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	says := func(want string) string {
		t.Helper()
		line := regexp.MustCompile(want + `\n`)
		waitFor(t, want, func() bool {
			if len(up.done) > 0 {
				t.Fatalf("up has ended:\n%s", up.err.String())
			}
			return line.MatchString(up.err.String())
		})
		return line.FindString(up.err.String())
	}
	advised := func(line string) {
		t.Helper()
		_, command, ok := strings.Cut(line, ": sweep ")
		if !ok {
			t.Fatalf("no command is advised: %s", line)
		}
		mustRun(t, dir, strings.Fields(command)...)
	}
	id := strings.TrimSpace(mustRun(t, dir, "submit", endlessGrid(t)))
	says("sweep " + id + " starts: 4 cells")
	mustRun(t, dir, "pause", id)
	advised(says("sweep " + id + ` is paused: 0 of 4 done; this goes on with it: sweep resume ` + id))
	says("sweep " + id + " goes on: 0 of 4 done")
	mustRun(t, dir, "cancel", id)
	advised(says("sweep " + id + " canceled: 0 of 4 done; this goes on with it: sweep retry " + id))
	says("sweep " + id + " starts: 4 cells\n(.*\n)*sweep " + id + " starts: 4 cells")
	mustRun(t, dir, "cancel", id)

	mustRun(t, dir, "submit", writeGrid(t, gridWith("name: quick")), "--wait")
	says(`sweep quick-\w+ completed: 2 of 2 done in \d+:\d\d`)
	bad := strings.TrimSpace(mustRun(t, dir, "submit", writeGrid(t, endedGrid)))
	advised(says("sweep " + bad + ` failed: 1 of 2 done, 1 failed in \d+:\d\d; \w+: .*step .*; this trains it again: ` +
		"sweep retry " + bad))
	const failed = " failed: 1 of 2 done, 1 failed.*\n"
	says("sweep " + bad + failed + "(.*\n)*sweep " + bad + " failed: 1 of 2 done, 1 failed.*")

	mustRun(t, dir, "retry", id)
	mustRun(t, dir, "pause", id)
	up.terminate(t)
	up, _ = startServer(t, dir, "--slots", "1")
	says("sweep " + id + ` is paused: 0 of 4 done; this goes on with it: sweep resume ` + id)
	mustRun(t, dir, "resume", id)
	says("sweep " + id + " goes on: 0 of 4 done")
	if n := strings.Count(up.err.String(), "is paused"); n != 1 {
		t.Errorf("a server that starts says %d times that a sweep is paused:\n%s", n, up.err.String())
	}
	mustRun(t, dir, "cancel", id)
	up.terminate(t)
}
