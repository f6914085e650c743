package workflows

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gomarkdown/markdown"
	"github.com/gomarkdown/markdown/html"
	"github.com/gomarkdown/markdown/parser"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// render returns the HTML that the Web UI makes of Markdown.
func render(text string) string {
	p := parser.NewWithExtensions(parser.CommonExtensions | parser.AutoHeadingIDs)
	return string(markdown.Render(p.Parse([]byte(text)),
		html.NewRenderer(html.RendererOptions{Flags: html.CommonFlags | html.HrefTargetBlank})))
}

// checkMarkdown checks what holds for every view: its bound, that its tables are whole, and that it brings no HTML, no
// link and no heading of a user.
func checkMarkdown(t *testing.T, text string) {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > maxDetails || len(b) != jsonSize(text)+2 {
		t.Errorf("%d bytes of JSON, and jsonSize says %d: want at most %d", len(b), jsonSize(text)+2, maxDetails)
	}
	if !utf8.ValidString(text) {
		t.Error("it is not valid UTF-8")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		t.Error("it has control characters")
	}
	columns, fence := 0, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch marks := line[:len(line)-len(strings.TrimLeft(line, "`"))]; {
		case fence != "":
			if line == fence {
				fence = ""
			}
			continue
		case len(marks) >= 3:
			fence = marks
			continue
		case strings.HasPrefix(line, "|"):
			n := strings.Count(line, "|")
			if columns == 0 {
				columns = n
			}
			if n != columns || strings.Contains(line, "||") {
				t.Errorf("a row with %d bars below a head with %d: %s", n, columns, line)
			}
		default:
			columns = 0
		}
		if strings.Contains(line, "<") {
			t.Errorf("a line with <: %s", line)
		}
	}
	if fence != "" {
		t.Error("a fence that does not end")
	}
	checkHTML(t, render(text), strings.Count(text, "\n| --"))
}

var tag = regexp.MustCompile(`</?([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>`)

// checkHTML checks that the HTML has only tags that a view makes, with no link among them, and its own headings.
func checkHTML(t *testing.T, page string, tables int) {
	t.Helper()
	mine := strings.Fields("p strong ul li code pre table thead tbody tr th td")
	opened := map[string]int{}
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(mine, m[1]) {
			t.Errorf("the tag %s", m[0])
		}
		if attrs := strings.TrimSpace(m[2]); attrs != "" && !slices.Contains([]string{
			`align="right"`, `class="language-yaml"`,
		}, attrs) {
			t.Errorf("the attributes %s", m[0])
		}
		if !strings.HasPrefix(m[0], "</") {
			opened[m[1]]++
		}
	}
	if opened["table"] != tables || opened["thead"] != tables {
		t.Errorf("%d tables are rendered, want %d", opened["table"], tables)
	}
	for table := range strings.SplitSeq(page, "<table>") {
		head, body, _ := strings.Cut(table, "</thead>")
		body, _, _ = strings.Cut(body, "</table>")
		columns := strings.Count(head, "<th") - strings.Count(head, "<thead")
		for row := range strings.SplitSeq(body, "<tr>") {
			if n := strings.Count(row, "<td"); n > 0 && n != columns {
				t.Errorf("a row with %d cells below a head with %d: %s", n, columns, row)
			}
		}
	}
}

// What is escaped is rendered as it was written.
func TestEscapeIsRendered(t *testing.T) {
	unescape := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&amp;", "&", "&ldquo;", `"`, "&rdquo;", `"`,
		"&lsquo;", "'", "&rsquo;", "'", "&hellip;", "...")
	for _, text := range append(hostileTexts(), "k=8 dict_size=512", "a_b _a b_", "x:y", "C:\\data",
		"1/32", "1⁄32", "a*b*c") {
		want := oneLine(cut(text, maxLabel))
		page := render("| a |\n| --- |\n| x" + escape(text, maxLabel) + "x |\n\n- x" + escape(text, maxLabel) + "x\n")
		for _, between := range []string{"<td>x", "<li>x"} {
			_, got, ok := strings.Cut(page, between)
			got, _, _ = strings.Cut(got, "x</")
			if !ok || unescape.Replace(got) != want {
				t.Errorf("%q is rendered as %q", want, got)
			}
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	for i, text := range hostileTexts() {
		f.Add(text, "k=8 x="+text, i, float64(i), int64(i))
	}
	f.Add("", "", -1, math.NaN(), int64(math.MinInt64))
	f.Add("k=8", "k=9", math.MaxInt, math.Inf(1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, a, b string, n int, x float64, steps int64) {
		texts := []string{a, b, a + b, fmt.Sprintf("k=%s lr=%d", a, n)}
		v := hugeView(func(i int) string { return texts[i%len(texts)] })
		v.sweep, v.state = b, plan.Status([]string{"training", "paused", "completed", a}[uint(n)%4])
		v.failures = v.failures[:uint(n)%50]
		v.maxConcurrent, v.Steps, v.priority = n, steps, protocol.Priority(b)
		for i := range v.live.Stages {
			l := &v.live.Stages[i]
			l.Cell, l.Cells, l.Step, l.Loss, l.StepsPerSecond = n, n+i, steps, x, x
			l.State = plan.Status(b)
		}
		for i := range v.seen {
			v.seen[i].Brief.L2Loss, v.seen[i].Brief.NMSE = x, &x
			if n%2 == 0 {
				v.seen[i].Label = a
			}
		}
		if n%3 == 0 {
			v.live = nil
		}
		first, second := v.markdown(), v.markdown()
		checkMarkdown(t, first)
		if first != second {
			t.Error("equal views give other bytes")
		}
	})
}
