package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
)

// A report is one file, the same bytes each time; it takes sweeps by name and ID, and files.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "report.html")
	mustRun(t, dir, "run", writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50")), "--no-ui", "--no-report")
	mustRun(t, dir, "report", "small", "--out", out)
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>small</title>", `"curves":[{`, "Content-Security-Policy"} {
		if !bytes.Contains(first, []byte(want)) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if again := mustRun(t, dir, "report", "small", "--out", "-"); again != string(first) {
		t.Error("a second report differs")
	}
	curves, err := filepath.Glob(filepath.Join(dir, "store", "models", "*", ledger.CurveFile))
	if err != nil || len(curves) != 4 {
		t.Fatalf("curves %q, %v", curves, err)
	}
	if err := errors.Join(os.Remove(curves[0]), os.WriteFile(curves[1], []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, dir, "report", "small", "--out", out)
	status, said := p.exitStatus(t), p.err.String()
	if status != 0 || !strings.Contains(said, "no curve in the store") || !strings.Contains(said, "is damaged") {
		t.Errorf("two curves of four: status %d\n%s", status, said)
	}
	results := filepath.Join(dir, "results.csv")
	if err := os.WriteFile(results, []byte(mustRun(t, dir, "results", "small", "-o", "csv")), 0o600); err != nil {
		t.Fatal(err)
	}
	both := mustRun(t, dir, "report", "small", results, "--out", "-", "--title", "Both <b>")
	if !strings.Contains(both, "<title>Both &lt;b&gt;</title>") || !strings.Contains(both, `"rows":8`) {
		t.Errorf("a sweep and a file:\n%.500s", both)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"nosuch"}, exitBadInput, "is not in this store"},
		{[]string{filepath.Join(dir, "nosuch.csv")}, exitBadInput, "nosuch.csv"},
		{[]string{}, exitBadInput, "arg"},
		{[]string{"small", "small"}, exitBadInput, "given twice"},
		{[]string{"small", "--out", ""}, exitBadInput, "--out"},
		{[]string{"small", "--out", filepath.Join(dir, "no", "folder.html")}, exitError, "write report"},
	} {
		p := startProgram(t, dir, append([]string{"report"}, c.args...)...)
		if status := p.exitStatus(t); status != c.status || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("%v: status %d, want %d\n%s", c.args, status, c.status, p.err.String())
		}
	}
}

// sweep up serves the live reports at the address that it prints, until it ends.
func TestLiveReport(t *testing.T) {
	dir := t.TempDir()
	up, _ := startServer(t, dir, "--slots", "1")
	urlRE := regexp.MustCompile(`report at (http://(127\.0\.0\.1:\d+)/[0-9a-f]{32}/)\n`)
	waitFor(t, "the address of the report", func() bool { return urlRE.MatchString(up.err.String()) })
	found := urlRE.FindStringSubmatch(up.err.String())
	url, at := found[1], found[2]
	if list := fetch(t, url); !strings.Contains(list, "holds no sweeps") {
		t.Errorf("an empty store:\n%s", list)
	}
	long := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000", "name: small", "name: long"))
	id := strings.TrimSpace(mustRun(t, dir, "submit", long))
	type running struct{ Cell, Step, Steps int }
	var data struct {
		Rows   int
		Sweeps []struct {
			Live struct {
				State   string
				Running []running
			}
		}
	}
	waitFor(t, "a cell in training", func() bool {
		if err := json.Unmarshal([]byte(fetch(t, url+id+"/data.json")), &data); err != nil {
			t.Fatal(err)
		}
		live := data.Sweeps[0].Live
		trains := func(r running) bool { return r.Step > 0 } // the slot may have gone to any of them
		return live.State == string(plan.Training) && slices.ContainsFunc(live.Running, trains)
	})
	if data.Rows != 4 {
		t.Errorf("%d rows", data.Rows)
	}
	if page := fetch(t, url+id+"/"); !strings.Contains(page, "<title>long</title>") {
		t.Errorf("the page:\n%.500s", page)
	}
	if status := mustRun(t, dir, "status", id); !strings.Contains(status, "\n"+url+id+"/\n") {
		t.Errorf("status does not link to the report:\n%s", status)
	}
	mustRun(t, dir, "cancel", id)
	quick := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 50", "name: small", "name: quick"))
	mustRun(t, dir, "submit", quick, "--wait")
	waitFor(t, "the new sweep", func() bool { return strings.Contains(fetch(t, url), `"quick-`) })
	up.terminate(t)
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("the report is served after the end")
	}
}

// A port that is in use, or that another part of the server is to have, is an error.
func TestReportPort(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	g := writeGrid(t, smallGrid)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--report-port", port}, exitError, "--report-port"},
		{[]string{"--report-port", "0"}, exitBadInput, "1 to 65535"},
		{[]string{"--report-port", "7000", "--grpc-port", "7000"}, exitBadInput, "another port"},
		{[]string{"--report-port", "7000", "--ui-port", "7000"}, exitBadInput, "another port"},
	} {
		p := startProgram(t, t.TempDir(), append([]string{"run", g}, c.args...)...)
		if status := p.exitStatus(t); status != c.status || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("%v: status %d, want %d\n%s", c.args, status, c.status, p.err.String())
		}
	}
}

// fetch returns what a server answers; it must be good.
func fetch(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, answer.Status, err, b)
	}
	return string(b)
}
