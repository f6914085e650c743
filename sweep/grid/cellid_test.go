package grid

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// A Hasher gives the IDs that encoding/json gives, whatever the settings are.
func TestHasher(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	floats := []float64{0, 1, -1, 0.1, 1e-6, 9.99e-7, 1e-7, 1.5e-9, 1e-10, 1e20, 1e21, 1e22, 1e100, 1e-100, 5e-324,
		math.MaxFloat64, math.Copysign(0, -1)}
	texts := []string{"", "corrected", "bf16", strings.Repeat("0f", 32), "<&>", "é\u2028\"\\\n\xff", "a b"}
	for range 2000 {
		var c trainer.Config
		v := reflect.ValueOf(&c).Elem()
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Float64:
				x := floats[r.IntN(len(floats))]
				if r.IntN(2) == 0 {
					x = math.Exp(100 * r.NormFloat64())
				}
				f.SetFloat(x)
			case reflect.String:
				f.SetString(texts[r.IntN(len(texts))])
			default:
				f.SetInt(r.Int64N(1<<r.IntN(62)+1) - r.Int64N(2))
			}
		}
		semantics, fingerprint := 1+r.IntN(3), texts[r.IntN(len(texts))]
		if got, want := NewHasher(semantics, fingerprint).ID(&c), CellIDAt(semantics, c, fingerprint); got != want {
			t.Fatalf("%+v: %s, want %s", c, got, want)
		}
	}
}

// The cells of a grid take little memory beside what they are.
func TestAllocationsOfCells(t *testing.T) {
	h := NewHasher(trainer.SemanticsVersion, "f00d")
	c := trainer.Config{Recipe: "corrected", DictSize: 64, LR: 1e-7, Precision: "f32"}
	if n := testing.AllocsPerRun(100, func() { h.ID(&c) }); n > 2 {
		t.Errorf("an ID takes %v allocations", n)
	}
}
