package activities

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/trainer/data"
)

// treeGrid draws a grid whose cells share prefixes, in which latents die early,
// late or never.
func treeGrid(r *rand.Rand) string {
	steps := []int{24, 40}[r.IntN(2)]
	axis := func(n int, value func(i int) string) string {
		var all []string
		for i := range n {
			if v := value(i); !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return "[" + strings.Join(all, ", ") + "]"
	}
	pick := func(values ...string) func(int) string {
		return func(int) string { return values[r.IntN(len(values))] }
	}
	grid := "name: tree\ndata: {synthetic: {activation_dim: 6, directions: 12, tokens: 2000, active: 3, noise: 0.05, seed: 1}, eval_tokens: 64}\nparameters:\n"
	grid += "  auxk_alpha: " + axis(1+r.IntN(3), pick("0", "0.03125", "0.5")) + "\n"
	grid += "  decay_start: " + axis(1+r.IntN(4), func(int) string { return fmt.Sprint(r.IntN(steps - 1)) }) + "\n"
	grid += "  steps: " + axis(1+r.IntN(2), func(i int) string { return fmt.Sprint(steps + 7*i) }) + "\n"
	grid += "  k: " + axis(1, pick("2", "3")) + "\n"
	if r.IntN(3) == 0 {
		grid += "  k_aux: " + axis(2, pick("1", "3", "5")) + "\n"
	}
	recipe := []string{"corrected", "reference", "upstream"}[r.IntN(3)]
	threshold := []int{80, 150, 300, 400, 100_000}[r.IntN(5)]
	extra := ""
	if recipe == "upstream" {
		extra = ", threshold_start_step: 5"
	}
	return grid + fmt.Sprintf(
		"train: {recipe: %s, dict_size: 24, batch_size: 16, lr: 0.02, dead_feature_threshold: %d%s}\n",
		recipe,
		threshold,
		extra,
	)
}

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

// counts are what a sweep's stages came to.
type counts struct {
	spans int // steps that the stages cover
	steps int // steps trained
	dead  int // stages that ended because a latent died
}

// sweepAll trains and evaluates every cell of a plan as the workflow would, one
// stage at a time, and returns what was trained. kill, if not nil, is asked
// before each stage for the step after which the worker dies.
func sweepAll(t *testing.T, b *bench, kill func() int64) (n counts) {
	t.Helper()
	var f plan.Frontier
	prepared := map[int]bool{}
	for chunk := range b.plan.TreeChunks {
		v, err := b.get(protocol.ActivityPrepare, protocol.ChunkRef{Sweep: b.plan.ID, Chunk: chunk})
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
				prepared[c.Cell] = true
			}
		}
	}
	for {
		it, ok := f.Next()
		if !ok {
			break
		}
		first := it.Stage.Cells[0]
		ref := protocol.StageRef{
			CellRef: b.ref(first.Cell),
			Level:   it.Stage.Level,
			From:    it.Stage.From,
			To:      it.Stage.To,
			Cells:   len(it.Stage.Cells),
		}
		if kill != nil {
			dieAfter(t, b, ref, kill())
		}
		v, err := b.get(protocol.ActivityTrain, ref)
		if err != nil {
			t.Fatal(err)
		}
		var trained protocol.Trained
		if err := v.Get(&trained); err != nil {
			t.Fatal(err)
		}
		n.steps += trained.Steps
		if trained.Reached < ref.To {
			n.dead++
		}
		n.spans += trained.Reached - it.Stage.From
		if trained.Steps > trained.Reached-it.Stage.From {
			t.Errorf(
				"stage %s of cell %d, %d → %d, trained %d steps and reached %d",
				ref.Level,
				ref.Cell,
				it.Stage.From,
				ref.To,
				trained.Steps,
				trained.Reached,
			)
		}
		if !it.Stage.CompletesRuns(trained.Reached) {
			f.StageEnded(it, trained.Reached)
			continue
		}
		for _, c := range it.Stage.Cells {
			if !prepared[c.Cell] {
				t.Errorf("cell %d came to its end twice", c.Cell)
			}
			delete(prepared, c.Cell)
			if err := b.run(protocol.ActivityEval, b.ref(c.Cell)); err != nil {
				t.Fatal(err)
			}
			f.CellsDone(it.Tree, 1)
		}
	}
	if len(prepared) > 0 {
		t.Errorf("%d cells came to no end", len(prepared))
	}
	return n
}

