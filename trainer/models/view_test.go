package models

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// Readers at several places of one transposed matrix, at once, get its bytes.
func TestTransposedAtOnce(t *testing.T) {
	const rows, cols = 300, 700
	v := make([]float32, rows*cols)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range v {
		v[i] = r.Float32()
	}
	want, err := io.ReadAll(io.NewSectionReader(floats(turned(v, rows, cols)), 0, 4*rows*cols))
	if err != nil {
		t.Fatal(err)
	}
	for c := range cols {
		for r := range rows {
			at := 4 * (c*rows + r)
			if got := math.Float32frombits(binary.LittleEndian.Uint32(want[at:])); got != v[r*cols+c] {
				t.Fatalf("row %d, column %d: %v, not %v", r, c, got, v[r*cols+c])
			}
		}
	}
	body := newTransposed(v, rows, cols)
	body.block = 16 // several blocks, of which some are dropped
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			from := int64(i * 1000)
			got, err := io.ReadAll(io.NewSectionReader(body, from, body.size()-from))
			if err != nil || !bytes.Equal(got, want[from:]) {
				t.Errorf("reader %d: %v, or other bytes", i, err)
			}
		})
	}
	group.Wait()
}

// BenchmarkTransposed reads matrices as io.Copy does it.
func BenchmarkTransposed(b *testing.B) {
	for _, size := range [][2]int{{32768, 768}, {4096, 4096}, {1 << 18, 256}} {
		v := make([]float32, size[0]*size[1])
		for name, body := range map[string]io.ReaderAt{
			"straight": floats(v), "transposed": newTransposed(v, size[0], size[1]),
		} {
			b.Run(fmt.Sprint(name, size), func(b *testing.B) {
				b.SetBytes(4 * int64(len(v)))
				buf := make([]byte, 32<<10)
				for b.Loop() {
					for off := int64(0); off < 4*int64(len(v)); off += int64(len(buf)) {
						if _, err := body.ReadAt(buf, off); err != nil && err != io.EOF {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
