package scaling

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

const timed = `cell,k,dict_size,activation_dim,batch_size,steps,tokens,` +
	`flops_executed,wall_seconds,device_seconds,steps_shared,peak_bytes,class,device,status
a,8,512,64,100,10,1000,1e9,5,5,0,1000,cpu-avx2,old,completed
b,8,1024,64,100,10,1000,135168000,2,2,0,200000,cpu-avx512,new,completed
c,16,1024,64,100,10,1000,139264000,2,1,10,300000,cpu-avx512,new,completed
d,16,4096,64,100,10,1000,,,,,,,,failed
`

// The time is that of the largest runs: (135,168,000 + 139,264,000) operations in 4 s, each 2·D·F + 8·D·k a token.
func TestCost(t *testing.T) {
	c, why := CostOf(readCSV(t, timed), CostQuestion{K: 32, DictSize: 2048})
	if c == nil {
		t.Fatal(why)
	}
	executed := 1000.0 * (2*64*2048 + 8*64*32)
	for name, v := range map[string][2]float64{
		"tokens": {float64(c.Tokens), 1000}, "steps": {float64(*c.Steps), 10},
		"params": {c.Params, 2*64*2048 + 2048 + 64}, "flops": {c.Flops, 12 * 64 * 2048 * 1000},
		"executed": {*c.FlopsExecuted, executed}, "seconds": {*c.DeviceSeconds, executed / (274_432_000.0 / 4)},
		"bytes": {*c.PeakBytes, math.Ceil(300000.0 * (2*64*2048 + 2048 + 64) / (2*64*1024 + 1024 + 64))},
	} {
		if !(math.Abs(v[0]-v[1]) <= 1e-9*v[1]) {
			t.Errorf("%s: %v, want %v", name, v[0], v[1])
		}
	}
	assumes := strings.Join(c.Assumes, "\n")
	if *c.Device != "new" || *c.Class != "cpu-avx512" || !strings.Contains(assumes, "2 largest runs") {
		t.Errorf("got %+v", c)
	}
	if c, _ := CostOf(readCSV(t, timed), CostQuestion{K: 32, DictSize: 2048, Steps: 7}); c.Tokens != 700 {
		t.Errorf("7 steps are %d tokens", c.Tokens)
	}
	if c, _ := CostOf(readCSV(t, timed), CostQuestion{K: 32, DictSize: 2048, Tokens: 701}); *c.Steps != 8 {
		t.Errorf("701 tokens are %d steps", *c.Steps)
	}
}

// What is not known is nil, with a reason.
func TestCostNotKnown(t *testing.T) {
	for _, c := range []struct {
		csv  string
		q    CostQuestion
		want string // "" where only the time is not known
	}{
		{"k,dict_size,nmse\n8,512,0.3\n", CostQuestion{K: 8, DictSize: 512}, "no activation_dim"},
		{"activation_dim,k,dict_size,nmse\n64,8,512,0.3\n128,8,512,0.3\n", CostQuestion{K: 8, DictSize: 512}, "or several"},
		{"activation_dim,k,dict_size\n64,8,512\n", CostQuestion{K: 8, DictSize: 512}, "give --tokens"},
		{"activation_dim,k,dict_size\n64,8,512\n", CostQuestion{K: 8, DictSize: 512, Steps: 4}, "batch_size"},
		{timed, CostQuestion{K: 8, DictSize: 512, Steps: math.MaxInt64}, "more tokens"},
		{"activation_dim,k,dict_size,status\n64,8,512,failed\n", CostQuestion{K: 8, DictSize: 512}, "no activation_dim"},
		{"activation_dim,k,dict_size,tokens\n64,8,512,1000\n", CostQuestion{K: 8, DictSize: 512}, ""},
		{"activation_dim,k,dict_size,tokens,flops_executed,device_seconds,steps_shared\n64,8,512,1000,1e9,4,10\n",
			CostQuestion{K: 8, DictSize: 512}, ""},
		{"activation_dim,k,dict_size,tokens,flops_executed,wall_seconds\n64,8,512,1000,1e9,0\n",
			CostQuestion{K: 8, DictSize: 512}, ""},
		{"activation_dim,k,dict_size,tokens\n1e300,8,512,1000\n", CostQuestion{K: 8, DictSize: 512}, "no activation_dim"},
		{"activation_dim,k,dict_size,tokens\n64.5,8,512,1000\n", CostQuestion{K: 8, DictSize: 512}, "no activation_dim"},
		{"activation_dim,k,dict_size,tokens\n64,8,1e300,1000\n", CostQuestion{K: 8, DictSize: 512}, "no activation_dim"},
	} {
		got, why := CostOf(readCSV(t, c.csv), c.q)
		if c.want != "" {
			if got != nil || !strings.Contains(why, c.want) {
				t.Errorf("%q: %+v, %s; want %s", c.csv, got, why, c.want)
			}
			continue
		}
		if got == nil || got.DeviceSeconds != nil || got.FlopsExecuted != nil || got.PeakBytes != nil ||
			!strings.Contains(strings.Join(got.Assumes, "\n"), "not known") {
			t.Errorf("%q: %+v, %s", c.csv, got, why)
		}
	}
}

// Whatever the columns hold, a cost has finite numbers only, and a reason for those that are not known.
func TestCostFinite(t *testing.T) {
	columns := strings.Split("k,dict_size,activation_dim,batch_size,tokens,flops_executed,wall_seconds,peak_bytes", ",")
	plain := strings.Split("8,512,64,100,1000,1e9,2,4096", ",")
	for i, name := range columns {
		for _, v := range []string{"1e300", "1e308", "1e-300", "5e-324", "0", "-1", "0.5", "NaN", "Inf"} {
			row := slices.Clone(plain)
			row[i] = v
			// A third row makes sums of two such values.
			csv := strings.Join([]string{
				strings.Join(columns, ","), strings.Join(plain, ","), strings.Join(row, ","), strings.Join(row, ","), "",
			}, "\n")
			c, why := CostOf(readCSV(t, csv), CostQuestion{K: 16, DictSize: math.MaxInt64, Tokens: math.MaxInt64})
			if c == nil {
				t.Errorf("%s=%s: %s", name, v, why)
				continue
			}
			if _, err := json.Marshal(c); err != nil {
				t.Errorf("%s=%s: %v", name, v, err)
			}
			assumes := strings.Join(c.Assumes, "\n")
			if c.DeviceSeconds == nil && !strings.Contains(assumes, "the time and the memory are not known") {
				t.Errorf("%s=%s: no reason for no time: %s", name, v, assumes)
			}
		}
	}
	c, _ := CostOf(readCSV(t, strings.Replace(timed, "300000", "1e308", 1)), CostQuestion{K: 32, DictSize: 8192})
	if c.DeviceSeconds == nil || c.PeakBytes != nil ||
		!strings.Contains(strings.Join(c.Assumes, "\n"), "the memory is not known") {
		t.Errorf("got %+v", c)
	}
}