// dieAfter runs a stage on a worker that saves every step and dies after some:
// what it was about to save is lost.
func dieAfter(t *testing.T, b *bench, ref protocol.StageRef, step int64) {
	t.Helper()
	w := newWorker(t, b.store, b.plan)
	w.due()
	began := int64(-1)
	w.hooks.before = func(at int64) {
		if began < 0 {
			began = at
		}
		if at-began == step {
			panic("killed")
		}
	}
	if err := w.run(protocol.ActivityTrain, ref); err != nil && !strings.Contains(err.Error(), "killed") {
		t.Fatal(err)
	}
}

// outcomes are the final weights and results of every cell.
func outcomes(t *testing.T, b *bench) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, c := range b.plan.Cells {
		id := b.plan.RunID(c.ID)
		for _, file := range []string{modelWeights, modelCurve} {
			all[c.ID+" "+file] = string(read(t, b.store, ledger.ModelKey(id, file)))
		}
	}
	if err := b.run(protocol.ActivityCollect, b.plan.ID); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"results.txt", "results.md"} { // tables: without times
		all[file] = string(read(t, b.store, ledger.ReportKey(b.plan.ID, file)))
	}
	results, err := ledger.New(b.store).Results(t.Context(), &b.plan.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		r.WallSeconds = 0
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all[r.Cell+" result"] = string(b)
	}
	return all
}

// Sharing shows in no bit: shared and unshared sweeps of random grids end with
// the same weights, curves and tables, also when a worker dies in every stage.
func TestSharedIsUnshared(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	var shared, alone, died, forked int
	for i := range 24 {
		grid := treeGrid(r)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			one := newBench(t, openDir(t), planOf(t, grid+"run: {share_prefixes: false}\n"))
			a := sweepAll(t, one, nil)
			want := outcomes(t, one)

			header := planOf(t, grid)
			b := newBench(t, openDir(t), header)
			s := sweepAll(t, b, nil)
			if got := outcomes(t, b); !sameOutcome(t, got, want) {
				t.Error(grid)
			}
			if s.steps != s.spans || a.steps != a.spans {
				t.Errorf("trained %d steps of %d, unshared %d of %d", s.steps, s.spans, a.steps, a.spans)
			}
			if s.steps > a.steps || int64(s.steps) > header.StepsShared || int64(s.steps) < header.StepsLeast ||
				int64(a.steps) != header.StepsUnshared {
				t.Errorf(
					"trained %d steps, planned %d to %d; unshared %d, planned %d\n%s",
					s.steps,
					header.StepsLeast,
					header.StepsShared,
					a.steps,
					header.StepsUnshared,
					grid,
				)
			}
			shared, alone, forked = shared+s.steps, alone+a.steps, forked+s.dead
			for _, m := range one.results(t) {
				if m.Metrics.FirstDeadStep != nil {
					died++
				}
			}

			// Again, while everything gets killed.
			c := newBench(t, openDir(t), header)
			sweepAll(t, c, func() int64 { return int64(r.IntN(12)) })
			if got := outcomes(t, c); !sameOutcome(t, got, want) {
				t.Errorf("killed: %s", grid)
			}
		})
	}
	t.Logf(
		"%d steps shared, %d alone (%.2f×); latents died in %d runs, %d stages ended for it",
		shared,
		alone,
		float64(alone)/float64(shared),
		died,
		forked,
	)
	if died < 20 || forked < 10 || shared >= alone {
		t.Error("the grids do not cover what they are to cover")
	}
}

