package activities

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/trainer"
)

// A classed is a backend whose hardware is of one class, by another name than its own.
type classed struct {
	trainer.Backend
	class string
}

func (b classed) OfClass(class string) (trainer.Backend, error) {
	if class != "" && class != b.class {
		return nil, errors.Join(trainer.ErrOtherClass, errors.New("want "+class+", this is "+b.class))
	}
	return b, nil
}

func (b classed) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	m, err := b.Backend.New(c, s, data)
	return classedModel{m, b.class}, err
}

type classedModel struct {
	trainer.Model
	class string
}

func (m classedModel) Hardware() trainer.Hardware { return trainer.Hardware{Class: m.class} }

// ofClass makes a worker one whose hardware is of a class.
func (w *testWorker) ofClass(class string) *testWorker {
	w.hooks.Backend = classed{w.hooks.Backend, class}
	w.Patience = time.Hour // with a worker of another class
	return w
}

func isOtherClass(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == "OtherClass" && !app.NonRetryable()
}

// A run that one class began waits for that class, in training and in evaluation. With MixClasses it goes on, and its
// result names both.
func TestOtherClass(t *testing.T) {
	store, p := openDir(t), makePlan(t, nil)
	submit(t, store, p)
	stopped := newWorker(t, store, p).ofClass("a")
	stopped.hooks.after = func(done int64) {
		if done == 20 {
			close(stopped.stop)
			stopped.hooks.after = nil
		}
	}
	if err := stopped.train(); err == nil {
		t.Fatal("the stage was not stopped")
	}
	other := newWorker(t, store, p).ofClass("b")
	err := other.train()
	if !isOtherClass(err) || !strings.Contains(err.Error(), "step 20 was trained on a") ||
		!strings.Contains(err.Error(), "--mix-classes") {
		t.Fatalf("another class: %v", err)
	}
	if objects, err := store.List(t.Context(), "stages/"+other.id()+"/claims/"); err != nil || len(objects) != 1 {
		t.Errorf("%d claims, %v: a worker of another class must not claim the folder", len(objects), err)
	}
	same := newWorker(t, store, p).ofClass("a")
	if err := same.train(); err != nil {
		t.Fatal(err)
	}
	if err := other.train(); err != nil {
		t.Errorf("a stage that is trained: %v", err)
	}
	if err := other.evaluate(); !isOtherClass(err) {
		t.Errorf("evaluation on another class: %v", err)
	}
	ref := other.ref(1)
	ref.MixClasses = true
	if err := other.run("Evaluate", ref); err != nil {
		t.Fatal(err)
	}
	r, err := other.ledger.Result(t.Context(), other.id())
	if err != nil {
		t.Fatal(err)
	}
	if is, known := r.MixedClasses(); !is || !known || r.Class != "a" || r.EvalClass != "b" ||
		!slices.Equal(r.Classes(), []string{"a", "b"}) {
		t.Errorf("class %q, evaluated on %q, classes %q, mixed %t", r.Class, r.EvalClass, r.Classes(), is)
	}
}

// With MixClasses a run goes on on another class from the checkpoint that is there.
func TestMixClasses(t *testing.T) {
	store, p := openDir(t), makePlan(t, nil)
	submit(t, store, p)
	first := newWorker(t, store, p).ofClass("a")
	first.hooks.after = func(done int64) {
		if done == 20 {
			close(first.stop)
			first.hooks.after = nil
		}
	}
	if err := first.train(); err == nil {
		t.Fatal("the stage was not stopped")
	}
	w := newWorker(t, store, p).ofClass("b")
	stage := w.stage(1)
	stage.MixClasses = true
	if err := w.run("TrainStage", stage); err != nil {
		t.Fatal(err)
	}
	if err := w.evaluate(); err != nil { // the last step is of this class
		t.Fatal(err)
	}
	r, err := w.ledger.Result(t.Context(), w.id())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Spans) != 2 || r.Spans[0].Class != "a" || r.Spans[0].To != 20 || r.Spans[1].Class != "b" ||
		r.EvalClass != "b" {
		t.Errorf("spans %+v, evaluated on %q", r.Spans, r.EvalClass)
	}
}

// The last span keeps its class in a list that is too long, and a merged one lists those of both.
func TestMergedClasses(t *testing.T) {
	var spans []ledger.Span
	for i := range 3 * maxSpans {
		want := []string{"a", "b"}[i%2]
		spans = appendSpan(spans, ledger.Span{From: int64(i), To: int64(i + 1), Cells: 1 + i%2, Class: want})
		if got := classOf(spans); got != want {
			t.Fatalf("after %d spans the last is of class %q, want %q", i+1, got, want)
		}
	}
	r := ledger.Result{Spans: spans}
	if is, known := r.MixedClasses(); !is || !known || !slices.Equal(r.Classes(), []string{"a", "b"}) {
		t.Errorf("classes %q, mixed %t", r.Classes(), is)
	}
}
