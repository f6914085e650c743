package table

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// writeLaTeX writes a tabular with the lines of the package booktabs, for \input in a document. Text is written so that
// pdflatex can set it.
func writeLaTeX(w io.Writer, t *Table) error {
	var b bytes.Buffer
	columns := make([][]string, len(t.Columns))
	var align, header []string
	for j, c := range t.Columns {
		columns[j] = t.formatColumn(j)
		header = append(header, escapeLaTeX(c.Name))
		if c.Kind == Text {
			align = append(align, "l")
		} else {
			align = append(align, "r")
		}
	}
	fmt.Fprintf(&b, "%% needs \\usepackage{booktabs}\n\\begin{tabular}{%s}\n\\toprule\n%s \\\\\n\\midrule\n",
		strings.Join(align, ""), strings.Join(header, " & "))
	for i, row := range t.Rows {
		var line []string
		for j := range row {
			switch text := columns[j][i]; {
			case finite(row[j]) == nil:
				line = append(line, "--")
			case t.Columns[j].Kind == Text:
				line = append(line, escapeLaTeX(text))
			case strings.HasPrefix(text, "["): // behind the \\\\ of the line before it would be an option
				line = append(line, "{"+text+"}")
			default:
				line = append(line, numberLaTeX(text))
			}
		}
		fmt.Fprintf(&b, "%s \\\\\n", strings.Join(line, " & "))
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	_, err := w.Write(b.Bytes())
	return err
}

// numberLaTeX sets a number: -1.5e-07 is −1.5 · 10⁻⁷.
func numberLaTeX(text string) string {
	mantissa, exponent, found := strings.Cut(text, "e")
	if found {
		sign := ""
		if strings.HasPrefix(exponent, "-") {
			sign = "-"
		}
		exponent = strings.TrimLeft(strings.TrimLeft(exponent, "+-"), "0")
		return fmt.Sprintf(`$%s \times 10^{%s%s}$`, mantissa, sign, exponent)
	}
	if strings.HasPrefix(text, "-") {
		return "$" + text + "$"
	}
	return text
}

// escapeLaTeX returns a text as LaTeX sets it literally in one line. Letters of Latin-1 stay as they are. Of other
// characters those that the program itself writes have a command. The rest, for which pdflatex has no font, are written
// by number, as in U+4E2D.
func escapeLaTeX(s string) string {
	special := map[rune]string{
		'\\': `\textbackslash{}`, '{': `\{`, '}': `\}`, '$': `\$`, '&': `\&`, '#': `\#`, '%': `\%`, '_': `\_`,
		'^': `\textasciicircum{}`, '~': `\textasciitilde{}`, '<': `\textless{}`,
		'>': `\textgreater{}`,
		'|': `\textbar{}`, '"': `''`, '`': `\textasciigrave{}`, '[': `{[}`, '*': `{*}`,
		'…': `\dots{}`, '–': `\textendash{}`, '—': `\textemdash{}`, '−': `$-$`, '×': `$\times$`, '÷': `$\div$`,
		'·': `$\cdot$`, '‖': `$\Vert$`, '²': `$^2$`, '³': `$^3$`, '≤': `$\le$`, '≥': `$\ge$`, 'Σ': `$\Sigma$`,
		'“': "``", '”': "''", '’': `'`, '‘': "`", '→': `$\to$`, '±': `$\pm$`, 'µ': `$\mu$`, 'μ': `$\mu$`,
		'°': `$^\circ$`, '¬': `$\neg$`,
	}
	var b strings.Builder
	for _, r := range oneLine(s) {
		text, known := special[r]
		switch {
		case known:
			b.WriteString(text)
		case r < 0x7f, r >= 0xc0 && r <= 0xff && !strings.ContainsRune("ÐðÞþ", r):
			b.WriteRune(r)
		case r == 0xa0:
			b.WriteByte('~')
		default:
			fmt.Fprintf(&b, "U+%04X", r)
		}
	}
	// Two hyphens would be a dash. Of three, the first pass leaves two.
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "--", "-{}-"), "--", "-{}-")
}
