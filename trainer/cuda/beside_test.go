//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Making, saving, using and closing a model does not disturb a stream of another one that captures.
func TestBesideCapture(t *testing.T) {
	b, c := opened(t, 0), smallConfig()
	data := &counted{random: random{d: 8, rows: 1000}}
	start := func() *model {
		m, err := b.New(c, trainer.Init(c), data)
		if err != nil {
			t.Fatal(err)
		}
		return m.(*model)
	}
	one, two := start(), start()
	if err := errors.Join(trainTo(t, one, 2), two.Close()); err != nil { // cuBLAS has a handle for a second model
		t.Fatal(err)
	}
	data.gen++ // the next model uploads its rows
	use := func() error {
		m, err := b.New(c, trainer.Init(c), data)
		if err != nil {
			return err
		}
		acts, latents := make([]float32, 2), make([]int32, 2)
		return errors.Join(m.Encode(make([]float32, 8), 2, nil, acts, latents), m.Save(trainer.NewState(c)), m.Close())
	}
	beside := make(chan error)
	leave, err := b.enter()
	if err != nil {
		t.Fatal(err)
	}
	graph, err := one.q.Stream().Capture(func() error {
		go func() { beside <- use() }()
		one.enqueue()
		return errors.Join(<-beside, one.q.Err())
	})
	if err != nil {
		t.Fatal(err)
	}
	one.graph = graph
	leave()
	if err := trainTo(t, one, 4); err != nil {
		t.Error(err)
	}

	// Without a handle for it, a model waits until the capture is over.
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	one, two = start(), start()
	if err := trainTo(t, one, 2); err != nil {
		t.Fatal(err)
	}
	leave, err = b.enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if one.graph, err = one.q.Stream().Capture(func() error {
		go func() { beside <- use() }()
		one.enqueue()
		return one.q.Err()
	}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-beside, trainTo(t, one, 4), one.Close(), two.Close()); err != nil {
		t.Error(err)
	}
}

// A cuBLAS that loads and does not start is passed over. The class is the same with each.
func TestBlasThatStarts(t *testing.T) {
	starts := os.Getenv("SWEEP_EMULATE_CUBLAS")
	if starts == "" {
		for _, list := range []string{"13,12", "12,11", "11", "none"} {
			again(t, "SWEEP_EMULATE_CUBLAS="+list)
		}
		return
	}
	made, err := New(0)
	if starts == "none" {
		if err == nil {
			t.Fatal("no cuBLAS starts, and no error")
		}
		for _, want := range []string{"no cuBLAS", "libcublas.so.13: ", "libcublas.so.12: ", "libcublas.so.11: ",
			"NOT_INITIALIZED"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %q", want, err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("not one line: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	c := smallConfig()
	m, err := made.New(c, trainer.Init(c), &random{d: 8, rows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(starts, ",")
	if got, want := fmt.Sprint(m.(*model).blas.Version), version+"000"; got != want {
		t.Errorf("cuBLAS %s, want %s", got, want)
	}
	class := m.Hardware().Class
	if err := errors.Join(trainTo(t, m, 3), m.Close()); err != nil {
		t.Error(err)
	}
	if one, err := made.OfClass(class); err != nil || one != made {
		t.Errorf("its own class: %v, %v", one, err)
	}
	if _, err := made.OfClass("cuda H100 sm_90 cublas 13000"); !errors.Is(err, trainer.ErrOtherClass) ||
		!strings.Contains(err.Error(), class) {
		t.Errorf("another class: %v", err)
	}
}