func (b *bench) results(t *testing.T) []ledger.Result {
	t.Helper()
	all, err := ledger.New(b.store).Results(t.Context(), &b.plan.Header)
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
	grid := func(decays, steps, alphas string, threshold int) *plan.Plan {
		return planOf(
			t,
			fmt.Sprintf(
				"name: g\ndata: {synthetic: {activation_dim: 6, directions: 12, tokens: 2000, active: 3, noise: 0.05, seed: 1}, eval_tokens: 64}\n"+
					"parameters: {decay_start: [%s], steps: [%s], auxk_alpha: [%s]}\ntrain: {dict_size: 24, k: 2, batch_size: 16, lr: 0.02, dead_feature_threshold: %d}\n",
				decays,
				steps,
				alphas,
				threshold,
			),
		)
	}
	const never = 1_000_000
	for name, c := range map[string]struct {
		plan *plan.Plan
		want int // steps
	}{
		"the same":           {grid("20, 24", "40", "0", never), 0},
		"a fork between":     {grid("20, 22, 24", "40", "0", never), 40 - 21},
		"beyond":             {grid("20, 24, 30", "40", "0", never), 40 - 21},
		"more steps":         {grid("20, 24", "40, 50", "0", never), 2 * (50 - 21)},
		"more AuxK":          {grid("20, 24", "40", "0, 0.03125", never), 2 * (40 - 21)},
		"before all of them": {grid("10, 20, 24", "40", "0", never), 40},
	} {
		t.Run(name, func(t *testing.T) {
			store := openDir(t)
			sweepAll(t, newBench(t, store, grid("20, 24", "40", "0", never)), nil)
			b := newBench(t, store, c.plan)
			n := sweepAll(t, b, nil)
			alone := newBench(t, openDir(t), c.plan)
			sweepAll(t, alone, nil)
			sameOutcome(t, outcomes(t, b), outcomes(t, alone))
			if n.steps != c.want {
				t.Errorf("trained %d steps, want %d", n.steps, c.want)
			}
		})
	}
}

// Two sweeps with a common trunk, at the same time: neither fences the other off.
func TestCommonTrunk(t *testing.T) {
	store := openDir(t)
	grid := func(name, decays string) *bench {
		return newBench(
			t,
			store,
			planOf(
				t,
				"name: "+name+"\ndata: {synthetic: {activation_dim: 6, directions: 12, tokens: 2000, active: 3, noise: 0.05, seed: 1}, eval_tokens: 64}\n"+
					"parameters: {decay_start: ["+decays+"]}\ntrain: {dict_size: 24, k: 2, steps: 40, batch_size: 16, lr: 0.02, dead_feature_threshold: 1_000_000}\n",
			),
		)
	}
	a, b := grid("a", "20, 30"), grid("b", "24, 34")
	a.due()
	begun := false
	a.hooks.after = func(done int64) {
		if done == 10 && !begun {
			begun = true
			sweepAll(t, b, nil) // the other one, from its first step to its last
		}
	}
	sweepAll(t, a, nil)
	for _, s := range []*bench{a, b} {
		alone := newBench(t, openDir(t), s.plan)
		sweepAll(t, alone, nil)
		sameOutcome(t, outcomes(t, s), outcomes(t, alone))
	}
}

// A stored tree that goes further than its cell shares is refused.
func TestTreeTooLong(t *testing.T) {
	b := newBench(t, openDir(t), makePlan(t, nil))
	for level, most := range map[plan.Level]int{plan.LevelTrunk: steps/2 + 1, plan.LevelAuxK: steps/2 + 1, plan.LevelSchedule: steps, plan.LevelRun: steps} {
		ref := protocol.StageRef{CellRef: b.ref(1), Level: level, To: most + 1, Cells: 2}
		wantType(t, b.run(protocol.ActivityTrain, ref), "BadConfig", false)
	}
}
