//go:build cuda

package kernels

import (
	"regexp"
	"testing"
)

// TestPTXIsExact finds what is not: no operation on floats leaves a choice to the GPU or to its compiler,
// so that all GPUs give equal bits. A sum or a product that does not say how it is rounded may be
// fused with another one.
func TestPTXIsExact(t *testing.T) {
	// Sums, products, quotients and roots must round to the nearest; conversions too, where they round.
	float := regexp.MustCompile(`(?m)^\s*(?:@\S+\s+)?(([a-z0-9_]+)((?:\.[a-z0-9_]+)*)\.(f16|f32|f64))\b[^;]*;`)
	loose := regexp.MustCompile(`(?m)^.*\.(?:approx|ftz|full|atom[^;]*add[^;]*f(?:32|64)|red[^;]*f(?:32|64)).*$`)
	rounds := map[string]bool{
		"add": true, "sub": true, "mul": true, "fma": true, "mad": true, "div": true, "rcp": true, "sqrt": true,
	}
	exact := map[string]bool{
		"abs": true, "neg": true, "mov": true, "ld": true, "st": true, "max": true, "min": true, "selp": true, "setp": true,
		"cvt": true,
	}
	nearest := regexp.MustCompile(`\.rn(\.|$)`)
	for file := range kernelsOf() {
		text, err := ptx.ReadFile("ptx/" + file + ".ptx")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range loose.FindAllString(string(text), -1) {
			t.Errorf("%s: %s", file, line)
		}
		n := 0
		for _, m := range float.FindAllStringSubmatch(string(text), -1) {
			n++
			switch name, how := m[2], m[3]; {
			case rounds[name] && !nearest.MatchString(how), !rounds[name] && !exact[name]:
				t.Errorf("%s: %s", file, m[1])
			}
		}
		if n == 0 && file != "gather" && file != "group" && file != "fired" {
			t.Errorf("%s: no operation on floats found", file)
		}
	}
}
