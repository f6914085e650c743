package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/protocol"
)

// Each update of the protocol has a verb, which hands over what the user says and prints what the sweep did.
func TestSteering(t *testing.T) {
	dir := t.TempDir()
	fake, _ := startSteered(t, dir)
	l, p := storeGrid(t, dir, eightCells("eight"), 3)
	startFake(t, dir, p)
	wider := writeGrid(t, changed(t, eightCells("eight"), "seed: [0, 1]", "seed: [2]"))
	cell := func(i int) string { return p.Cells[i].ID }
	for _, x := range []struct {
		args     string
		want     string // the update
		messages string
	}{
		{"pause eight", `pause`, ""},
		{"submit " + writeGrid(t, eightCells("eight")), "", "is paused: nothing trains until sweep resume " + p.ID},
		{"resume " + p.ID, `resume`, ""},
		{"set eight max_concurrent=4", `set {"max_concurrent":4}`, ""},
		{"priority eight low", `priority "low"`, ""},
		{"cancel eight --where k=4", `cancel {"cells":[4,5,6,7]}`, "--where 'k=4' chooses 4 of 8 cells\n"},
		{"cancel eight --where k=2", `cancel {"cells":[3]}`, "chooses 4 of 8 cells; 3 of these 4 have results and stay"},
		{"cancel eight --where status=waiting", `cancel {"cells":[5]}`, "1 of 8 cells"}, // of 0, 5 and 900
		{"cancel eight --where nmse= --where seed=0", `cancel {"cells":[4,6]}`, "chooses 2 of 8 cells\n"},
		{"cancel eight --cell " + cell(5) + "," + cell(4)[:10] + " --cell " + cell(5),
			`cancel {"cells":[4,5]}`, "2 of 8 cells\n"},
		{"cancel eight --where status=failed,error!=", `cancel {"cells":[3]}`, "1 of 8 cells\n"},
		{"cancel eight --where nmse<1", "", "all of them have results"},
		{"retry eight --where status=failed", `retry {"cells":[3]}`, "1 of 8 cells\n"},
		{"retry eight --cell " + strings.ToUpper(cell(3)), `retry {"cells":[3]}`, "Did retry."},
		{"retry eight", `retry {"cells":null}`, "5 of 8 runs have no result, 1 of them failed"},
		{"extend eight " + wider, `extend {"Cells":12,"TreeChunks":2,"Grid":"name: eight\ndata: `, "4 cells more, 12 in all"},
	} {
		before := len(fake.updates())
		status, out, messages := sweepVerb(t.Context(), dir, strings.Fields(x.args)...)
		got := fake.updates()[before:]
		switch verb, _, _ := strings.Cut(x.want, " "); {
		case x.want == "" && len(got) == 0 && strings.Contains(messages, x.messages):
		case status != exitOK, len(got) != 1, !strings.HasPrefix(got[0], x.want), !strings.Contains(messages, x.messages):
			t.Errorf("%s: status %d, sent %q, want %q\n%s%s", x.args, status, got, x.want, out, messages)
		case verb != "retry" && verb != "extend" && out != "Did "+verb+".\n":
			t.Errorf("%s prints %q", x.args, out)
		}
	}
	if _, err := l.Header(t.Context(), p.ID); err != nil {
		t.Error(err)
	}
	status, out, messages := sweepVerb(t.Context(), dir, "retry", "eight", "-o", "text")
	if status != exitOK || out != p.ID+"\n" {
		t.Errorf("retry -o text: status %d\n%s%s", status, out, messages)
	}
	for _, x := range []string{"pause eight", "retry eight --where k=4"} {
		status, out, messages := sweepVerb(t.Context(), dir, append(strings.Fields(x), "-o", "json")...)
		var did protocol.Steered
		if err := json.Unmarshal([]byte(out), &did); status != exitOK || err != nil || did.Did == "" || did.Cells == nil {
			t.Errorf("%s -o json: status %d, %v\n%s%s", x, status, err, out, messages)
		}
	}
	var verbs []string
	for _, u := range fake.updates() {
		name, _, _ := strings.Cut(u, " ")
		verbs = append(verbs, name)
	}
	slices.Sort(verbs)
	verbs = slices.Compact(verbs)
	if want := updatesOfProtocol(t); !slices.Equal(verbs, want) || len(want) < 7 {
		t.Errorf("verbs send the updates %q, the protocol has %q", verbs, want)
	}
	status, out, messages = sweepVerb(t.Context(), dir, "cancel", "eight", "-o", "json")
	var did protocol.Steered
	if err := json.Unmarshal([]byte(out), &did); status != exitOK || err != nil || did.Completed != 3 || did.Failed != 1 {
		t.Errorf("cancel -o json: status %d, %v\n%s%s", status, err, out, messages)
	}
}

