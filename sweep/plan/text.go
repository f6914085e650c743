package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// shownCells is the number of cells that a plan lists unless all are asked for.
const shownCells = 20

// shownInits is the same for the models that cells begin from, and shownSets for the data sets.
const (
	shownInits = 5
	shownSets  = 12
)

// shownLengths is the same for lengths that the grid gives as tokens or epochs.
const shownLengths = 5

// WriteJSON writes the plan for programs: the totals (cells, reused,
// steps_unshared, steps_shared, stages, bytes, …) and the cells as cell_list.
func (p *Plan) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

// WriteText writes the plan for people: what it takes and the first cells, or
// all of them. The table of cells is a list where it is wider than a terminal of
// width columns; width is 0 for a file. Other lines may be longer.
func (p *Plan) WriteText(w io.Writer, all bool, width int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.ID)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	for i, s := range p.DataSets() {
		if i == shownSets && !all {
			row("data", "… and %s more; --all lists them", humanize.Comma(int64(len(p.Sets)-i)))
			break
		}
		row("data", "%s", s.line())
	}
	for i, in := range p.Inits {
		if i == shownInits && !all {
			row("init", "… and %s more; --all lists them", humanize.Comma(int64(len(p.Inits)-i)))
			break
		}
		row("init", "%s: %.12s", in.Path, in.Hash)
	}
	cells := humanize.Comma(int64(len(p.Cells)))
	if p.Reused > 0 {
		cells += fmt.Sprintf(", %s with a result already", humanize.Comma(int64(p.Reused)))
	}
	if p.Duplicates > 0 {
		cells += fmt.Sprintf(" (settings that equal another, left out: %s)", humanize.Comma(int64(p.Duplicates)))
	}
	row("cells", "%s", cells)
	if p.Preset != nil {
		row("preset", "%s", strings.Join(breakLine(p.Preset.String(), ", ", 100), "\n"+strings.Repeat(" ", 14)))
	}
	row("stages", "%s, %s", humanize.Comma(int64(p.Stages)), p.concurrent())
	row("steps", "%s", p.stepsLine())
	row("tokens", "%s", humanize.Comma(p.Tokens))
	switch {
	case p.EpochsMax == 0:
	case p.EpochsMin == p.EpochsMax:
		row("epochs", "%.3g over the training rows in each run", p.EpochsMax)
	default:
		row("epochs", "%.3g to %.3g over the training rows in a run", p.EpochsMin, p.EpochsMax)
	}
	for i, line := range p.lengths() {
		if i == shownLengths && !all {
			row("", "…; --all lists all lengths")
			break
		}
		row("a run", "%s", line)
	}
	if p.Bytes > 0 {
		row("memory", "%s for the largest run, and %s on the host while it is saved",
			bytesText(p.Bytes), bytesText(p.HostBytes))
	}
	if p.CheckpointBytes > 0 {
		row("checkpoint", "%s of the largest run, every %s, %d kept",
			bytesText(p.CheckpointBytes), withoutZeros(p.Run.Checkpoint.Every), p.Run.Checkpoint.Keep)
	}
	if p.Forks > 0 {
		row("forks", "%s checkpoints that branches begin at: %s, kept for seven days or until sweep gc",
			humanize.Comma(int64(p.Forks)), bytesText(p.ForkBytes))
	}
	if p.Seconds > 0 {
		row("time", "about %s", p.timeLine())
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", warning)
	}
	p.writeTrees(&b, all)
	p.writeCells(&b, all, width)
	_, err := io.WriteString(w, b.String())
	return err
}

// concurrent says how many stages train at a time.
func (p *Plan) concurrent() string {
	switch {
	case p.Run.MaxConcurrent > 0:
		return fmt.Sprintf("at most %s at a time", humanize.Comma(int64(p.Run.MaxConcurrent)))
	case p.slots > 0:
		return fmt.Sprintf("as many at a time as the workers have slots: %d on this machine", p.slots)
	}
	return "as many at a time as the workers have slots"
}

// breakLine cuts a line behind separators into lines of at most width bytes, if its parts are no longer.
func breakLine(line, separator string, width int) []string {
	var lines []string
	now := ""
	for part := range strings.SplitAfterSeq(line, separator) {
		if now != "" && len(now)+len(strings.TrimSpace(part)) > width {
			lines = append(lines, strings.TrimSpace(now))
			now = ""
		}
		now += part
	}
	return append(lines, strings.TrimSpace(now))
}

