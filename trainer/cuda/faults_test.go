//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// control returns a function that gives the emulated devices settings from now on (emulate/settings.c).
func control(t *testing.T) func(settings string) {
	t.Helper()
	if os.Getenv("SWEEP_EMULATE") == "" {
		t.Skip("SWEEP_EMULATE is not set: run make test-cuda")
	}
	file := filepath.Join(t.TempDir(), "control")
	t.Setenv("SWEEP_EMULATE_CONTROL", file)
	return func(settings string) {
		t.Helper()
		err := os.WriteFile(file+".new", []byte(settings), 0o666)
		if err == nil {
			err = os.Rename(file+".new", file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// again runs the test in another process with more variables in its environment. It returns true in that process.
func again(t *testing.T, env ...string) bool {
	t.Helper()
	const name = "SWEEP_TEST_RERUN"
	if os.Getenv(name) == t.Name() {
		return true
	}
	if os.Getenv("SWEEP_EMULATE") == "" {
		t.Skip("SWEEP_EMULATE is not set: run make test-cuda")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(append(os.Environ(), name+"="+t.Name(), "SWEEP_GOLDENS="), env...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// notNumbered is data whose rows the GPU does not hold.
type notNumbered struct{ *random }

func (notNumbered) Dataset() trainer.Dataset { return nil }

func smallConfig() trainer.Config {
	return trainer.Config{
		Recipe: "corrected", ActivationDim: 8, DictSize: 20, K: 2, BatchSize: 16, Steps: 100, DecayStart: 9,
		LR: 1e-3, KAux: 3, DeadFeatureThreshold: 100, Precision: "f32",
	}
}

func opened(t *testing.T, ordinal int) *backend {
	t.Helper()
	b, err := New(ordinal)
	if err != nil {
		t.Fatal(err)
	}
	return b.(*backend)
}

func freeOf(t *testing.T, b *backend) int64 {
	t.Helper()
	free, err := b.FreeMemory()
	if err != nil {
		t.Fatal(err)
	}
	return free
}

func trainTo(t *testing.T, m trainer.Model, step int64) error {
	for _, err := range m.Steps(t.Context(), step) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Whichever allocation finds no memory, the error is trainer.ErrBusy, and nothing stays allocated.
func TestMemoryTaken(t *testing.T) {
	set := control(t)
	b, c, data := opened(t, 0), smallConfig(), notNumbered{&random{d: 8, rows: 1000}}
	state, before := trainer.Init(c), freeOf(t, b)
	// One after the other: the memory of the model, its streams, events, pinned memory and cuBLAS, and in training
	// the pinned memory for batches and the graph.
	use := func() error {
		m, err := b.New(c, state, data)
		if err != nil {
			return err
		}
		return errors.Join(trainTo(t, m, 4), m.Save(trainer.NewState(c)), m.Close())
	}
	refused := 0
	for ; ; refused++ {
		set(fmt.Sprintf("0 refuse %d", refused))
		err := use()
		if after := freeOf(t, b); after != before {
			t.Fatalf("allocation %d found no memory: %d bytes are not given back", refused, before-after)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, trainer.ErrBusy) || errors.Is(err, trainer.ErrMemory) || errors.Is(err, trainer.ErrBroken) {
			t.Fatalf("allocation %d found no memory: %v", refused, err)
		}
	}
	if refused < 12 {
		t.Errorf("a model allocates %d times, want more", refused)
	}

	// Another program has the memory, and gives it back.
	const all = 4 << 30
	set(fmt.Sprintf("0 taken %d", before-300<<20)) // other tests may have left rows there
	big := c
	big.DictSize = 1 << 20
	_, err := b.New(big, &trainer.State{}, data)
	if !errors.Is(err, trainer.ErrBusy) || errors.Is(err, trainer.ErrMemory) ||
		!strings.Contains(err.Error(), "MiB needed") {
		t.Errorf("the memory is taken now: %v", err)
	}
	big.DictSize = 1 << 26
	_, err = b.New(big, &trainer.State{}, data)
	if !errors.Is(err, trainer.ErrMemory) || errors.Is(err, trainer.ErrBusy) {
		t.Errorf("more than the whole GPU: %v", err)
	}
	if err := use(); err != nil {
		t.Errorf("a model that fits beside it: %v", err)
	}
	set(fmt.Sprintf("0 taken %d", all))
	if err := use(); !errors.Is(err, trainer.ErrBusy) {
		t.Errorf("all memory is taken now: %v", err)
	}
	full, err := New(0)
	if err != nil {
		t.Fatalf("all memory is taken when the program starts: %v", err)
	}
	if _, err := full.OfClass("any"); !errors.Is(err, trainer.ErrBusy) {
		t.Errorf("the class of a GPU that cannot be opened now: %v", err)
	}
	set("")
	if err := use(); err != nil {
		t.Errorf("the memory is given back: %v", err)
	}
	if _, err := full.OfClass("any"); !errors.Is(err, trainer.ErrOtherClass) {
		t.Errorf("the GPU can be opened now: %v", err)
	}
}

// Rows that no model trains on are freed where an allocation finds no memory, also one after the first look.
func TestMemoryOfIdleRows(t *testing.T) {
	set := control(t)
	b, c := opened(t, 0), smallConfig()
	const half, part = 4 << 20, 2 << 20 // bytes: of the rows, and of a part of memory that the driver gives
	data := &counted{random: random{d: 8, rows: 2 * half / 32}}
	c.Steps = 2 * half // enough to read every row
	before := freeOf(t, b)
	need, _ := b.Bytes(c)
	for _, setting := range []string{
		"0 refuse 0", "0 refuse 5", fmt.Sprintf("0 taken %d", before-need-libraryBytes-half),
	} {
		m, err := b.New(c, trainer.Init(c), data)
		if err != nil || len(b.residents.rows) != 1 {
			t.Fatalf("%v, %d data sets are on the GPU", err, len(b.residents.rows))
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if free := freeOf(t, b); !(before-free <= part) { // what rounding took
			t.Errorf("%d bytes are free with idle rows, %d without", free, before)
		}
		set(setting)
		m, err = b.New(c, trainer.Init(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", setting, err)
		}
		if len(b.residents.rows) != 0 {
			t.Errorf("%s: the rows stay although a model needs their memory", setting)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		set("")
	}
	// Rows for which there is no memory are read for each batch.
	for n := range 4 {
		set(fmt.Sprintf("0 refuse %d", 13+n))
		m, err := b.New(c, trainer.Init(c), data)
		if err != nil {
			if !errors.Is(err, trainer.ErrBusy) {
				t.Error(err)
			}
			continue
		}
		if err := errors.Join(trainTo(t, m, 2), m.Close()); err != nil {
			t.Error(err)
		}
	}
	set("")
}

// Every error after which nothing works on a GPU wraps trainer.ErrBroken, whichever call meets it, and
// another GPU works on.
func TestBroken(t *testing.T) {
	codes := []int{46, 214, 700, 714, 716, 719, 999}
	settings := make([]string, len(codes))
	for i, code := range codes {
		settings[i] = fmt.Sprintf("%d fail %d after %d", i, code, 40+i*13)
	}
	if !again(t, "SWEEP_EMULATE_GPUS=8", "SWEEP_EMULATE_MEMORY=1073741824",
		"SWEEP_EMULATE_SETTINGS="+strings.Join(settings, ";")) {
		return
	}
	c, data := smallConfig(), &random{d: 8, rows: 1000}
	for i, code := range codes {
		b := opened(t, i)
		m, err := b.New(c, trainer.Init(c), data)
		if err != nil {
			t.Fatal(err)
		}
		other, err := b.New(c, trainer.Init(c), data)
		if err != nil {
			t.Fatal(err)
		}
		state := trainer.NewState(c)
		x, acts, latents := make([]float32, 8), make([]float32, 2), make([]int32, 2)
		calls := []struct {
			name string
			err  error
		}{
			{"train", trainTo(t, m, 90)},
			{"save", m.Save(state)},
			{"encode", m.Encode(x, 2, nil, acts, latents)},
			{"decoder rows", m.DecoderRows([]int32{1}, x, make([]float32, 8))},
			{"close", m.Close()},
			{"train another model", trainTo(t, other, 1)},
			{"close another model", other.Close()},
		}
		_, err = b.New(c, trainer.Init(c), data)
		calls = append(calls, struct {
			name string
			err  error
		}{"new", err})
		_, err = b.FreeMemory()
		calls = append(calls, struct {
			name string
			err  error
		}{"free memory", err})
		for _, call := range calls {
			if !errors.Is(call.err, trainer.ErrBroken) || errors.Is(call.err, trainer.ErrBusy) {
				t.Errorf("error %d: %s: %v", code, call.name, call.err)
			} else if strings.Contains(call.err.Error(), "\n") {
				t.Errorf("error %d: %s: not one line: %v", code, call.name, call.err)
			}
		}
	}
	// The last GPU has no fault. A broken one cannot be opened.
	b := opened(t, 7)
	m, err := b.New(c, trainer.Init(c), data)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(trainTo(t, m, 50), m.Close()); err != nil {
		t.Errorf("a GPU beside broken ones: %v", err)
	}
	if _, err := New(0); !errors.Is(err, trainer.ErrBroken) {
		t.Errorf("open a broken GPU: %v", err)
	}
}

// Errors come up where the host next waits: a GPU that breaks in Save or in Encode is known there.
func TestBrokenLate(t *testing.T) {
	if !again(t, "SWEEP_EMULATE_GPUS=2", "SWEEP_EMULATE_MEMORY=1073741824") {
		return
	}
	set := control(t)
	c := smallConfig()
	for i, call := range []func(trainer.Model) error{
		func(m trainer.Model) error { return m.Save(trainer.NewState(c)) },
		func(m trainer.Model) error { return m.Close() },
	} {
		m, err := opened(t, i).New(c, trainer.Init(c), &random{d: 8, rows: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if err := trainTo(t, m, 3); err != nil {
			t.Fatal(err)
		}
		set(fmt.Sprintf("%d fail 700", i))
		if err := call(m); !errors.Is(err, trainer.ErrBroken) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// A kernel that never ends holds its own GPU only.
func TestHang(t *testing.T) {
	if !again(t, "SWEEP_EMULATE_GPUS=2", "SWEEP_EMULATE_MEMORY=1073741824") {
		return
	}
	set := control(t)
	c, data := smallConfig(), &random{d: 8, rows: 1000}
	var models []trainer.Model
	for i := range 2 {
		m, err := opened(t, i).New(c, trainer.Init(c), data)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	set("0 hang 0")
	done := make(chan error, 1)
	go func() { done <- trainTo(t, models[0], 2) }()
	if err := trainTo(t, models[1], 30); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Errorf("the kernel ended: %v", err)
	default:
	}
	set("")
	if err := errors.Join(<-done, models[0].Close(), models[1].Close()); err != nil {
		t.Error(err)
	}
}
