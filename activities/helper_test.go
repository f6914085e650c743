package activities

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/data"
)

const steps = 40

// gridYAML is a grid of three cells in which latents die and AuxK acts.
const gridYAML = `
name: tiny
data:
  synthetic: {activation_dim: 6, directions: 12, tokens: 2000, active: 3, noise: 0.05, seed: 1}
  normalize: mean_square
  eval_tokens: 64
  lm_name: toy
  layer: 3
  submodule_name: resid_post
parameters:
  k: [2, 3, 4]
train: {dict_size: 24, steps: 40, batch_size: 16, lr: 0.01, decay_start: 0.5, dead_feature_threshold: 100}
run: {checkpoint: {every: 1s, keep: 2}}
`

// makePlan plans gridYAML after change, which may be nil.
func makePlan(t *testing.T, change func(*plan.Plan)) *plan.Plan {
	t.Helper()
	p := planOf(t, gridYAML)
	if change != nil {
		change(p)
	}
	return p
}

// planOf plans a grid on its data.
func planOf(t *testing.T, src string) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	set, err := data.Open(t.Context(), g.Data, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	p, err := plan.New(g, set.Info(), plan.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A testWorker runs the activities of one worker on a sweep, whose plan is in a
// store.
type testWorker struct {
	*testing.T
	*Activities
	store storage.Store
	plan  *plan.Plan
	hooks *hooks

	ctx    context.Context // of the activities
	cancel context.CancelFunc
	end    context.CancelCauseFunc // cancel with a cause, such as activity.ErrActivityPaused
	stop   chan struct{}           // closed to stop the worker

	beatMu sync.Mutex
	beats  []converter.EncodedValues // details of the heartbeats that a server would have got
}

func openDir(t *testing.T) storage.Store {
	t.Helper()
	s, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// submit stores a plan and returns a worker on it.
func submit(t *testing.T, store storage.Store, p *plan.Plan) *testWorker {
	t.Helper()
	if err := ledger.New(store).StorePlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return newWorker(t, store, p)
}

// newWorker returns one more worker on a store that has the plan. Its clock stands
// still, so that no checkpoint is due while it trains.
func newWorker(t *testing.T, store storage.Store, p *plan.Plan) *testWorker {
	h := &hooks{Backend: cpu.New(1)}
	w := &testWorker{
		T: t, Activities: New(store, h, slog.New(slog.DiscardHandler)),
		store: store, plan: p, hooks: h, stop: make(chan struct{}),
	}
	w.now = func() time.Time { return time.Unix(1e9, 0) }
	w.memory.Capacity, w.memory.Whole = func() (int64, bool) { return 0, false }, nil
	w.ctx, w.end = context.WithCancelCause(t.Context())
	w.cancel = func() { w.end(nil) }
	t.Cleanup(func() {
		w.cancel()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// saveEveryStep makes a checkpoint due at every step.
func (w *testWorker) saveEveryStep() {
	var calls atomic.Int64
	w.now = func() time.Time { return time.Unix(1e9+calls.Add(1), 0) }
}

// run runs an activity once, as a worker would.
func (w *testWorker) run(name string, arg any) error {
	_, err := w.get(name, arg)
	return err
}

// get is run, with what the activity returns.
func (w *testWorker) get(name string, arg any) (out converter.EncodedValue, err error) {
	env := w.environment()
	w.RegisterLight(env)
	w.RegisterTraining(env)
	return env.ExecuteActivity(name, arg)
}

// execute runs a function as an activity, once.
func (w *testWorker) execute(name string, fn any) (converter.EncodedValue, error) {
	env := w.environment()
	env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	return env.ExecuteActivity(name)
}

func (w *testWorker) environment() *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: w.ctx})
	env.SetWorkerStopChannel(w.stop)
	env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		w.beatMu.Lock()
		defer w.beatMu.Unlock()
		w.beats = append(w.beats, details)
	})
	return env
}

func (w *testWorker) ref(cell int) protocol.CellRef {
	return protocol.CellRef{Sweep: w.plan.ID, Cell: cell}
}

// stage is the stage of one cell alone, from its first step to its last.
func (w *testWorker) stage(cell int) protocol.StageRef {
	return protocol.StageRef{
		CellRef: w.ref(cell), Level: plan.LevelRun, To: w.plan.Cells[cell].Config.Steps, Cells: 1,
	}
}

func (w *testWorker) train() error    { return w.run(protocol.ActivityTrain, w.stage(1)) }
func (w *testWorker) evaluate() error { return w.run(protocol.ActivityEval, w.ref(1)) }

// finish trains and evaluates cell 1 and fails the test if it cannot.
func (w *testWorker) finish() {
	w.Helper()
	if err := w.train(); err != nil {
		w.Fatal(err)
	}
	if err := w.evaluate(); err != nil {
		w.Fatal(err)
	}
}

// trainUntil trains cell 1 and stops the worker after step n, which saves it.
func trainUntil(t *testing.T, store storage.Store, p *plan.Plan, n int64) {
	t.Helper()
	w := newWorker(t, store, p)
	w.hooks.after = func(done int64) {
		if done == n {
			close(w.stop)
		}
	}
	wantType(t, w.train(), "WorkerStopping", true)
}

// id names the run of cell 1.
func (w *testWorker) id() string { return w.plan.RunID(w.plan.Cells[1].ID) }

// checkpoints are those of the run of cell 1.
func (w *testWorker) checkpoints() *storage.Checkpoints {
	w.Helper()
	c, err := storage.NewCheckpoints(w.store, w.id(), nil)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// newest reads the newest checkpoint of the run, as a worker does that goes on from it.
func (w *testWorker) newest() (*storage.Manifest, error) {
	read := func(*storage.Manifest, io.Reader) error { return nil }
	return w.checkpoints().RestoreAtMost(w.Context(), math.MaxInt64, read)
}

// model reads the exported weights of cell 1.
func (w *testWorker) model() []byte { return read(w.T, w.store, w.modelKey()) }

// Files of a model that tests read.
const (
	modelWeights = ledger.WeightsFile
	modelConfig  = "cfg.json"
)

func (w *testWorker) modelKey() string { return ledger.ModelKey(w.id(), modelWeights) }

// undisturbedModel trains cell 1 without any disturbance and returns its weights.
func undisturbedModel(t *testing.T) []byte {
	t.Helper()
	w := submit(t, openDir(t), makePlan(t, nil))
	w.finish()
	return w.model()
}

func read(t *testing.T, s storage.Store, key string) []byte {
	t.Helper()
	b, err := storage.ReadAll(t.Context(), s, key, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// snapshot is all that a store holds.
func snapshot(t *testing.T, s storage.Store) map[string]string {
	t.Helper()
	objects, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, o := range objects {
		all[o.Key] = string(read(t, s, o.Key))
	}
	return all
}

func keys(t *testing.T, s storage.Store, prefix string) (all []string) {
	t.Helper()
	objects, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		all = append(all, o.Key)
	}
	return all
}

// wantSame says that two runs have come to the same bytes.
func wantSame(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(want) == 0 || !bytes.Equal(got, want) {
		t.Errorf("%s differs: %d bytes, want the same %d", what, len(got), len(want))
	}
}

// wantUnchanged says that two snapshots of a store are the same.
func wantUnchanged(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s changed the store", what)
		for key := range got {
			if got[key] != want[key] {
				t.Errorf("  %s", key)
			}
		}
		for key := range want {
			if _, ok := got[key]; !ok {
				t.Errorf("  %s is gone", key)
			}
		}
	}
}

// wantType says of what type an activity's error is, and whether Temporal tries
// again.
func wantType(t *testing.T, err error, name string, retry bool) {
	t.Helper()
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != name || app.NonRetryable() == retry {
		t.Errorf("error %v, want type %s, tried again %v", err, name, retry)
	}
}

// wantCanceled says that an activity ended because it was canceled. The test
// environment has no server that could have asked for it, so only the text says so.
func wantCanceled(t *testing.T, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("error %v, want canceled", err)
	}
}
