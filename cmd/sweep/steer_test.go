package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A steered is a workflow that takes every update and remembers it, under the name of SweepWorkflow. A sweep whose
// name begins with old is of a program that knows no update. One whose name begins with slow answers when it gets the
// signal saved.
type steered struct {
	mu     sync.Mutex
	inputs []protocol.SweepInput
	got    []string // updates with their arguments
}

func (s *steered) add(ctx workflow.Context, update string, arg any) {
	if workflow.IsReplaying(ctx) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := update
	if arg != nil {
		b, _ := json.Marshal(arg)
		text += " " + string(b)
	}
	s.got = append(s.got, text)
}

func (s *steered) updates() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *steered) run(ctx workflow.Context, in protocol.SweepInput) (protocol.Summary, error) {
	if !workflow.IsReplaying(ctx) {
		s.mu.Lock()
		s.inputs = append(s.inputs, in)
		s.mu.Unlock()
	}
	state := plan.Training
	err := workflow.SetQueryHandler(ctx, protocol.QueryProgress, func() (protocol.Progress, error) {
		return protocol.Progress{State: state, Running: []int{0, 5, 900}}, nil
	})
	if !strings.HasPrefix(in.Sweep, "old") {
		err = errors.Join(err, s.handle(ctx, in, &state))
	}
	if err != nil {
		return protocol.Summary{}, err
	}
	return protocol.Summary{}, workflow.Await(ctx, func() bool { return state == plan.Completed })
}

func (s *steered) handle(ctx workflow.Context, in protocol.SweepInput, state *plan.Status) error {
	answer := func(ctx workflow.Context, update string, arg any) (protocol.Steered, error) {
		s.add(ctx, update, arg)
		if strings.HasPrefix(in.Sweep, "slow") {
			workflow.GetSignalChannel(ctx, "saved").Receive(ctx, nil)
		}
		return protocol.Steered{Did: "Did\n" + update + ".", State: *state}, nil
	}
	bare := func(update string, to plan.Status) error {
		return workflow.SetUpdateHandler(ctx, update, func(ctx workflow.Context) (protocol.Steered, error) {
			*state = to
			return answer(ctx, update, nil)
		})
	}
	selected := func(update string) error {
		return workflow.SetUpdateHandler(ctx, update,
			func(ctx workflow.Context, to protocol.Selection) (protocol.Steered, error) {
				return answer(ctx, update, to)
			})
	}
	return errors.Join(
		bare(protocol.UpdatePause, plan.Paused), bare(protocol.UpdateResume, plan.Training),
		selected(protocol.UpdateCancel), selected(protocol.UpdateRetry),
		workflow.SetUpdateHandler(ctx, protocol.UpdateExtend,
			func(ctx workflow.Context, to protocol.Extension) (protocol.Steered, error) {
				return answer(ctx, protocol.UpdateExtend, to)
			}),
		workflow.SetUpdateHandler(ctx, protocol.UpdatePriority,
			func(ctx workflow.Context, to protocol.Priority) (protocol.Steered, error) {
				return answer(ctx, protocol.UpdatePriority, to)
			}),
		workflow.SetUpdateHandlerWithOptions(ctx, protocol.UpdateSet,
			func(ctx workflow.Context, to protocol.Settings) (protocol.Steered, error) {
				return answer(ctx, protocol.UpdateSet, to)
			}, workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, to protocol.Settings) error {
				if to.MaxConcurrent == 99 {
					return errors.New("99 is refused")
				}
				return nil
			}}),
	)
}

