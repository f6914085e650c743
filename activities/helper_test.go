package activities

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/sweep"
	"github.com/topksweep/sweep/trainer"
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
func makePlan(t *testing.T, change func(*sweep.Plan)) *sweep.Plan {
	t.Helper()
	g, err := sweep.Parse("grid.yaml", []byte(gridYAML), sweep.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := data.Open(t.Context(), g.Data, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	p, err := sweep.NewPlan(g, set.Info(), sweep.Estimates{})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	return p
}

// A bench is a plan in a store, and the activities of one worker on it.
type bench struct {
	*testing.T
	*Activities
	store storage.Store
	plan  *sweep.Plan
	hooks *hooks

	ctx    context.Context
	cancel context.CancelFunc
	stop   chan struct{} // closed to stop the worker
}

func openDir(t *testing.T) storage.Store {
	t.Helper()
	s, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newBench stores p and returns a worker on it. Its clock stands still, so that
// no checkpoint is due while it trains.
func newBench(t *testing.T, store storage.Store, p *sweep.Plan) *bench {
	t.Helper()
	if err := StorePlan(t.Context(), store, p); err != nil {
		t.Fatal(err)
	}
	return newWorker(t, store, p)
}

// newWorker is one more worker on a store that has the plan.
func newWorker(t *testing.T, store storage.Store, p *sweep.Plan) *bench {
	h := &hooks{Backend: cpu.New(1)}
	b := &bench{T: t, Activities: New(store, h, slog.New(slog.DiscardHandler)), store: store, plan: p, hooks: h, stop: make(chan struct{})}
	b.now = func() time.Time { return time.Unix(1e9, 0) }
	b.memory.capacity = func() (int64, bool) { return 0, false }
	b.ctx, b.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() {
		b.cancel()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// due makes a checkpoint due at every step.
func (b *bench) due() {
	var calls atomic.Int64
	b.now = func() time.Time { return time.Unix(1e9+calls.Add(1), 0) }
}

// run runs an activity once, as a worker would.
func (b *bench) run(activity string, arg any) error {
	_, err := b.get(activity, arg)
	return err
}

func (b *bench) get(activity string, arg any) (out converter.EncodedValue, err error) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: b.ctx})
	env.SetWorkerStopChannel(b.stop)
	b.RegisterLight(env)
	b.RegisterTraining(env)
	return env.ExecuteActivity(activity, arg)
}

func (b *bench) ref(cell int) sweep.CellRef { return sweep.CellRef{Sweep: b.plan.ID, Cell: cell} }

// stage is the stage of the cell alone, from its first step to its last.
func (b *bench) stage(cell int) sweep.StageRef {
	return sweep.StageRef{CellRef: b.ref(cell), Level: sweep.LevelRun, To: b.plan.Cells[cell].Config.Steps, Cells: 1}
}

func (b *bench) train() error    { return b.run(sweep.ActivityTrain, b.stage(1)) }
func (b *bench) evaluate() error { return b.run(sweep.ActivityEval, b.ref(1)) }

// finish trains and evaluates cell 1 and fails the test if it cannot.
func (b *bench) finish() {
	b.Helper()
	if err := b.train(); err != nil {
		b.Fatal(err)
	}
	if err := b.evaluate(); err != nil {
		b.Fatal(err)
	}
}

// trainUntil trains cell 1 and stops the worker after step n, which saves it.
func trainUntil(t *testing.T, store storage.Store, p *sweep.Plan, n int64) {
	t.Helper()
	b := newWorker(t, store, p)
	b.hooks.after = func(done int64) {
		if done == n {
			close(b.stop)
		}
	}
	wantType(t, b.train(), "WorkerStopping", true)
}

func (b *bench) id() string { return b.plan.RunID(b.plan.Cells[1].ID) }

func (b *bench) checkpoints() *storage.Checkpoints {
	b.Helper()
	c, err := storage.NewCheckpoints(b.store, b.id(), nil)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (b *bench) model() []byte { return read(b.T, b.store, sweep.ModelKey(b.id(), modelWeights)) }

// golden is the model of cell 1 from an undisturbed run.
func golden(t *testing.T) []byte {
	t.Helper()
	b := newBench(t, openDir(t), makePlan(t, nil))
	b.finish()
	return b.model()
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

func wantSame(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(want) == 0 || !bytes.Equal(got, want) {
		t.Errorf("%s differs: %d bytes, want the same %d", what, len(got), len(want))
	}
}

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

// wantCanceled says that an activity ended because it was told to. (The test
// environment knows no server that asked for it.)
func wantCanceled(t *testing.T, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("error %v, want canceled", err)
	}
}

// hooks is a backend that says when steps are done.
type hooks struct {
	trainer.Backend
	before func(step int64)
	after  func(done int64)
}

func (h *hooks) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	m, err := h.Backend.New(c, s, data)
	return &hookedModel{Model: m, h: h, step: s.Step}, err
}

type hookedModel struct {
	trainer.Model
	h    *hooks
	step int64
}

func (m *hookedModel) Steps(ctx context.Context, to int64) iter.Seq2[trainer.Stats, error] {
	return func(yield func(trainer.Stats, error) bool) {
		m.before(to)
		for s, err := range m.Model.Steps(ctx, to) {
			m.step++
			if m.h.after != nil {
				m.h.after(m.step)
			}
			if !yield(s, err) {
				return
			}
			m.before(to)
		}
	}
}

func (m *hookedModel) before(to int64) {
	if m.step < to && m.h.before != nil {
		m.h.before(m.step)
	}
}
