package activities

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// A run that the host can never hold fails. One that does not fit beside other runs
// is tried again.
func TestOutOfMemory(t *testing.T) {
	w := submit(t, openDir(t), makePlan(t, nil))
	cfg := w.plan.Cells[1].Config
	need := hostmem.Bytes(cpu.New(1), cfg) + saveBytes
	w.memory.Capacity = func() (int64, bool) { return need - 1, true }
	err := w.train()
	wantType(t, err, "OutOfMemory", false)
	if err == nil || !strings.Contains(err.Error(), "needs") || !strings.Contains(err.Error(), "free") {
		t.Errorf("%v does not say what is needed and what is free", err)
	}
	w.memory.Capacity = func() (int64, bool) { return need, true }
	release, _ := w.memory.Reserve(1)
	wantType(t, w.train(), "MemoryBusy", true)
	release()
	need += trainer.EvaluateBytes(cfg) // the evaluation needs that too
	w.finish()
	if release, err := w.memory.Reserve(need); err != nil {
		t.Errorf("something is still reserved: %v", err)
	} else {
		release()
	}
}
