package cpu_test

import (
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// What /proc/cpuinfo says that the processor has, the dispatch must find: else the
// tests of a path would be passed over in silence.
func TestPathsFound(t *testing.T) {
	if os.Getenv(cpu.PathVariable) != "" {
		t.Skip(cpu.PathVariable + " is set")
	}
	type need struct {
		arch  string // any if empty
		flags []string
	}
	needs := map[string]need{
		"portable":   {},
		"neon":       {"arm64", nil},
		"avx2":       {"amd64", []string{"avx2", "fma"}},
		"avx512":     {"amd64", []string{"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}},
		"avx512vnni": {"amd64", []string{"avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}},
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	if m := regexp.MustCompile(`(?m)^flags\s*:(.*)$`).FindSubmatch(info); m != nil {
		flags = strings.Fields(string(m[1]))
	}
	for _, path := range cpu.Paths() {
		n, known := needs[path]
		if !known {
			t.Errorf("path %s: this test does not know what it needs", path)
		}
		has := n.arch == "" || n.arch == runtime.GOARCH
		for _, f := range n.flags {
			has = has && slices.Contains(flags, f)
		}
		t.Setenv(cpu.PathVariable, path)
		c := trainer.Config{Recipe: "corrected", ActivationDim: 1, DictSize: 1, K: 1, KAux: 1, BatchSize: 1}
		if _, err := cpu.New(1).New(c, trainer.NewState(c), nil); (err == nil) != has {
			t.Errorf("path %s: error %v, but the processor has what it needs: %v", path, err, has)
		}
		if !has {
			t.Logf("path %s: not on this processor, not tested", path)
		}
	}
}
