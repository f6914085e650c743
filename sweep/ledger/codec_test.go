package ledger

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/plan"
)

func TestDecodeHeader(t *testing.T) {
	p := planOf(t, tinyGrid)
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
	for text, want := range map[string]error{
		"":   storage.ErrCorrupt,
		"{":  storage.ErrCorrupt,
		"[]": storage.ErrCorrupt,
		"{}": storage.ErrCorrupt,
		`{"version": 0, "name": "a", "id": "a-1"}`:                               storage.ErrCorrupt,
		`{"version": 2, "name": "a", "id": "a-1"}`:                               storage.ErrNewerVersion,
		`{"version": 1, "name": "b", "id": "a-1"}`:                               storage.ErrCorrupt,
		`{"version": 1, "name": "a-1", "id": "a"}`:                               storage.ErrCorrupt,
		`{"version": 1, "name": "a", "id": "a-1", "cells": -1}`:                  storage.ErrCorrupt,
		`{"version": 1, "name": "a", "id": "a-1", "cells": 9223372036854775807}`: storage.ErrCorrupt,
		`{"version": 1, "name": "a", "id": "a-1", "tree_chunks": -1}`:            storage.ErrCorrupt,
	} {
		if _, err := decodeHeader([]byte(text)); !errors.Is(err, want) {
			t.Errorf("header %q: %v, want %v", text, err, want)
		}
	}
	if _, err := decodeHeader([]byte(`{"version": 1, "name": "a", "id": "a-1", "cells": 3}`)); err != nil {
		t.Error(err)
	}
}

func TestDecodeChunk(t *testing.T) {
	p := planOf(t, wideGrid())
	b, err := encodeChunk(p.Chunk(0))
	if err != nil {
		t.Fatal(err)
	}
	if cells, err := decodeChunk(b); err != nil || !reflect.DeepEqual(cells, p.Cells[:plan.ChunkSize]) {
		t.Errorf("%d cells, %v", len(cells), err)
	}
	if _, err := encodeChunk(p.Cells[:plan.ChunkSize+1]); err == nil {
		t.Error("a chunk that is too long: no error")
	}
	tooLong := "[" + strings.Repeat("{},", plan.ChunkSize) + "{}]"
	for _, text := range []string{"", "{", "{}", tooLong} {
		if _, err := decodeChunk([]byte(text)); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%.20q: %v, want corrupt", text, err)
		}
	}
}

func TestDecodeTrees(t *testing.T) {
	_, chunks := planOf(t, wideGrid()).ChunkedTrees()
	b, err := encodeTrees(chunks[0])
	if err != nil {
		t.Fatal(err)
	}
	if trees, err := decodeTrees(b); err != nil || !reflect.DeepEqual(trees, chunks[0]) {
		t.Errorf("%d trees, %v", len(trees), err)
	}
	const tree = `{"cells":[{"cell":0,"decay_start":0,"steps":1}]}`
	const cell = `{"cell":0,"decay_start":0,"steps":1}`
	for name, text := range map[string]string{
		"empty":              "",
		"torn":               "[",
		"not a list":         "{}",
		"a tree of no cells": "[{}]",
		"a negative cell":    `[{"cells":[{"cell":-1,"decay_start":0,"steps":1}]}]`,
		"a negative decay":   `[{"cells":[{"cell":0,"decay_start":-1,"steps":1}]}]`,
		"decay behind steps": `[{"cells":[{"cell":0,"decay_start":4,"steps":3}]}]`,
		"no steps":           `[{"cells":[{"cell":0,"decay_start":0,"steps":0}]}]`,
		"too many trees":     "[" + strings.Repeat(tree+",", plan.ChunkSize) + tree + "]",
		"too many cells":     `[{"cells":[` + strings.Repeat(cell+",", plan.MaxTreeCells) + cell + "]}]",
	} {
		if _, err := decodeTrees([]byte(text)); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v, want corrupt", name, err)
		}
	}
}

// Whatever header is read, its chunks can be counted and its cells be named.
func FuzzDecodeHeader(f *testing.F) {
	f.Add([]byte(`{"version": 1, "name": "a", "id": "a-1", "cells": 300, "axes": ["k"], "run": {"reuse_results": true}}`),
		[]byte(`[{"id": "b", "config": {"k": 2, "steps": 9}, "values": ["2"]}]`))
	f.Add([]byte(`{"version": 3, "name": "a", "id": "a-1", "cells": 300, "tree_chunks": 3, "number": 2, "parts": [`+
		`{"cells": 299, "tree_chunks": 2}, {"name": "0123456789abcdef", "cells": 1, "tree_chunks": 1}]}`), []byte("[]"))
	f.Fuzz(func(t *testing.T, header, chunk []byte) {
		h, err := decodeHeader(header)
		if err != nil {
			return
		}
		if next := 0; h.CellCount < 1<<16 { // every cell lies in one piece
			for _, p := range piecesOf(h, 0, h.CellCount) {
				next += p.to - p.from
				if p.from != 0 || p.to < 1 || p.to != p.stored || p.to > plan.ChunkSize {
					t.Errorf("piece %+v", p)
				}
			}
			if next != h.CellCount {
				t.Errorf("%d cells in pieces, of %d", next, h.CellCount)
			}
		}
		for _, chunk := range []int{-1, 0, h.TreeChunks - 1, h.TreeChunks} {
			if _, ok := treesKeyOf(h, chunk); ok != (chunk >= 0 && chunk < h.TreeChunks) {
				t.Errorf("chunk %d of %d has a key: %v", chunk, h.TreeChunks, ok)
			}
		}
		if n := h.Chunks(); n < 0 || n*plan.ChunkSize < h.CellCount {
			t.Errorf("%d chunks of %d cells", n, h.CellCount)
		}
		cells, err := decodeChunk(chunk)
		if err != nil {
			return
		}
		for _, c := range cells {
			h.Identifies(c)
			h.Label(c)
			h.Trajectories(c)
			h.Origins(c, plan.LevelRun, c.Config.Steps)
			NewResult(h, c, plan.Pending)
		}
	})
}

// Whatever trees are read, their stages can be walked.
func FuzzDecodeTrees(f *testing.F) {
	f.Add([]byte(`[{"family":"f","weight":1,"cells":[` +
		`{"cell":0,"decay_start":3,"steps":9},{"cell":1,"decay_start":5,"steps":9,"auxk":1}]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		trees, err := decodeTrees(b)
		if err != nil {
			return
		}
		const firstDead = 7 // the step in which the first latent is dead
		for _, tree := range trees {
			if len(tree.Cells) > 50 {
				return
			}
			n := 0
			for todo := plan.Roots(tree.Cells); len(todo) > 0; n++ {
				s := todo[len(todo)-1]
				reached := s.To
				if s.Level.UntilDead() {
					reached = max(s.From, min(s.To, firstDead))
				}
				todo = append(todo[:len(todo)-1], s.Next(reached)...)
			}
			if n > 4*len(tree.Cells)+4 {
				t.Fatalf("%d stages of %d cells", n, len(tree.Cells))
			}
		}
	})
}
