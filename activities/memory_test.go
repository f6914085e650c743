package activities

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/trainer/cpu"
)

func TestOutOfMemory(t *testing.T) {
	b := newBench(t, openDir(t), makePlan(t, nil))
	need := hostmem.Bytes(cpu.New(1), b.plan.Cells[1].Config)
	b.memory.Capacity = func() (int64, bool) { return need - 1, true }
	err := b.train()
	wantType(t, err, "OutOfMemory", false)
	if err == nil || !strings.Contains(err.Error(), "needs") || !strings.Contains(err.Error(), "free") {
		t.Errorf("%v does not say what is needed and what is free", err)
	}
	b.memory.Capacity = func() (int64, bool) { return need, true }
	release, _ := b.memory.Reserve(1)
	wantType(t, b.train(), "MemoryBusy", true)
	release()
	b.finish()
	if release, err := b.memory.Reserve(need); err != nil {
		t.Errorf("something is still reserved: %v", err)
	} else {
		release()
	}
}
