package activities

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// modelResult lies beside the files of package models.
const modelResult = "result.json"

// renamed is gridYAML as another sweep, whose activations have these names.
func renamed(t *testing.T, sweep, lmName, layer string) *plan.Plan {
	t.Helper()
	return planOf(t, strings.NewReplacer("name: tiny", "name: "+sweep, "lm_name: toy", "lm_name: "+lmName,
		"layer: 3", "layer: "+layer).Replace(gridYAML))
}

// collectAll collects a sweep's results and fails the test if that fails.
func (w *testWorker) collectAll() {
	w.Helper()
	if err := w.run(protocol.ActivityCollect, w.plan.ID); err != nil {
		w.Fatal(err)
	}
}

// wantNames says that all files of the run's model and its result have these names and no others, and that the weights
// are those that they were.
func (w *testWorker) wantNames(lmName string, layer int, weights string) {
	w.Helper()
	result, err := w.ledger.Result(w.Context(), w.id())
	if err != nil || result.LMName != lmName || *result.Layer != layer {
		w.Errorf("the result has %q, %d, %v; want %q, %d", result.LMName, *result.Layer, err, lmName, layer)
	}
	for _, other := range []string{"toy", "mended-lm", "third-lm"} {
		for key, body := range snapshot(w.T, w.store) {
			if strings.HasPrefix(key, ledger.ModelKey(w.id(), "")) && other != lmName && strings.Contains(body, other) {
				w.Errorf("%s has the name %s", key, other)
			}
		}
	}
	for _, file := range []string{"README.md", modelConfig, "config.json", modelResult} {
		key := ledger.ModelKey(w.id(), file)
		body := read(w.T, w.store, key)
		if !strings.Contains(string(body), lmName) || strings.HasSuffix(file, ".json") && !json.Valid(body) {
			w.Errorf("%s lacks the name:\n%s", key, body)
		}
	}
	if string(w.model()) != weights {
		w.Error("the weights have changed")
	}
}

// Names that were mended reach the results and models that are reused: of one sweep, and of several, of which the one
// that was submitted last counts, whichever ends last.
func TestMendedNames(t *testing.T) {
	first := submit(t, openDir(t), makePlan(t, nil))
	first.finish()
	first.collectAll()
	weights := string(first.model())
	first.wantNames("toy", 3, weights)
	before := snapshot(t, first.store)

	mended := submit(t, first.store, renamed(t, "tiny", "mended-lm", "5"))
	if mended.plan.ID != first.plan.ID || mended.id() != first.id() {
		t.Fatal("names change IDs")
	}
	mended.collectAll()
	mended.wantNames("mended-lm", 5, weights)

	other := submit(t, first.store, renamed(t, "other", "third-lm", "7"))
	if other.plan.ID == first.plan.ID || other.id() != first.id() {
		t.Fatal("the sweeps do not share the run")
	}
	other.collectAll()
	other.wantNames("third-lm", 7, weights)
	mended.collectAll()
	mended.wantNames("third-lm", 7, weights) // though this sweep was collected last
	table := string(read(t, first.store, ledger.ReportKey(mended.plan.ID, "results.csv")))
	if !strings.Contains(table, "mended-lm") || strings.Contains(table, "third-lm") {
		t.Errorf("the table has the names of another sweep:\n%s", table)
	}

	// The first names give the first files.
	submit(t, first.store, makePlan(t, nil)).collectAll()
	for key, body := range before {
		if strings.HasPrefix(key, "models/") || strings.HasPrefix(key, "results/") {
			wantSame(t, key, read(t, first.store, key), []byte(body))
		}
	}
}

// Whatever fails while names are mended, the next try ends it, and no file is ever half of one.
func TestMendingNamesIsInterrupted(t *testing.T) {
	trained := submit(t, openDir(t), makePlan(t, nil))
	trained.finish()
	for n := 1; ; n++ {
		s := storagetest.NewMemory()
		for key, body := range snapshot(t, trained.store) {
			if err := storage.PutBytes(t.Context(), s, key, []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		p := renamed(t, "tiny", "mended-lm", "5")
		if err := ledger.New(s).StorePlan(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		faulty := storagetest.NewFaulty(s, storagetest.Before, n)
		err := newWorker(t, faulty, p).collect(t.Context(), p.ID, false)
		if errors.Is(err, storagetest.ErrInjected) != faulty.Fired() {
			t.Errorf("operation %d: %v", n, err)
		}
		for _, file := range []string{modelConfig, "config.json", modelResult} {
			if !json.Valid(read(t, s, ledger.ModelKey(trained.id(), file))) {
				t.Errorf("operation %d: %s is damaged", n, file)
			}
		}
		w := newWorker(t, s, p)
		w.collectAll()
		w.wantNames("mended-lm", 5, string(trained.model()))
		if !faulty.Fired() || t.Failed() {
			break
		}
	}
}

// A folder of a model that is damaged gets sound files, and one without weights gets none: it would look like a model.
func TestMendedNamesOfDamagedModels(t *testing.T) {
	for name, damage := range map[string]func(w *testWorker) error{
		"no JSON": func(w *testWorker) error {
			return storage.PutBytes(t.Context(), w.store, ledger.ModelKey(w.id(), modelConfig), []byte(`{"toy`))
		},
		"a file is missing": func(w *testWorker) error {
			return w.store.Delete(t.Context(), ledger.ModelKey(w.id(), "config.json"))
		},
		"the folder is missing": func(w *testWorker) error {
			for _, key := range keys(t, w.store, ledger.ModelKey(w.id(), "")) {
				if err := w.store.Delete(t.Context(), key); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := submit(t, openDir(t), makePlan(t, nil))
			first.finish()
			weights := string(first.model())
			if err := damage(first); err != nil {
				t.Fatal(err)
			}
			mended := submit(t, first.store, renamed(t, "tiny", "mended-lm", "5"))
			mended.collectAll()
			if name != "the folder is missing" {
				mended.wantNames("mended-lm", 5, weights)
				return
			}
			if found := keys(t, first.store, ledger.ModelKey(first.id(), "")); len(found) > 0 {
				t.Errorf("%q", found)
			}
			if r, err := mended.ledger.Result(t.Context(), mended.id()); err != nil || r.LMName != "mended-lm" {
				t.Errorf("result %+v, %v", r.Names, err)
			}
		})
	}
}
