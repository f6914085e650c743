package grid

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestHostile reads files that would take a lot of time or memory. Each must be refused. Where it is not, the test runs
// into the time limit of go test.
func TestHostile(t *testing.T) {
	const size = 1 << 18
	const head = "name: a\ndata: {source: acts}\n"
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	stairs := func(step string) string {
		var b strings.Builder
		for i := 0; b.Len() < size; i++ {
			b.WriteString(strings.Repeat(step, i) + "a:\n")
		}
		return b.String()
	}
	laughs := "a: &a0 [x, x]\n"
	for i := range 60 {
		laughs += fmt.Sprintf("b%d: &a%d [*a%d, *a%d]\n", i, i+1, i, i)
	}
	merges := "m: &m {" + numbered("k%d: 1, ", 900) + "}\n" +
		"parameters: {<<: [" + strings.Repeat("*m, ", 100_000) + "]}\n"
	lowStairs := strings.TrimSuffix(numbered("%[1]*[1]sa:\n", 100), "\n") + "\n"
	pairs := numbered("{k: %d}, ", 10_000)
	for name, src := range map[string]string{
		"too large":         head + strings.Repeat("#", MaxBytes),
		"open brackets":     fill("["),
		"open braces":       fill("{a: "),
		"brackets":          "a: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"dashes":            fill("- "),
		"dashes in a map":   "a:\n  " + fill("- "),
		"question marks":    fill("? "),
		"colons":            fill("a: "),
		"bangs":             "a: " + fill("!!a "),
		"ampersands":        "a: " + fill("&a "),
		"stars":             fill("*a "),
		"ampersand lines":   fill("&a\n"),
		"star lines":        fill("*a\n"),
		"bang lines":        fill("!!a\n"),
		"question lines":    fill("?\n"),
		"dash lines":        fill("-\n"),
		"colon lines":       fill(":\n"),
		"flow ampersands":   "a: [" + fill("&a ") + "]",
		"flow colons":       "a: {" + fill("a: ") + "}",
		"flow bangs":        "a: [" + fill("!!a\n ") + "]",
		"dash key lines":    fill("- a:\n"),
		"null maps":         "a: [" + fill("{a: }, ") + "]",
		"word maps":         "a: [" + fill("{a}, ") + "]",
		"anchored words":    "a: [" + fill("{&a a}, ") + "]",
		"tagged words":      "a: [" + fill("!!str , ") + "]",
		"stairs":            stairs(" "),
		"steep stairs":      stairs("  "),
		"low stairs":        head + strings.Repeat(lowStairs, 150),
		"keys":              head + numbered("k%d: 1\n", 25_000),
		"flow keys":         head + "run: {" + numbered("k%d: 1, ", 25_000) + "}\n",
		"flow words":        head + "run: {" + numbered("k%d, ", 30_000) + "}\n",
		"maps":              head + "run: [" + fill("{a: 1}, ") + "]\n",
		"documents":         fill("---\n"),
		"documents of keys": fill("---\na: 1\n"),
		"directives":        fill("%YAML 1.2\n"),
		"laughs":            head + laughs,
		"merges":            head + merges,
		"long key":          head + fill("k") + ": 1\n",
		"long number":       head + "parameters: {k: " + fill("9") + "}\n",
		"long fraction":     head + "parameters: {decay_start: 0." + fill("9") + "}\n",
		"axis":              head + "parameters: {k: [" + numbered("%d, ", 30_000) + "]}\n",
		"equal values":      head + "parameters: {k: [" + fill("8, ") + "]}\n",
		"block axis":        head + "parameters:\n  k:\n" + fill("  - 8\n"),
		"two axes": head + "parameters: {k: [" + numbered("%d, ", 12_000) + "], " +
			"dict_size: [" + numbered("%d, ", 12_000) + "]}\n",
		"conflicts": head + "parameters: {dict_size: [" + numbered("%d, ", 999) + "], " +
			"k: [" + numbered("1%d, ", 999) + "]}\n",
		"unknown excludes": head + "parameters: {k: [1, 2]}\nexclude: [" + fill("{kk: 1}, ") + "]\n",
		"excludes":         head + "parameters: {k: [" + numbered("%d, ", 10_000) + "0]}\nexclude: [" + pairs + "]\n",
		"includes":         head + "train: {k: 0}\ninclude: [" + fill("{k: 1}, ") + "]\n",
		"block includes":   head + "train: {k: 0}\ninclude:\n" + fill("- k: 1\n  seed: 2\n"),
		"zips":             head + "parameters: {k: [1, 2]}\nzip: [" + fill("[k, k], ") + "]\n",
		"quoted":           head + "run: \"" + fill("\\u0041") + "\"\n",
		"open quote":       head + "run: \"" + fill("\\n"),
		"folded":           head + "run: >\n" + fill("  a\n"),
		"lines":            head + "run: " + fill("a\n  "),
		"comments":         fill("# a\n"),
		"spaces":           fill(" "),
		"carriage returns": fill("\r"),
		"tabs":             fill("\t"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("grid.yaml", []byte(src), ParseOptions{})
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("error %v", err)
			}
			if n := len(errs.Error()); n > 100_000 {
				t.Errorf("the message has %d bytes", n)
			}
			checkErrors(t, []byte(src), errs)
		})
	}
}
