package observe_test

import (
	"testing"

	"github.com/topksweep/sweep/sweep/observe"
)

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		host, backend string
		slots         int
		want          string
	}{
		{"gpu-7", "cuda", 8, "4711@gpu-7 (cuda, 8 slots)"},
		{"gpu-7", "cpu", 1, "4711@gpu-7 (cpu, 1 slot)"},
		{"node (rack 3) (cpu, 9 slots)", "cpu", 2, "4711@node (rack 3) (cpu, 9 slots) (cpu, 2 slots)"},
		{"a@b", "cpu", 2, "4711@a@b (cpu, 2 slots)"},
		{"ρηχός", "cpu", 2, "4711@ρηχός (cpu, 2 slots)"},
	} {
		got := observe.Identity(4711, c.host, c.backend, c.slots)
		if got != c.want {
			t.Errorf("the identity is %q, want %q", got, c.want)
		}
		host, backend, slots, ok := observe.ParseIdentity(got)
		if host != c.host || backend != c.backend || slots != c.slots || !ok {
			t.Errorf("%q is read as %q, %q, %d, %v", got, host, backend, slots, ok)
		}
	}
	if host, _, _, ok := observe.ParseIdentity(observe.Identity(1, "", "cpu", 1)); host != "unknown" || !ok {
		t.Errorf("a host that is not known is read as %q, %v", host, ok)
	}
}

func TestIdentityOfAnotherForm(t *testing.T) {
	for _, identity := range []string{
		"", "@", "recorded", "4711@gpu-7", "4711@gpu-7@", "4711@gpu-7@default-worker-tq", "4711@gpu-7 (cuda)",
		"4711@gpu-7 (cuda, 8)", "4711@gpu-7 (cuda, 0 slots)", "4711@gpu-7 (cuda, -1 slots)",
		"4711@gpu-7 (cuda, 8 slots", "4711@gpu-7 (cuda, 8 slots) ", "4711@gpu-7 (, 8 slots)", "4711@ (cuda, 8 slots)",
		"@gpu-7 (cuda, 8 slots)", "x@gpu-7 (cuda, 8 slots)", "4711@gpu-7(cuda, 8 slots)", "4711@gpu-7 (cuda, 8  slots)",
		"4711@gpu-7 (cuda, 08 slots)", "4711@gpu-7 (cuda, +8 slots)", "4711@gpu-7 (cuda, 8 slots, 9 slots)",
		"4711@gpu-7 (cuda, 99999999999999999999 slots)", "-1@gpu-7 (cuda, 8 slots)", "4711@gpu-7 (cu da, 8 slots)",
	} {
		if host, backend, slots, ok := observe.ParseIdentity(identity); ok || host != "" || backend != "" || slots != 0 {
			t.Errorf("%q is read as %q, %q, %d, %v", identity, host, backend, slots, ok)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add("4711@gpu-7 (cuda, 8 slots)")
	f.Add("1@h (cpu, 1 slot)")
	f.Add("1@h (x) (cpu, 1 slots)")
	f.Add("4711@gpu-7@queue")
	f.Fuzz(func(t *testing.T, identity string) {
		host, backend, slots, ok := observe.ParseIdentity(identity)
		if !ok {
			if host != "" || backend != "" || slots != 0 {
				t.Errorf("%q is refused, with %q, %q, %d", identity, host, backend, slots)
			}
			return
		}
		if host == "" || backend == "" || slots < 1 {
			t.Errorf("%q is read as %q, %q, %d", identity, host, backend, slots)
		}
		again := observe.Identity(1, host, backend, slots)
		if h, b, n, ok := observe.ParseIdentity(again); h != host || b != backend || n != slots || !ok {
			t.Errorf("%q is read as %q, %q, %d; written as %q, it is read as %q, %q, %d, %v",
				identity, host, backend, slots, again, h, b, n, ok)
		}
	})
}
