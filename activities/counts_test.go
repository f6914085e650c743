package activities

import (
	"maps"
	"testing"

	"github.com/topksweep/sweep/sweep/protocol"
)

// The counts are those of what was trained, stored and refused, and a live attempt is told of while it is made.
func TestCounts(t *testing.T) {
	p, file := planOnShard(t)
	w := submit(t, openDir(t), p)
	w.saveEveryStep()
	cfg := p.Cells[1].Config
	var seen []Live
	w.at(20, func() { seen = w.Live() })
	w.finish()
	got := w.Counts()
	if got.Steps != int64(cfg.Steps) || got.Tokens != int64(cfg.Steps*cfg.BatchSize) {
		t.Errorf("%d steps and %d tokens, want those of %d steps of %d", got.Steps, got.Tokens, cfg.Steps, cfg.BatchSize)
	}
	if got.Saves < 2 || got.SaveBytes < got.Saves*cfg.StateBytes() || got.SaveTime <= 0 || len(got.Faults) != 0 {
		t.Errorf("%+v", got)
	}
	if len(seen) != 1 || seen[0].Cell != p.Cells[1].ID || seen[0].Activity != protocol.ActivityTrain ||
		seen[0].Attempt != 1 || seen[0].Step != 19 {
		t.Errorf("in step 20: %+v", seen)
	}
	if after := w.Live(); len(after) != 0 {
		t.Errorf("after the end: %+v", after)
	}

	w = newWorker(t, openDir(t), p)
	submit(t, w.store, p)
	w.at(20, func() { overwrite(t, file, shardOf(2)) })
	wantType(t, w.train(), "DataChanged", false)
	if got, want := w.Counts().Faults, (map[Fault]int64{{"worker", "DataChanged"}: 1}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
