package activities

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// toyData is the section data of the grids here.
const toyData = `
data:
  synthetic: {activation_dim: 6, directions: 12, tokens: 2000, active: 3, noise: 0.05, seed: 1}
  eval_tokens: 64
`

// treeGrid draws a grid whose cells share prefixes, in which latents die early,
// late or never.
func treeGrid(r *rand.Rand) string {
	steps := []int{24, 40}[r.IntN(2)]
	axis := func(key string, n int, value func(i int) string) string {
		var all []string
		for i := range n {
			if v := value(i); !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return "  " + key + ": [" + strings.Join(all, ", ") + "]\n"
	}
	pick := func(values ...string) func(int) string {
		return func(int) string { return values[r.IntN(len(values))] }
	}
	src := "name: tree" + toyData + "parameters:\n" +
		axis("auxk_alpha", 1+r.IntN(3), pick("0", "0.03125", "0.5")) +
		axis("decay_start", 1+r.IntN(4), func(int) string {
			if r.IntN(4) == 0 {
				return "none"
			}
			return fmt.Sprint(r.IntN(steps - 1))
		}) +
		axis("steps", 1+r.IntN(2), func(i int) string { return fmt.Sprint(steps + 7*i) }) +
		axis("k", 1, pick("2", "3"))
	if r.IntN(3) == 0 {
		src += axis("k_aux", 2, pick("1", "3", "5"))
	}
	recipe := []string{"corrected", "reference", "upstream"}[r.IntN(3)]
	threshold := []int{80, 150, 300, 400, 100_000}[r.IntN(5)]
	extra := ""
	if recipe == "upstream" {
		extra = ", threshold_start_step: 5"
	}
	return src + fmt.Sprintf(
		"train: {recipe: %s, dict_size: 24, batch_size: 16, lr: 0.02, dead_feature_threshold: %d%s}\n",
		recipe, threshold, extra)
}

// toyGrid is a grid with some parameters. A latent is dead after so many tokens.
func toyGrid(name, parameters string, threshold int) string {
	return fmt.Sprintf("name: %s%sparameters: {%s}\n"+
		"train: {dict_size: 24, k: 2, batch_size: 16, lr: 0.02, dead_feature_threshold: %d}\n",
		name, toyData, parameters, threshold)
}

// never is a number of tokens after which no run here has a dead latent.
const never = 1_000_000

// counts say what was trained of a sweep.
type counts struct {
	spans int // steps that the stages cover
	steps int // steps trained
	dead  int // stages that ended because a latent died
}

// sweepAll trains and evaluates every cell of a plan as the workflow would, one
// stage at a time, and returns what was trained. If kill is not nil, a worker
// begins each stage and dies after as many steps as kill returns.
func sweepAll(t *testing.T, w *testWorker, kill func() int64) (n counts) {
	t.Helper()
	f, todo := startTrees(t, w)
	for {
		ready, ok := f.Next()
		if !ok {
			break
		}
		stage := ready.Stage
		ref := protocol.StageRef{
			CellRef: w.ref(stage.Cells[0].Cell), Level: stage.Level,
			From: stage.From, To: stage.To, Cells: len(stage.Cells),
		}
		if kill != nil {
			dieAfter(t, w, ref, kill())
		}
		v, err := w.get(protocol.ActivityTrain, ref)
		var trained protocol.Trained
		if err == nil {
			err = v.Get(&trained)
		}
		if err != nil {
			t.Fatal(err)
		}
		n.steps += trained.Steps
		if trained.Reached < ref.To {
			n.dead++
		}
		n.spans += trained.Reached - stage.From
		if trained.Steps > trained.Reached-stage.From {
			t.Errorf("stage %s of cell %d, %d → %d, trained %d steps and reached %d",
				ref.Level, ref.Cell, ref.From, ref.To, trained.Steps, trained.Reached)
		}
		if !stage.CompletesRuns(trained.Reached) {
			f.StageEnded(ready, trained.Reached)
			continue
		}
		for _, c := range stage.Cells {
			if !todo[c.Cell] {
				t.Errorf("cell %d was trained to its end twice", c.Cell)
			}
			delete(todo, c.Cell)
			if err := w.run(protocol.ActivityEval, w.ref(c.Cell)); err != nil {
				t.Fatal(err)
			}
			f.CellsDone(ready.Tree, 1)
		}
	}
	if len(todo) > 0 {
		t.Errorf("%d cells were not trained to their ends", len(todo))
	}
	return n
}

// startTrees starts all trees of a plan, and returns the cells that have no result.
func startTrees(t *testing.T, w *testWorker) (*plan.Frontier, map[int]bool) {
	t.Helper()
	f, all := new(plan.Frontier), map[int]bool{}
	for chunk := range w.plan.TreeChunks {
		v, err := w.get(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: w.plan.ID, Chunk: chunk})
		var trees []plan.Tree
		if err == nil {
			err = v.Get(&trees)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, tree := range trees {
			todo := slices.DeleteFunc(tree.Cells, func(c plan.TreeCell) bool { return c.Done })
			f.Start(chunk*plan.ChunkSize+i, tree, todo)
			for _, c := range todo {
				all[c.Cell] = true
			}
		}
	}
	return f, all
}

// dieAfter runs a stage on a worker that saves every step and dies after some of
// them. What it was about to save is lost.
func dieAfter(t *testing.T, w *testWorker, ref protocol.StageRef, steps int64) {
	t.Helper()
	dying := newWorker(t, w.store, w.plan)
	dying.saveEveryStep()
	first := int64(-1)
	dying.hooks.before = func(step int64) {
		if first < 0 {
			first = step
		}
		if step-first == steps {
			panic("killed")
		}
	}
	if err := dying.run(protocol.ActivityTrain, ref); err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatal(err)
	}
}

