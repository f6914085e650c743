package grid

import (
	"strings"
	"testing"

	"github.com/topksweep/sweep/trainer"
)

// Whatever max_norm a grid takes, opening the data takes too, and what it refuses is no number.
func TestMaxNorm(t *testing.T) {
	for text, want := range map[string]string{
		"10x_median": "10x_median", "1_0x_median": "10x_median", "2.50x_median": "2.5x_median", "1e2x_median": "100x_median",
		`"3x_median"`: "3x_median", "60": "60", "1_000": "1000", ".5": "0.5", "1e30": "1e+30",
		"0": "", "-3": "", "0x_median": "", "x_median": "", "-1x_median": "", "ten": "", "10x": "", "10 x_median": "",
		"10x_mean": "", ".nan": "", "NaN": "", ".inf": "", "infx_median": "", `"60"`: "", "0x10": "", "[1]": "", "1e999": "",
	} {
		src := "name: x\ndata: {source: a, max_norm: " + text + "}\nparameters: {k: [4]}\n"
		g, err := Parse("g.yaml", []byte(src), ParseOptions{})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "g.yaml:2:29: data.max_norm: ") {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil || g.Data.MaxNorm != want {
			t.Errorf("%s: %+v, %v", text, g, err)
			continue
		}
		norm, medians, err := trainer.ParseMaxNorm(g.Data.MaxNorm)
		if err != nil || !(norm+medians > 0) || norm*medians != 0 {
			t.Errorf("%s: %v, %v, %v", text, norm, medians, err)
		}
	}
}

// What is the default is not stored: plans without it are those of before.
func TestVerify(t *testing.T) {
	for text, want := range map[string]string{"whole": "", "sample": "sample"} {
		src := "name: x\ndata: {source: a, verify: " + text + "}\nparameters: {k: [4]}\n"
		g, err := Parse("g.yaml", []byte(src), ParseOptions{})
		if err != nil || g.Data.Verify != want {
			t.Errorf("%s: %+v, %v", text, g, err)
		}
	}
}
