package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// updateDetails shows the progress of the sweep in the Web UI, in Markdown. It adds nothing to the history.
func (s *state) updateDetails(ctx workflow.Context) {
	var b strings.Builder
	b.WriteString(fmt.Sprintf("**%d of %d runs done**", s.Completed, s.Cells))
	for _, n := range []struct {
		count int
		what  string
	}{{s.Reused, "reused"}, {s.Failed, "failed"}, {s.Canceled, "canceled"}} {
		if n.count > 0 {
			b.WriteString(fmt.Sprintf(", %d %s", n.count, n.what))
		}
	}
	if len(s.labels) > 0 {
		b.WriteString("\n\nIn training, or next:\n\n")
	}
	for _, label := range s.labels {
		b.WriteString(fmt.Sprintf("- `%s`\n", label))
	}
	workflow.SetCurrentDetails(ctx, b.String())
}
