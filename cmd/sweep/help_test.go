package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/table"
)

// Help fits a terminal, without another word. What is to be copied, an indented line of one column, is not broken.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	var verbs func(c *cobra.Command) [][]string
	verbs = func(c *cobra.Command) (all [][]string) {
		for _, sub := range c.Commands() {
			all = append(append(all, strings.Fields(sub.CommandPath())[1:]), verbs(sub)...)
		}
		return all
	}
	help := func(verb []string, width int) string {
		var out bytes.Buffer
		env := &environment{out: &out, errOut: &out, width: width}
		if status := execute(t.Context(), env, append(slices.Clone(verb), "--help")); status != exitOK {
			t.Fatalf("%v: status %d: %s", verb, status, out.String())
		}
		return out.String()
	}
	for _, verb := range append(verbs(newRootCommand(&environment{})), []string{}) {
		whole := help(verb, 0)
		for _, width := range []int{60, 80, 200} {
			fit := help(verb, width)
			if !slices.Equal(strings.Fields(fit), strings.Fields(whole)) {
				t.Errorf("%v: other words at %d columns:\n%s", verb, width, fit)
			}
			for line := range strings.Lines(fit) {
				line = strings.TrimRight(line, "\n")
				text := strings.TrimLeft(line, " ")
				copied := text != line && !strings.Contains(text, "  ")
				if table.Width(line) > width && !copied {
					t.Errorf("%v: at %d columns: %s", verb, width, line)
				}
			}
		}
	}
}

// Sentences and items are joined before they are broken; grids and commands stay as they are.
func TestFitText(t *testing.T) {
	t.Parallel()
	const text = `One sentence of
two lines.

- an item of
  two lines;
- another one.

  data: {synthetic: {activation_dim: 32}}

Flags:
      --dir path   the state directory of the program
`
	const want = `One sentence of two lines.

- an item of two lines;
- another one.

  data: {synthetic: {activation_dim: 32}}

Flags:
      --dir path   the state
          directory of the
          program
`
	if got := fitText(text, 32); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
