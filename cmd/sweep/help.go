package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/topksweep/sweep/sweep/table"
)

// maxHelp is the number of columns beyond which lines of help get no longer: sentences are hard to read there.
const maxHelp = 100

// fitHelp makes the help of a command and its verbs fit a terminal of some columns. With 0 columns, as for a file, it
// stays as it is.
func fitHelp(root *cobra.Command, columns int) {
	if columns <= 0 {
		return
	}
	write := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		var b bytes.Buffer
		out := c.OutOrStdout()
		c.SetOut(&b)
		write(c, args)
		c.SetOut(out)
		io.WriteString(out, fitText(b.String(), min(columns, maxHelp))) // an environment's output remembers its errors
	})
}

// fitText breaks the lines of help anew. Lines of a sentence and of an item, which begins with "- ", are joined first.
// An indented line of one column stays as it is: it is a command or a grid, to be copied.
func fitText(text string, columns int) string {
	var out strings.Builder
	var item, hang string // what is joined so far, and what stands before its second line
	flush := func() {
		if item != "" {
			out.WriteString(table.Wrap(columns, "", hang, item))
		}
		item = ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		trimmed := strings.TrimLeft(line, " ")
		indented := trimmed != line
		switch {
		case trimmed == "":
			flush()
			out.WriteString("\n")
		case item != "" && (indented == (hang != "")) && !strings.HasPrefix(line, "- "):
			item += " " + trimmed
		case !indented:
			flush()
			item, hang = line, ""
			if strings.HasPrefix(line, "- ") {
				hang = "  "
			}
		default:
			flush()
			if strings.Contains(trimmed, "  ") {
				line = table.Fold(line, columns)
			}
			out.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	flush()
	return out.String()
}