// startSteered starts a real server on dir, with a worker that runs sweeps as a steered.
func startSteered(t *testing.T, dir string) (*steered, client.Client) {
	t.Helper()
	withoutTemporalVariables(t)
	for name, value := range map[string]string{"SWEEP_STORE": "", "SWEEP_OWNER": "ada"} {
		t.Setenv(name, value)
	}
	server, err := local.Start(t.Context(), local.Options{Dir: dir, GRPCPort: -1, UIPort: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(t.Context(), client.Options{HostPort: server.HostPort, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &steered{}
	w := worker.New(c, protocol.Queue, worker.Options{})
	w.RegisterWorkflowWithOptions(s.run, workflow.RegisterOptions{Name: protocol.WorkflowSweep})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return s, c
}

// sweepVerb runs a verb on dir in this process.
func sweepVerb(ctx context.Context, dir string, args ...string) (status int, out, messages string) {
	var o, e bytes.Buffer
	status = execute(ctx, &environment{out: &o, errOut: &e}, append(args, "--dir", dir))
	return status, o.String(), e.String()
}

// storeGrid stores the plan of a grid in dir. The first n cells have results, and the next one has failed.
func storeGrid(t *testing.T, dir, src string, n int) (*ledger.Ledger, *plan.Plan) {
	t.Helper()
	store, err := openStore(t.Context(), filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	backend, err := backendFor("cpu")
	if err != nil {
		t.Fatal(err)
	}
	env := &environment{errOut: io.Discard}
	planned, err := planGrid(t.Context(), env, gridOptions{path: writeGrid(t, src)}, plan.Estimates{Bytes: backend.bytes})
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(store)
	if _, err := planned.store(t.Context(), env, l); err != nil {
		t.Fatal(err)
	}
	p := planned.plan
	for i, c := range p.Cells[:n] {
		r := ledger.NewResult(&p.Header, c, plan.Completed)
		nmse := 0.5 - float64(i)/100
		r.Metrics.NMSE = &nmse
		if err := l.StoreResult(t.Context(), p.RunID(c.ID), r); err != nil {
			t.Fatal(err)
		}
	}
	if n > 0 {
		note := ledger.NewResult(&p.Header, p.Cells[n], plan.Failed)
		note.Error = "the loss is NaN"
		if err := l.StoreFailure(t.Context(), p.ID, note); err != nil {
			t.Fatal(err)
		}
	}
	return l, p
}

// eightCells is a grid of 8 cells, k varying slowest.
func eightCells(name string) string {
	return gridWith("name: "+name, "parameters: {k: [2, 4], dict_size: [32, 64], seed: [0, 1]}",
		"train: {steps: 100, batch_size: 64}")
}

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
		{"cancel eight --where status=training", `cancel {"cells":[5]}`, "1 of 8 cells"}, // of 0, 5 and 900
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

// startFake starts the workflow of a stored plan.
func startFake(t *testing.T, dir string, p *plan.Plan) {
	t.Helper()
	srv, err := (&connection{}).dial(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	l, err := openLedger(t.Context(), location{dir: dir})
	if err == nil {
		err = restart(t.Context(), srv, l, &p.Header, submission{backend: "cpu", owner: "ada", store: "/s"})
	}
	if err != nil {
		t.Fatal(err)
	}
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
		"cancel eight", "cancel eight --where k=4"} {
		check(args, exitError, "there is no Temporal server", "sweep up")
	}
	for args, text := range map[string]string{
		"pause":                                          "accepts 1 arg",
		"pause eight eight":                              "accepts 1 arg",
		"pause none":                                     "is not in this store",
		"pause eight -o yaml":                            "want text or json",
		"set eight":                                      "requires at least 2",
		"set eight max_concurrent":                       "is no setting",
		"set eight max_concurrent=":                      "want 1 to 100000",
		"set eight max_concurrent=0":                     "want 1 to 100000",
		"set eight max_concurrent=-3":                    "want 1 to 100000",
		"set eight max_concurrent=1e300":                 "want 1 to 100000",
		"set eight max_concurrent=NaN":                   "want 1 to 100000",
		"set eight max_concurrent=100001":                "want 1 to 100000",
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
	for _, args := range []string{"pause eight", "set eight max_concurrent=2", "cancel eight --where k=4"} {
		check(args, exitError, "is not running: 3 of 8 runs have results, 1 failed; sweep retry "+p.ID)
	}
	check("cancel eight", exitError, "is not running")
	_, done := storeGrid(t, dir, gridWith("name: done", "parameters: {k: [2, 4, 6]}"), 2)
	_, whole := storeGrid(t, dir, gridWith("name: whole"), 0)
	for _, c := range whole.Cells {
		if !slices.ContainsFunc(done.Cells[:2], func(d grid.Cell) bool { return d.ID == c.ID }) {
			t.Fatal("the two sweeps share no cells")
		}
	}
	check("pause whole", exitError, "all its 2 runs have results")

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

// swap swaps two neighbours that differ.
func swap(id string) string {
	for i := range len(id) - 1 {
		if id[i] != id[i+1] {
			return id[:i] + id[i+1:i+2] + id[i:i+1] + id[i+2:]
		}
	}
	return id
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
		if got := fmt.Sprint(updateError("pause", "x-1", x.err)); !strings.Contains(got, x.want) {
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
	srv, err := (&connection{}).dial(t.Context(), dir, nil)
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

// A sweep that starts is told who submits it, and where its results lie.
func TestSubmission(t *testing.T) {
	dir := t.TempDir()
	fake, _ := startSteered(t, dir)
	file := writeGrid(t, eightCells("eight"))
	status, _, messages := sweepVerb(t.Context(), dir, "submit", file, "--priority", "high")
	waitFor(t, "the sweep", func() bool { fake.mu.Lock(); defer fake.mu.Unlock(); return len(fake.inputs) > 0 })
	in := fake.inputs[0]
	if status != exitOK || in.Owner != "ada" || in.Priority != "high" || in.Store != filepath.Join(dir, "store") {
		t.Errorf("status %d, %+v\n%s", status, in, messages)
	}
	if owner, err := ownerFlag("eve").name(); err != nil || owner != "eve" {
		t.Errorf("--owner eve: %q, %v", owner, err)
	}
	t.Setenv("SWEEP_OWNER", "a\nb")
	if _, err := ownerFlag("").name(); !errors.As(err, new(inputError)) {
		t.Errorf("SWEEP_OWNER of two lines: %v", err)
	}
	t.Setenv("SWEEP_OWNER", "")
	if owner, err := ownerFlag("").name(); err != nil || owner != "" && checkOwner(owner) != nil {
		t.Errorf("no owner given: %q, %v", owner, err)
	}
	for url, want := range map[string]string{
		"s3://bucket/a b?endpoint=http://key:secret@host:9000&region=x": "s3://bucket/a%20b",
		"s3://key:secret@bucket/p":                                      "s3://bucket/p",
		"file:///data/x":                                                "/data/x",
		"/data/x?y":                                                     "/data/x?y",
	} {
		if got, err := storeForPeople(url); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", url, got, err, want)
		}
	}
	if _, err := storeForPeople("s3://key:sec%zzret@bucket"); err == nil || strings.Contains(err.Error(), "ret") {
		t.Errorf("a URL that is none: %v", err)
	}
}

// A sweep that does not run is started for the chosen cells alone: the others count as they are.
func TestResumeWith(t *testing.T) {
	l, p := storeGrid(t, t.TempDir(), eightCells("eight"), 3)
	results, err := l.Results(t.Context(), &p.Header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := resumeWith(t.Context(), l, &p.Header, results, []int{4, 6})
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.Summary{Cells: 8, Completed: 3, Reused: 3, Failed: 1, Canceled: 2}
	if c.Summary != want || c.Next != p.TreeChunks*plan.ChunkSize {
		t.Errorf("%+v, next %d", c.Summary, c.Next)
	}
	last := -1
	note := func(tree int, cells []int) []int { // checks that a tree has the cells
		for _, cell := range cells {
			has := func(tc plan.TreeCell) bool { return tc.Cell == cell }
			if !slices.ContainsFunc(p.Trees[tree].Cells, has) {
				t.Errorf("tree %d does not have cell %d", tree, cell)
			}
		}
		if tree <= last {
			t.Errorf("tree %d comes after %d", tree, last)
		}
		return cells
	}
	var train, failed, canceled []int
	for _, u := range c.Unfinished {
		train = append(train, note(u.Tree, u.Cells)...)
		last = u.Tree
	}
	last = -1
	for _, u := range c.Lost {
		failed = append(failed, note(u.Tree, u.Failed)...)
		canceled = append(canceled, note(u.Tree, u.Canceled)...)
		last = u.Tree
	}
	slices.Sort(train)
	slices.Sort(canceled)
	if !slices.Equal(train, []int{4, 6}) || !slices.Equal(failed, []int{3}) || !slices.Equal(canceled, []int{5, 7}) {
		t.Errorf("train %v, failed %v, canceled %v", train, failed, canceled)
	}
	label := p.Label(p.Cells[3])
	fails := []protocol.Failure{{Cell: 3, Label: label, Status: plan.Failed, Error: "the loss is NaN"}}
	if !reflect.DeepEqual(c.Failures, fails) {
		t.Errorf("failures %+v", c.Failures)
	}
	if len(c.Seen) != 3 || c.Seen[0].Cell != 2 || c.Seen[0].Label != p.Label(p.Cells[2]) {
		t.Errorf("best cells %+v", c.Seen)
	}
}

// Real workers train the chosen cells of a sweep that does not run, and no others.
func TestRetrySelected(t *testing.T) {
	dir := t.TempDir()
	_, p := storeGrid(t, dir, gridWith("name: chosen", "parameters: {k: [2, 4], seed: [0, 1]}"), 0)
	up, _ := startServer(t, dir, "--slots", "1")
	if got := mustRun(t, dir, "retry", "chosen", "--where", "k=4,seed=1", "--wait"); strings.Count(got, "completed") != 1 {
		t.Errorf("one of four cells:\n%s", got)
	}
	s := statusOfSweep(t, dir, "chosen")
	if s.Completed != 1 || s.Runs[3].Status != plan.Completed {
		t.Errorf("%+v", s)
	}
	retry := startProgram(t, dir, "retry", "chosen", "--cell", p.Cells[0].ID, "-o", "json")
	var did protocol.Steered
	if status := retry.exitStatus(t); status != exitOK {
		t.Fatalf("status %d\n%s", status, retry.err.String())
	}
	err := json.Unmarshal(retry.out.Bytes(), &did)
	if err != nil || !slices.Equal(did.Cells, []int{0}) || did.Canceled != 2 {
		t.Errorf("%+v, %v", did, err)
	}
	if got := mustRun(t, dir, "retry", "chosen", "--wait"); strings.Count(got, "completed") != 4 {
		t.Errorf("the others:\n%s", got)
	}
	up.terminate(t)
}

// Cells of a sweep that is larger than one table are chosen too, and as many as a history holds.
func TestChooseOfMany(t *testing.T) {
	_, p := storeGrid(t, t.TempDir(), eightCells("eight"), 0)
	var results []ledger.Result
	for i := range 2 * protocol.MaxSelection {
		r := ledger.NewResult(&p.Header, p.Cells[i%8], plan.Pending)
		r.Cell, r.Config.Seed = fmt.Sprintf("%020x", i), int64(i)
		results = append(results, r)
	}
	var o selectionOptions
	if err := o.where.Set("seed>=" + strconv.Itoa(protocol.MaxSelection)); err != nil {
		t.Fatal(err)
	}
	env := &environment{errOut: io.Discard}
	cells, err := o.choose(env, &p.Header, results)
	if err != nil || len(cells) != protocol.MaxSelection || cells[0] != protocol.MaxSelection || !slices.IsSorted(cells) {
		t.Errorf("%d cells, %v", len(cells), err)
	}
	o = selectionOptions{}
	if err := o.where.Set("seed>=" + strconv.Itoa(protocol.MaxSelection-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.choose(env, &p.Header, results); !errors.As(err, new(inputError)) {
		t.Errorf("one cell too many: %v", err)
	}
}

// FuzzCells reads whatever stands behind --cell, without an empty ID, which every cell's begins with.
func FuzzCells(f *testing.F) {
	for _, s := range []string{"", ",", "ab", "AB, cd", "a,,b", "\x00", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c cellsFlag
		if err := c.Set(s); err == nil && (len(c) == 0 || slices.Contains(c, "")) {
			t.Errorf("%q is read as %q", s, c)
		}
	})
}

// FuzzSettings reads whatever stands behind sweep set.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"max_concurrent=4", "max_concurrent=0", "max_concurrent=", "=", "a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, err := parseSettings([]string{s})
		if n := to.MaxConcurrent; err == nil && (n < 1 || n > 100_000) {
			t.Errorf("%q is read as %d", s, n)
		}
	})
}