// updatesOfProtocol returns the values of the constants Update… of package protocol.
func updatesOfProtocol(t *testing.T) (out []string) {
	t.Helper()
	files, err := filepath.Glob("../../sweep/protocol/*.go")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Update") {
				name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, name)
			}
			return true
		})
	}
	slices.Sort(out)
	return out
}

// What cannot be done is said, with what to do.
func TestSteeringErrors(t *testing.T) {
	dir := t.TempDir()
	_, p := storeGrid(t, dir, eightCells("eight"), 3)
	withoutTemporalVariables(t)
	t.Setenv("SWEEP_STORE", "")
	ambiguous := func() string { // the first digits that two cells share
		for i, a := range p.Cells {
			for _, b := range p.Cells[i+1:] {
				if a.ID[0] == b.ID[0] {
					return a.ID[:1]
				}
			}
		}
		return "?"
	}()
	check := func(args string, want int, texts ...string) {
		t.Helper()
		status, out, messages := sweepVerb(t.Context(), dir, strings.Fields(args)...)
		if status != want || out != "" {
			t.Errorf("%s: status %d, want %d\n%s%s", args, status, want, out, messages)
		}
		for _, text := range texts {
			if !strings.Contains(messages, text) {
				t.Errorf("%s: no %q in:\n%s", args, text, messages)
			}
		}
	}
	for _, args := range []string{"pause eight", "resume eight", "set eight max_concurrent=2", "priority eight high",
		"cancel eight --where k=4"} {
		check(args, exitError, "3 of 8 runs have results, 1 failed; ", "there is no Temporal server", "sweep up")
	}
	for args, text := range map[string]string{
		"pause":                                          "accepts 1 arg",
		"pause eight eight":                              "accepts 1 arg",
		"pause none":                                     "is not in this store",
		"pause eight -o yaml":                            "want text or json",
		"set eight":                                      "requires at least 2",
		"set eight max_concurrent":                       "is no setting",
		"set eight max_concurrent=":                      "want 1 to 200",
		"set eight max_concurrent=0":                     "want 1 to 200",
		"set eight max_concurrent=-3":                    "want 1 to 200",
		"set eight max_concurrent=1e300":                 "want 1 to 200",
		"set eight max_concurrent=NaN":                   "want 1 to 200",
		"set eight max_concurrent=201":                   "want 1 to 200",
		"set eight max_concurent=3":                      "did you mean max_concurrent?",
		"set eight max-concurrent=3":                     "did you mean max_concurrent?",
		"set eight lr=3":                                 "cannot be set; want max_concurrent=N",
		"set eight =3":                                   "cannot be set",
		"priority eight":                                 "accepts 2 arg",
		"priority eight hihg":                            "did you mean high?",
		"priority eight 3":                               "want high, normal or low",
		"cancel eight --cell a --where k=4":              "want one of them",
		"retry eight --cell a --where k=4":               "want one of them",
		"cancel eight --cell ,":                          "want the ID of a cell",
		"cancel eight --cell=":                           "want the ID of a cell",
		"cancel eight --where=":                          "want a condition",
		"cancel eight --where k":                         "has no comparison",
		"submit x.yaml --priority top":                   "want high, normal or low",
		"submit x.yaml --owner=":                         "want a name",
		"submit x.yaml --owner \u0007":                   "printable",
		"run x.yaml --owner a\u202eb":                    "printable",
		"retry eight --owner \xff":                       "printable",
		"retry eight --owner " + strings.Repeat("é", 65): "at most 64",
	} {
		check(args, exitBadInput, text)
	}
	status, _, messages := sweepVerb(t.Context(), dir, "cancel", "eight", "--cell", "")
	if status != exitBadInput {
		t.Errorf("--cell '': status %d\n%s", status, messages)
	}

	_, server := startSteered(t, dir)
	for args, text := range map[string]string{
		"cancel eight --where k=9":                     "chooses none of the 8 cells",
		"cancel eight --where kk=9":                    "kk",
		"cancel eight --where k=x":                     "numbers",
		"cancel eight --cell zzzz":                     "sweep results shows the IDs",
		"cancel eight --cell zzzz,yyyy":                "--cell yyyy",
		"cancel eight --cell " + swap(p.Cells[4].ID):   "did you mean " + p.Cells[4].ID + "?",
		"cancel eight --cell " + p.Cells[4].ID + "0":   "no such cell",
		"cancel eight --cell " + ambiguous:             "give more of the ID",
		"retry eight --cell " + ambiguous + ",zzzz":    "zzzz",
		"retry eight --where status=completed,status=": "none",
	} {
		if ambiguous != "?" || !strings.Contains(args, "?") {
			check(args, exitBadInput, text)
		}
	}
	check("cancel eight --cell "+p.Cells[0].ID, exitError, "have results")
	check("retry eight --where seed=0,k=2,dict_size=32", exitError, "1 of 8 cells", "have results")
	for _, args := range []string{
		"pause eight", "set eight max_concurrent=2", "cancel eight --where k=4",
	} {
		check(args, exitError, "is not running: 3 of 8 runs have results, 1 failed; this starts it again: sweep retry "+
			p.ID)
	}
	for range 2 { // no workflow is needed, and once is enough
		check("cancel eight", exitOK, "canceled; 3 of 8 runs have results", "sweep retry "+p.ID)
	}
	_, done := storeGrid(t, dir, gridWith("name: done", "parameters: {k: [2, 4, 6]}"), 2)
	_, whole := storeGrid(t, dir, gridWith("name: whole"), 0)
	for _, c := range whole.Cells {
		if !slices.ContainsFunc(done.Cells[:2], func(d grid.Cell) bool { return d.ID == c.ID }) {
			t.Fatal("the two sweeps share no cells")
		}
	}
	for _, args := range []string{"pause whole", "cancel whole"} {
		check(args, exitError, "is not running: all its 2 runs have results")
	}

	startFake(t, dir, p)
	check("set eight max_concurrent=99", exitError, "set "+p.ID+": 99 is refused")
	_, old := storeGrid(t, dir, eightCells("old"), 0)
	startFake(t, dir, old)
	check("pause old", exitError, "older version of sweep", "once its worker runs this version")

	_, slow := storeGrid(t, dir, eightCells("slow"), 0)
	startFake(t, dir, slow)
	var said written
	ended := make(chan int, 1)
	go func() {
		ended <- execute(t.Context(), &environment{out: io.Discard, errOut: &said}, []string{"pause", "slow", "--dir", dir})
	}()
	// It says what it waits for once the sweep has accepted the update.
	waitFor(t, "the notice", func() bool { return strings.Contains(said.String(), "waiting until what trains is saved") })
	if err := server.TerminateWorkflow(t.Context(), slow.ID, "", "test"); err != nil {
		t.Fatal(err)
	}
	if status := <-ended; status != exitError || !strings.Contains(said.String(), "ended before") {
		t.Errorf("a sweep that ends before it has paused: status %d\n%s", status, said.String())
	}
}

