package grid

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// TestIndependentFields compares independentFields with Validate: a change of one of them, within its own bounds, must
// not change the errors of any setting.
func TestIndependentFields(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newSchema()
	random := func(f trainer.Field) any {
		for {
			var v any
			switch f.Kind {
			case trainer.File:
				v = []string{"", strings.Repeat("0f", 32)}[r.IntN(2)]
			case trainer.Word:
				v = f.Words[r.IntN(len(f.Words))]
			case trainer.Float:
				v = math.Pow(10, 8*r.Float64()-6) * float64(r.IntN(2))
			default:
				v = int64(math.Pow(10, 9*r.Float64())) * int64(r.IntN(2))
			}
			if f.Check(v) == nil {
				return v
			}
		}
	}
	wrong := 0
	for range 3000 {
		var c trainer.Config
		for _, f := range s.fields {
			f.Set(&c, random(f))
		}
		for _, key := range independentFields() {
			i, ok := s.index[key]
			if !ok {
				t.Fatalf("%s is not a field", key)
			}
			changed := c
			s.fields[i].Set(&changed, random(s.fields[i]))
			before, after := c.Validate(), changed.Validate()
			if !reflect.DeepEqual(before, after) {
				t.Fatalf("%s: %v became %v: it is not independent", key, before, after)
			}
			wrong += len(before)
		}
	}
	if wrong == 0 {
		t.Error("no setting broke a rule: the test shows nothing")
	}
}