// outcomes are the final weights, curves and results of every cell, and the tables.
func outcomes(t *testing.T, w *testWorker) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, c := range w.plan.Cells {
		id := w.plan.RunID(c.ID)
		for _, file := range []string{modelWeights, modelCurve} {
			all[c.ID+" "+file] = string(read(t, w.store, ledger.ModelKey(id, file)))
		}
	}
	if err := w.run(protocol.ActivityCollect, w.plan.ID); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"results.txt", "results.md"} { // the formats that have no times
		all[file] = string(read(t, w.store, ledger.ReportKey(w.plan.ID, file)))
	}
	for _, r := range w.results(t) {
		r.WallSeconds, r.Spans = 0, nil // TestSpansOfSharedRuns checks the spans
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all[r.Cell+" result"] = string(b)
	}
	return all
}

// Sharing changes no bit: shared and unshared sweeps of random grids end with the
// same weights, curves and tables, also when a worker dies in every stage.
func TestSharedIsUnshared(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	var shared, alone, died, forked, constant int
	for i := range 24 {
		src := treeGrid(r)
		if strings.Contains(src, "none") {
			constant++
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := submit(t, openDir(t), planOf(t, src+"run: {share_prefixes: false}\n"))
			a := sweepAll(t, w, nil)
			want := outcomes(t, w)

			p := planOf(t, src)
			w = submit(t, openDir(t), p)
			s := sweepAll(t, w, nil)
			if got := outcomes(t, w); !sameOutcome(t, got, want) {
				t.Error(src)
			}
			for _, r := range w.results(t) {
				if r.Metrics.FirstDeadStep != nil {
					died++
				}
				counted := []ledger.Result{r} // as for a result that does not tell
				counted[0].AuxKLatents = nil
				if err := w.ledger.CountAuxK(t.Context(), counted); err != nil ||
					!reflect.DeepEqual(counted[0].AuxKLatents, r.AuxKLatents) || r.AuxKLatents == nil {
					t.Errorf("%v latents of AuxK, the curve has %v; %v", r.AuxKLatents, counted[0].AuxKLatents, err)
				}
			}
			if s.steps != s.spans || a.steps != a.spans {
				t.Errorf("trained %d steps of %d, unshared %d of %d", s.steps, s.spans, a.steps, a.spans)
			}
			isPlanned := p.StepsLeast <= int64(s.steps) && int64(s.steps) <= p.StepsShared &&
				int64(a.steps) == p.StepsUnshared
			if s.steps > a.steps || !isPlanned {
				t.Errorf("trained %d steps, planned %d to %d; unshared %d, planned %d\n%s",
					s.steps, p.StepsLeast, p.StepsShared, a.steps, p.StepsUnshared, src)
			}
			shared, alone, forked = shared+s.steps, alone+a.steps, forked+s.dead

			// The same once more, while every worker dies.
			w = submit(t, openDir(t), p)
			sweepAll(t, w, func() int64 { return int64(r.IntN(12)) })
			if got := outcomes(t, w); !sameOutcome(t, got, want) {
				t.Errorf("killed: %s", src)
			}
		})
	}
	t.Logf("%d steps shared, %d alone (%.2f×); latents died in %d runs, %d stages ended for it",
		shared, alone, float64(alone)/float64(shared), died, forked)
	if died < 20 || forked < 10 || constant < 5 || shared >= alone {
		t.Error("the grids do not cover what they are to cover")
	}
}