// Without a server, a sweep whose runs all have results is not said to go on with one.
func TestSteeringWholeSweep(t *testing.T) {
	dir := t.TempDir()
	withoutTemporalVariables(t)
	t.Setenv("SWEEP_STORE", "")
	storeGrid(t, dir, gridWith("name: done", "parameters: {k: [2, 4, 6]}"), 2)
	storeGrid(t, dir, gridWith("name: whole"), 0) // with the same two cells
	for _, args := range []string{"pause whole", "cancel whole", "cancel whole --where k=4"} {
		status, out, messages := sweepVerb(t.Context(), dir, strings.Fields(args)...)
		if status != exitError || out != "" || !strings.Contains(messages, "is not running: all its 2 runs have results") {
			t.Errorf("%s: status %d\n%s%s", args, status, out, messages)
		}
	}
}

// A verb that has to wait says what for, and an interrupt leaves the sweep to it.
func TestSlowSteering(t *testing.T) {
	dir := t.TempDir()
	fake, server := startSteered(t, dir)
	_, p := storeGrid(t, dir, eightCells("slow"), 0)
	startFake(t, dir, p)
	const says = ": pausing; waiting until what trains is saved (Ctrl-C leaves it to it)\n"
	pause := func(ctx context.Context) (messages *written, status chan int) {
		messages, status = &written{}, make(chan int, 1)
		go func() {
			status <- execute(ctx, &environment{out: io.Discard, errOut: messages}, []string{"pause", "slow", "--dir", dir})
		}()
		waitFor(t, "the notice", func() bool { return strings.Contains(messages.String(), "sweep "+p.ID+says) })
		return messages, status
	}
	messages, status := pause(t.Context())
	if err := server.SignalWorkflow(t.Context(), p.ID, "", "saved", nil); err != nil {
		t.Fatal(err)
	}
	if s := <-status; s != exitOK || strings.Count(messages.String(), says) != 1 {
		t.Errorf("status %d\n%s", s, messages)
	}
	ctx, interrupt := context.WithCancelCause(t.Context())
	messages, status = pause(ctx)
	interrupt(errInterrupted)
	if s := <-status; s != exitInterrupted {
		t.Errorf("interrupted: status %d\n%s", s, messages)
	}
	if got := fake.updates(); len(got) != 2 {
		t.Errorf("updates %q", got)
	}
}