// line says what a data set is.
func (s DataSet) line() string {
	from := s.Data.Source
	if s.Data.Synthetic != nil {
		from = fmt.Sprintf("synthetic, %d directions", s.Data.Synthetic.Directions)
	}
	if s.Name != "" {
		from = s.Name + ", " + from
	}
	line := fmt.Sprintf("%s: %s rows of %d, %s of them held out",
		from, humanize.Comma(s.Info.Rows), s.Info.Dim, humanize.Comma(s.Info.EvalRows))
	if s.Data.EvalSource != "" {
		line = fmt.Sprintf("%s: %s rows of %d; %s rows of %s held out", from,
			humanize.Comma(s.Info.Rows-s.Info.EvalRows), s.Info.Dim, humanize.Comma(s.Info.EvalRows), s.Data.EvalSource)
	}
	if s.Info.MaxNorm > 0 {
		line += fmt.Sprintf("; %s with a norm above %.4g left out", humanize.Comma(s.Info.LeftOut), s.Info.MaxNorm)
	}
	return line
}

// stepsLine says what is trained, and what sharing saves of it.
func (p *Plan) stepsLine() string {
	if p.StepsLeast == p.StepsUnshared {
		return humanize.Comma(p.StepsShared)
	}
	fewer := func(steps int64) string { return fmt.Sprintf("%.2f× fewer", float64(p.StepsUnshared)/float64(steps)) }
	unshared := humanize.Comma(p.StepsUnshared) + " without sharing"
	switch {
	case p.StepsLeast == p.StepsShared:
		return fmt.Sprintf("%s; %s: %s", humanize.Comma(p.StepsShared), unshared, fewer(p.StepsShared))
	case p.StepsShared == p.StepsUnshared:
		return fmt.Sprintf("%s (%s) if no latent is ever dead, %s if one is early",
			humanize.Comma(p.StepsLeast), fewer(p.StepsLeast), humanize.Comma(p.StepsShared))
	}
	return fmt.Sprintf("%s (%s) if no latent is ever dead, to %s (%s); %s",
		humanize.Comma(p.StepsLeast), fewer(p.StepsLeast), humanize.Comma(p.StepsShared), fewer(p.StepsShared), unshared)
}

// timeLine says how long the training steps take.
func (p *Plan) timeLine() string {
	about := func(seconds float64) string {
		return durationText(time.Duration(max(1, seconds) * float64(time.Second)))
	}
	if p.SecondsUnshared > 1.01*p.Seconds {
		return fmt.Sprintf("%s at most; %s without sharing", about(p.Seconds), about(p.SecondsUnshared))
	}
	return about(p.Seconds)
}

// writeCells writes a table of the cells, numbers to the right, or a list where
// the table is too wide.
func (p *Plan) writeCells(b *strings.Builder, all bool, width int) {
	shown := p.Cells
	if !all && len(shown) > shownCells {
		shown = shown[:shownCells]
	}
	b.WriteByte('\n')
	var cells strings.Builder
	t := tabwriter.NewWriter(&cells, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "cell\t%s\n", tabbed(p.Axes))
	for _, c := range shown {
		fmt.Fprintf(t, "%s\t%s\n", c.ID, tabbed(c.Values))
	}
	t.Flush()                                       // a strings.Builder takes every write
	head, _, _ := strings.Cut(cells.String(), "\n") // all lines are as long
	if width <= 0 || utf8.RuneCountInString(head) <= width {
		b.WriteString(cells.String())
	} else {
		for _, c := range shown {
			b.WriteString(c.ID)
			for i, axis := range p.Axes {
				fmt.Fprintf(b, "  %s %s", axis, c.Values[i])
			}
			b.WriteByte('\n')
		}
	}
	if n := len(p.Cells) - len(shown); n > 0 {
		fmt.Fprintf(b, "  … and %s more; --all lists them\n", humanize.Comma(int64(n)))
	}
}

func tabbed(cells []string) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString(c)
		b.WriteByte('\t')
	}
	return b.String()
}

// bytesText prints a number of bytes with three digits.
func bytesText(n int64) string {
	x, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && x >= 1000 {
		x, units = x/1024, units[1:]
	}
	return fmt.Sprintf("%.3g %s", x, units[0])
}

// durationText prints a duration of a second or more without fractions of a second.
func durationText(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	return withoutZeros(d)
}

// withoutZeros prints a duration without units that are zero: 5m, not 5m0s.
func withoutZeros(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
