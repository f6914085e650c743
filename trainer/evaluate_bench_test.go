package trainer_test

import (
	"fmt"
	"testing"

	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
)

// BenchmarkEvaluate compares the evaluation of held-out rows with encoding them.
func BenchmarkEvaluate(b *testing.B) {
	for _, shape := range [][3]int{{512, 8192, 32}, {512, 32768, 100}} { // D, F, K
		for _, dead := range []int{0, 5} {
			b.Run(fmt.Sprintf("D=%d/F=%d/K=%d/dead=%d%%", shape[0], shape[1], shape[2], 4*dead), func(b *testing.B) {
				c := trainer.Config{
					Recipe: "corrected", ActivationDim: shape[0], DictSize: shape[1], K: shape[2], BatchSize: 1024,
					Steps: 10, DeadFeatureThreshold: 10, Precision: "f32",
				}.Resolve()
				s := trainer.Init(c)
				for f := range c.DictSize {
					if f%25 < dead {
						s.SinceFired[f] = 11
					}
				}
				m, err := cpu.New(0).New(c, s, nil)
				if err != nil {
					b.Fatal(err)
				}
				defer m.Close()
				data := &noise{d: c.ActivationDim, rows: 8 * 1024}
				for b.Loop() {
					if _, err := trainer.Evaluate(b.Context(), m, c, s, data); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
