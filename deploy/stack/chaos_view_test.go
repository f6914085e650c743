//go:build unix

package stack_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A view is a working directory of processes. The source of the chaos sweep is a path that each process sees in its own
// working directory, where the system has such paths (Linux), as mounts differ between machines.

// chaosView writes a view with the data of the chaos sweep, and returns its path.
func chaosView(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "acts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "acts", "a.npy"), chaosShard(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// chaosShard is a shard of 20,000 rows of 32 float32, each the sum of 4 of 64 directions with some noise.
func chaosShard() []byte {
	const rows, dim, directions, active = 20000, 32, 64, 4
	r := rand.New(rand.NewPCG(1, 2))
	dirs := make([][]float64, directions)
	for i := range dirs {
		dirs[i] = make([]float64, dim)
		for j := range dirs[i] {
			dirs[i][j] = r.NormFloat64() / math.Sqrt(dim)
		}
	}
	head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	for (10+len(head)+1)%64 != 0 {
		head += " "
	}
	head += "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), byte(len(head)>>8))
	b = append(b, head...)
	row := make([]float64, dim)
	for range rows {
		for j := range row {
			row[j] = 0.05 * r.NormFloat64() / math.Sqrt(dim)
		}
		for range active {
			of, a := dirs[r.IntN(directions)], r.ExpFloat64()
			for j := range row {
				row[j] += a * of[j]
			}
		}
		for _, v := range row {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
	}
	return b
}
