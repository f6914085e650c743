package grid

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// spell writes the number digits · 10^exp in one of the many ways in which people may write it.
func spell(r *rand.Rand, digits string, exp int) string {
	digits += strings.Repeat("0", r.IntN(3))
	exp -= len(digits) - len(strings.TrimRight(digits, "0"))
	if strings.Trim(digits, "0") == "" {
		exp = 0
	}
	point := r.IntN(len(digits) + 1) // digits before the point
	whole, rest := digits[:point], digits[point:]
	exp += len(rest)
	if len(whole) > 1 && whole[0] == '0' {
		whole = "0"
	}
	if whole == "" && r.IntN(2) == 0 {
		whole = "0"
	}
	for i := len(whole) - 1; i > 0; i-- {
		if r.IntN(4) == 0 {
			whole = whole[:i] + "_" + whole[i:]
		}
	}
	text := whole
	if rest != "" || r.IntN(3) == 0 {
		text += "." + rest
	}
	if exp != 0 || r.IntN(3) == 0 {
		text += []string{"e", "E", "e+", "E+"}[r.IntN(4)] + fmt.Sprint(exp)
		text = strings.NewReplacer("+-", "-").Replace(text)
	}
	sign := []string{"", "", "+"}
	if strings.Trim(digits, "0") == "" {
		sign = append(sign, "-", "-")
	}
	return sign[r.IntN(len(sign))] + text
}

// Every spelling of a number is the same value: the same text, and the same cell ID. In one axis the two are the same
// value twice.
func TestSpellings(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	type number struct {
		digits string
		exp    int
	}
	of := map[string][]number{
		"auxk_alpha":             {{"0", 0}, {"3125", -5}, {"1", -12}, {"1", 9}, {"123456789", -9}, {"2", 0}},
		"lr":                     {{"2", -4}, {"1", -3}, {"30000001", -10}, {"5", -324}, {"1", 0}},
		"threshold_beta":         {{"0", 0}, {"999", -3}, {"1", 0}, {"5", -1}, {"9999999", -7}},
		"decay_start":            {{"0", 0}, {"5", -1}, {"7", 2}, {"25", -2}, {"8", 0}},
		"warmup_steps":           {{"0", 0}, {"5", -1}, {"1", -1}, {"7", 0}},
		"k":                      {{"1", 0}, {"16", 0}, {"3", 1}},
		"k_aux":                  {{"1", 0}, {"2", 1}},
		"dict_size":              {{"512", 0}, {"1", 4}, {"32768", 0}},
		"steps":                  {{"1", 3}, {"12345", 0}},
		"batch_size":             {{"2048", 0}, {"1", 0}},
		"threshold_start_step":   {{"0", 0}, {"1", 3}},
		"dead_feature_threshold": {{"1", 7}, {"12345678901", 0}},
		"seed":                   {{"0", 0}, {"9007199254740993", 0}, {"1", 2}},
	}
	for _, f := range trainer.Fields() {
		if f.Kind != trainer.Word && f.Kind != trainer.File && !f.FromData && of[f.Key] == nil {
			t.Errorf("no numbers for %s", f.Key)
		}
	}
	one := func(key, text string) ([]Cell, error) {
		rest := "recipe: upstream, "
		if key != "steps" {
			rest += "steps: 1000, "
		}
		g, err := Parse("grid.yaml", []byte("name: a\ndata: {source: acts}\ntrain: {"+rest+"}\n"+
			"parameters: {"+key+": ["+text+"]}\n"), ParseOptions{})
		if err != nil {
			return nil, err
		}
		return g.Cells(trainer.DataInfo{Dim: 64, Fingerprint: "f00d", Rows: 1000, EvalRows: 100})
	}
	accepted := 0
	for key, numbers := range of {
		for _, n := range numbers {
			plain, err := one(key, n.digits+"e"+fmt.Sprint(n.exp))
			if err != nil && n.exp == 0 {
				plain, err = one(key, n.digits)
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", key, n.digits, err)
			}
			for range 300 {
				text := spell(r, n.digits, n.exp)
				cells, err := one(key, text)
				if err != nil { // 800.0 is no step, and 1.5e1 no whole number above 2^53
					continue
				}
				accepted++
				if cells[0].ID != plain[0].ID {
					t.Fatalf("%s: %s is another cell than %se%d: %+v, %+v",
						key, text, n.digits, n.exp, cells[0].Config, plain[0].Config)
				}
				both, err := one(key, n.digits+"e"+fmt.Sprint(n.exp)+", "+text)
				if err == nil && len(both) != 1 {
					t.Fatalf("%s: [%se%d, %s] are %d cells", key, n.digits, n.exp, text, len(both))
				}
			}
		}
	}
	if accepted < 5000 {
		t.Errorf("only %d spellings were accepted: the test shows little", accepted)
	}
}

// The numbers of synthetic data are the same in every spelling too: they are hashed into the fingerprint.
func TestSpellingsOfData(t *testing.T) {
	read := func(noise, zipf, active string) string {
		g, err := Parse("grid.yaml", []byte("name: a\ndata: {synthetic: {activation_dim: 8, directions: 16, tokens: 1e3, "+
			"active: "+active+", noise: "+noise+", zipf: "+zipf+"}}\nparameters: {k: 2}\n"), ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(g.Data)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	want := read("0", "0", "2")
	for _, zero := range []string{"-0", "-0.0", "+0", ".0", "0.", "-0e5", "-.0E-3"} {
		if got := read(zero, zero, "+2.0"); got != want {
			t.Errorf("noise %s: %s, want %s", zero, got, want)
		}
	}
}

// A number that float64 would hold as 0 is not 0, and 0 is never -0.
func TestZero(t *testing.T) {
	for _, text := range []string{"0", "-0", "-0.0", "+0", "-0e5", "-.0", "0e-999"} {
		if x, err := parseFloat(text); err != nil || math.Signbit(x) || x != 0 {
			t.Errorf("%s: %v, %v", text, x, err)
		}
	}
	for _, text := range []string{"1e-400", "-1e-400", "0.1E-999", "-3_0e-500"} {
		if x, err := parseFloat(text); err == nil || !strings.Contains(err.Error(), "too close to 0") {
			t.Errorf("%s: %v, %v", text, x, err)
		}
	}
}