// The errors of an update say what to do.
func TestUpdateError(t *testing.T) {
	for _, x := range []struct {
		err  error
		want string
	}{
		{nil, "<nil>"},
		{serviceerror.NewNotFound("workflow execution already completed"), "the sweep is not running"},
		{serviceerror.NewWorkflowNotReady("Workflow Task in failed state"), "the log of the worker says why"},
		{temporal.NewApplicationError("unknown update pause. KnownUpdates=[extend retry]", ""), "older version of sweep"},
		{temporal.NewApplicationError("the sweep is ending", ""), "pause x-1: the sweep is ending"},
		{temporal.NewApplicationError("failed", "AcceptedUpdateCompletedWorkflow"), "pause x-1: the sweep ended before"},
		{io.ErrUnexpectedEOF, "pause x-1: unexpected EOF"},
	} {
		if got := fmt.Sprint(updateError(&environment{}, "pause", "x-1", x.err)); !strings.Contains(got, x.want) {
			t.Errorf("%v: %s, want %s", x.err, got, x.want)
		}
	}
}

// Without a worker a verb says so.
func TestSteeringWithoutWorker(t *testing.T) {
	dir := t.TempDir()
	_, p := storeGrid(t, dir, eightCells("eight"), 0)
	server, err := local.Start(t.Context(), local.Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	withoutTemporalVariables(t)
	startFake(t, dir, p)
	srv, err := (&connection{}).dial(t.Context(), &environment{}, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	pause := steering{update: protocol.UpdatePause, within: time.Millisecond}
	_, err = sendUpdate(t.Context(), &environment{errOut: io.Discard}, srv, p.ID, pause)
	if err == nil || !strings.Contains(err.Error(), "no worker answered within 1ms: is one running?") {
		t.Errorf("without a worker: %v", err)
	}
}
