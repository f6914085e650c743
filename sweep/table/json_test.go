package table

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
)

// Values are written as encoding/json writes them, and one after the other of a column as well.
func TestJSONValues(t *testing.T) {
	values := []any{
		nil, int64(0), int64(-7), int64(math.MaxInt64), 0.0, math.Copysign(0, -1), 1.0, -2.5, 1e-6, 9.99e-7, 1e20, 1e21, 1e22,
		math.MaxFloat64, math.SmallestNonzeroFloat64, "", "a", "a", "<&>\u2028\"\\\n", "\xff", []int64{}, []int64{1, 2},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		if x := math.Float64frombits(random.Uint64()); finite(x) != nil {
			values = append(values, x, float64(float32(x)), random.NormFloat64())
		}
	}
	var last jsonText
	for _, v := range values {
		want, err := json.Marshal(v)
		if f, ok := v.(float64); ok && math.IsInf(f, 0) {
			want, err = []byte("null"), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := last.write(&b, v); err != nil || !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%v: %s, %v, want %s", v, b.Bytes(), err, want)
		}
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		var b bytes.Buffer
		if err := last.write(&b, x); err != nil || b.String() != "null" {
			t.Errorf("%v: %s, %v", x, b.Bytes(), err)
		}
	}
}