func (w *testWorker) results(t *testing.T) []ledger.Result {
	t.Helper()
	all, err := ledger.New(w.store).Results(t.Context(), &w.plan.Header)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameOutcome(t *testing.T, got, want map[string]string) bool {
	t.Helper()
	same := len(got) == len(want)
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s differs", key)
			same = false
		}
	}
	return same
}

// What a larger grid shares with what was trained begins at the forks that are
// there: more decay_starts, more steps, more settings of AuxK.
func TestLargerGridsBeginAtForks(t *testing.T) {
	small := planOf(t, toyGrid("g", "decay_start: [20, 24], steps: [40], auxk_alpha: [0]", never))
	for name, c := range map[string]struct {
		parameters string
		want       int // steps
	}{
		"the same":           {"decay_start: [20, 24], steps: [40], auxk_alpha: [0]", 0},
		"a fork between":     {"decay_start: [20, 22, 24], steps: [40], auxk_alpha: [0]", 40 - 21},
		"beyond":             {"decay_start: [20, 24, 30], steps: [40], auxk_alpha: [0]", 40 - 21},
		"more steps":         {"decay_start: [20, 24], steps: [40, 50], auxk_alpha: [0]", 2 * (50 - 21)},
		"more AuxK":          {"decay_start: [20, 24], steps: [40], auxk_alpha: [0, 0.03125]", 2 * (40 - 21)},
		"before all of them": {"decay_start: [10, 20, 24], steps: [40], auxk_alpha: [0]", 40},
		"constant":           {"decay_start: [20, 24, none], steps: [40], auxk_alpha: [0]", 40 - 21},
		// 50 - 21 steps with decay_start 20, 50 - 25 with 24; 39 - 21 for both that are constant, then 1 and 11.
		"constant, longer": {"decay_start: [20, 24, none], steps: [40, 50], auxk_alpha: [0]", 84},
	} {
		t.Run(name, func(t *testing.T) {
			larger := planOf(t, toyGrid("g", c.parameters, never))
			store := openDir(t)
			sweepAll(t, submit(t, store, small), nil)
			w := submit(t, store, larger)
			n := sweepAll(t, w, nil)
			alone := submit(t, openDir(t), larger)
			sweepAll(t, alone, nil)
			sameOutcome(t, outcomes(t, w), outcomes(t, alone))
			if n.steps != c.want {
				t.Errorf("trained %d steps, want %d", n.steps, c.want)
			}
		})
	}
}

// Two sweeps with a common trunk run at the same time: neither fences the other off.
func TestCommonTrunk(t *testing.T) {
	store := openDir(t)
	one := submit(t, store, planOf(t, toyGrid("one", "decay_start: [20, 30], steps: [40]", never)))
	other := submit(t, store, planOf(t, toyGrid("other", "decay_start: [24, 34], steps: [40]", never)))
	one.saveEveryStep()
	begun := false
	one.hooks.after = func(done int64) {
		if done == 10 && !begun {
			begun = true
			sweepAll(t, other, nil) // from its first step to its last
		}
	}
	sweepAll(t, one, nil)
	if !begun {
		t.Error("the other sweep did not run")
	}
	for _, w := range []*testWorker{one, other} {
		alone := submit(t, openDir(t), w.plan)
		sweepAll(t, alone, nil)
		sameOutcome(t, outcomes(t, w), outcomes(t, alone))
	}
}

// What the backend cannot train fails for good before the stage's folder is claimed.
func TestUnsupportedCell(t *testing.T) {
	w := submit(t, openDir(t), planOf(t, toyGrid("g", "precision: bf16, steps: 40", never)))
	ref := protocol.StageRef{CellRef: w.ref(0), Level: plan.LevelRun, To: 40, Cells: 1}
	wantType(t, w.run(protocol.ActivityTrain, ref), "Unsupported", false)
	stored, err := w.store.List(t.Context(), "stages/")
	if err != nil || len(stored) > 0 {
		t.Errorf("stored %v, %v", stored, err)
	}
}

// A stored tree that goes further than its cell shares is refused.
func TestTreeTooLong(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	for level, most := range map[plan.Level]int{
		plan.LevelTrunk:    steps/2 + 1,
		plan.LevelAuxK:     steps/2 + 1,
		plan.LevelSchedule: steps,
		plan.LevelRun:      steps,
	} {
		ref := protocol.StageRef{CellRef: w.ref(1), Level: level, To: most + 1, Cells: 2}
		wantType(t, w.run(protocol.ActivityTrain, ref), "BadConfig", false)
	}
}
