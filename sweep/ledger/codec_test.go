package ledger

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/trainer"
)

const small = "name: small\ndata: {source: acts}\nparameters: {k: [8, 16], seed: [0, 1, 2]}\ntrain: {steps: 10, batch_size: 32}\n"

func mustPlan(t *testing.T, src string, est plan.Estimates) *plan.Plan {
	t.Helper()
	g, err := grid.Parse("grid.yaml", []byte(src), grid.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info := trainer.DataInfo{
		Rows:        1_000_000,
		EvalRows:    65_536,
		Dim:         64,
		DType:       "F32",
		Shards:      4,
		Bytes:       256_000_000,
		Scale:       1,
		MeanNorm:    8,
		Fingerprint: "f00d",
	}
	p, err := plan.New(g, info, est)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChunks(t *testing.T) {
	p := mustPlan(
		t,
		strings.Replace(small, "[0, 1, 2]", "["+strings.Trim(fmt.Sprint(slices.Collect(seq(300))), "[]")+"]", 1),
		plan.Estimates{},
	)
	b, err := json.Marshal(&p.Header)
	if err != nil {
		t.Fatal(err)
	}
	h, err := decodeHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(h, &p.Header) {
		t.Errorf("header\n%+v\n%+v", h, &p.Header)
	}
	var cells []grid.Cell
	for i := range h.Chunks() {
		b, err := encodeChunk(p.Chunk(i))
		if err != nil {
			t.Fatal(err)
		}
		chunk, err := decodeChunk(b)
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, chunk...)
	}
	if !reflect.DeepEqual(cells, p.Cells) {
		t.Error("cells differ after a round trip")
	}
	for _, bad := range []string{"", "{", `{"version": 2, "id": "a-1"}`, "[]"} {
		if _, err := decodeHeader([]byte(bad)); err == nil {
			t.Errorf("header %q: no error", bad)
		}
	}
	if _, err := encodeChunk(p.Cells[:plan.ChunkSize+1]); err == nil {
		t.Error("a chunk too long: no error")
	}
	if _, err := decodeChunk([]byte("[" + strings.Repeat("{},", plan.ChunkSize) + "{}]")); err == nil {
		t.Error("a chunk too long: no error")
	}
}

func TestEncodeTrees(t *testing.T) {
	p := mustPlan(
		t,
		"name: g\ndata: {source: acts}\nparameters: {decay_start: [0.5, 0.6], seed: ["+fmt.Sprint(
			0,
		)+", 1, 2]}\ntrain: {steps: 100, batch_size: 32}\n",
		plan.Estimates{},
	)
	first, pieces := p.TreePieces()
	if first != 0 || len(pieces) != p.TreeChunks {
		t.Fatal(first, len(pieces))
	}
	var trees []plan.Tree
	for _, piece := range pieces {
		b, err := encodeTrees(piece)
		if err != nil {
			t.Fatal(err)
		}
		part, err := decodeTrees(b)
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, part...)
	}
	for i := range trees {
		for j := range trees[i].Cells {
			if trees[i].Cells[j].Label != p.Label(p.Cells[trees[i].Cells[j].Cell]) {
				t.Errorf("label %q", trees[i].Cells[j].Label)
			}
			trees[i].Cells[j].Label = ""
		}
	}
	if !reflect.DeepEqual(trees, p.Trees) {
		t.Errorf("%+v\nwant %+v", trees, p.Trees)
	}
	for _, bad := range []string{"", "{", "{}", "[{}]", `[{"cells":[{"cell":-1,"decay_start":0,"steps":1}]}]`, `[{"cells":[{"cell":0,"decay_start":3,"steps":3}]}]`} {
		if _, err := decodeTrees([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzDecodeTrees(f *testing.F) {
	f.Add(
		[]byte(
			`[{"family":"f","weight":1,"cells":[{"cell":0,"decay_start":3,"steps":9},{"cell":1,"decay_start":5,"steps":9,"auxk":1}]}]`,
		),
	)
	f.Fuzz(func(t *testing.T, b []byte) {
		trees, err := decodeTrees(b)
		if err != nil {
			return
		}
		for _, tree := range trees { // what is read can be walked
			if len(tree.Cells) > 50 {
				return
			}
			n := 0
			for left := plan.Roots(tree.Cells); len(left) > 0; n++ { // a latent is dead at step 7
				s := left[len(left)-1]
				reached := s.To
				if s.Level.UntilDead() {
					reached = max(s.From, min(s.To, 7))
				}
				left = append(left[:len(left)-1], s.Next(reached)...)
			}
			if n > 4*len(tree.Cells)+4 {
				t.Fatalf("%d stages of %d cells", n, len(tree.Cells))
			}
		}
	})
}

func seq(n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("%d,", i)) {
				return
			}
		}
	}
}
