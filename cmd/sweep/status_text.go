package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/topksweep/sweep/cmd/sweep/progress"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/report"
	"github.com/topksweep/sweep/sweep/table"
)

// A statusText writes for people where a sweep stands.
type statusText struct {
	width int // columns of the terminal; 0 for a file or a pipe, where each run has one line
	now   time.Time
	all   bool     // all runs, not only those in work or without a result for a reason
	links []string // to the sweep in the Web UI and to its live report, as far as they are known

	resume string // the command that lets a paused sweep go on
}

func newStatusText(env *environment, srv *server, sweep string, all bool) statusText {
	return statusText{
		width: env.width, now: time.Now(), all: all, links: srv.sweepLinks(sweep), resume: env.command("resume", sweep),
	}
}

// indent stands before the lines that go on with the line of a run.
const indent = "    "

// write writes the sweep and its runs. Errors that the list shortens stand whole below it.
func (t statusText) write(out io.Writer, s sweepState) {
	counts := fmt.Sprintf("%d of %d runs done", s.Completed, s.Cells)
	if s.Failed > 0 {
		counts += fmt.Sprintf(", %d failed", s.Failed)
	}
	if text := s.ends.Text(t.now); text != "" && !s.ends.Finishing {
		counts += ", " + text + " left"
	}
	state := string(s.State)
	if silent := silenceText(silence(t.now, saidOfRuns(s.Runs)...)); silent != "" && s.State == plan.Training {
		state += " (" + silent + ")"
	}
	head := []string{s.ID, state, counts, "created " + s.Created.Local().Format(time.DateTime)}
	fmt.Fprint(out, t.wrap("", head))
	for _, link := range t.links {
		fmt.Fprintln(out, link)
	}
	if s.State == plan.Paused {
		fmt.Fprint(out, t.wrap("", []string{pausedLine(t.resume)}))
	}
	if s.concurrent > plan.MaxConcurrent {
		fmt.Fprint(out, t.wrap("", []string{fmt.Sprintf("max_concurrent %d: at most %d stages are in flight",
			s.concurrent, plan.MaxConcurrent)}))
	}
	t.writeRuns(out, s.Runs)
	first := true
	for _, r := range s.Runs {
		if whole := report.OneLine(r.Error); r.Attempt == 0 && whole != report.Cause(r.Error) {
			if first {
				fmt.Fprintln(out)
			}
			first = false
			fmt.Fprint(out, table.Wrap(t.width, "", indent, r.Cell, whole))
		}
	}
}

// pausedLine says how a sweep goes on that was paused.
func pausedLine(resume string) string {
	return "paused: nothing starts until " + resume
}

// writeRuns writes a line for each run. What does not fit the terminal stands in lines below it.
func (t statusText) writeRuns(out io.Writer, all []runState) {
	var runs []runState
	statusWidth, labelWidth := 0, 0
	for _, r := range all {
		if t.all || r.Status != plan.Completed && r.Status != plan.Pending {
			runs = append(runs, r)
			statusWidth = max(statusWidth, len(r.Status))
			labelWidth = max(labelWidth, min(maxPadding, table.Width(r.Label)))
		}
	}
	notes := t.notes(runs)
	if t.width <= 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for i, r := range runs {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Cell, r.Status, r.Label, strings.Join(notes[i], "  "))
		}
		w.Flush()
		return
	}
	for i, r := range runs {
		head := fmt.Sprintf("%s  %-*s  ", r.Cell, statusWidth, r.Status)
		line := strings.TrimRight(fmt.Sprintf("%s%-*s  %s", head, labelWidth, r.Label, strings.Join(notes[i], "  ")), " ")
		switch label := head + r.Label; {
		case table.Width(line) <= t.width:
			fmt.Fprintln(out, line)
			continue
		case table.Width(label) <= t.width:
			fmt.Fprintln(out, strings.TrimRight(label, " "))
		default:
			fmt.Fprintln(out, strings.TrimRight(head, " "))
			fmt.Fprint(out, t.wrap(indent, []string{r.Label}))
		}
		if len(notes[i]) > 0 {
			fmt.Fprint(out, t.wrap(indent, notes[i]))
		}
	}
}

// maxPadding is the length up to which labels are padded, so that what is said of runs stands below each other.
const maxPadding = 40

// notes returns for each run the parts of what is said of it. Metrics are padded, so that they stand below each other.
func (t statusText) notes(runs []runState) [][]string {
	out := make([][]string, len(runs))
	var widths [5]int
	for i, r := range runs {
		switch {
		case r.Metrics != nil && r.Status == plan.Completed:
			out[i] = metricParts(*r.Metrics)
			for j, part := range out[i] {
				widths[j] = max(widths[j], len(part))
			}
		case r.sharedWith != "":
			out[i] = []string{"in one stage with " + r.sharedWith}
		case r.Status == plan.Training || r.Status == plan.Evaluating:
			out[i] = t.inWork(r)
		case r.Status == plan.Waiting:
			out[i] = t.waits(r)
		case r.Status == plan.Paused:
			out[i] = append([]string{"paused by itself: unpause its activity in the Web UI"}, t.checkpoint(r)...)
		case r.Error != "":
			out[i] = []string{report.Cause(r.Error)}
		}
	}
	for i, r := range runs {
		if r.Metrics == nil || r.Status != plan.Completed {
			continue
		}
		var padded []string
		for j, part := range out[i] {
			if widths[j] > 0 {
				padded = append(padded, fmt.Sprintf("%-*s", widths[j], part))
			}
		}
		out[i] = padded
	}
	return out
}

// metricParts names the metrics of a run; one that could not be computed is "".
func metricParts(b plan.Brief) []string {
	part := func(name string, x *float64) string {
		if x == nil {
			return ""
		}
		return fmt.Sprintf("%s %.4g", name, *x)
	}
	return []string{
		part("nmse", b.NMSE), part("l2_loss", &b.L2Loss), part("auxk_loss", b.AuxKLoss), part("l0", &b.L0),
		part("dead_fraction", &b.DeadFraction),
	}
}

// inWork says how far a run is that a worker has, and which worker.
func (t statusText) inWork(r runState) []string {
	var parts []string
	silent := silenceText(silence(t.now, saidOfRuns([]runState{r})...))
	if b := r.Beat; b != nil {
		parts = append(parts, fmt.Sprintf("%d/%d steps", b.Step, b.Steps))
		switch {
		case silent != "":
		case r.stopping:
		case r.starting:
			parts = append(parts, "starting")
		default:
			parts = append(parts, strings.Split(progress.Describe(*b), "  ")...)
		}
	}
	if silent != "" {
		parts = append(parts, silent)
	}
	if r.stopping {
		parts = append(parts, "stopping: it saves its state")
	}
	where := r.Host
	if where == "" {
		where = r.Worker
	}
	device := r.Device
	if device != "" && r.Class != "" {
		device += ", "
	}
	if device += r.Class; device != "" {
		where = strings.TrimSpace(where + " (" + device + ")")
	}
	if where != "" {
		parts = append(parts, "on "+where)
	}
	return append(append(parts, t.since(r)...), t.checkpoint(r)...)
}

// waits says since when a run waits.
func (t statusText) waits(r runState) []string {
	if r.Since.IsZero() {
		return []string{"for what comes before it"}
	}
	parts := append([]string{"for a worker"}, t.since(r)...)
	if r.Attempt > 0 {
		parts[0] = fmt.Sprintf("for attempt %d", r.Attempt)
	}
	return append(parts, t.checkpoint(r)...)
}

// since says when the work or the wait began, and how long ago that is.
func (t statusText) since(r runState) []string {
	if r.Since.IsZero() {
		return nil
	}
	ago := max(0, t.now.Sub(r.Since))
	layout := time.TimeOnly
	if ago >= 12*time.Hour {
		layout = time.DateTime
	}
	return []string{fmt.Sprintf("since %s (%s)", r.Since.Local().Format(layout), progress.Clock(ago))}
}

// checkpoint says when the newest checkpoint was stored.
func (t statusText) checkpoint(r runState) []string {
	if r.Saved.IsZero() || r.SavedStep == nil {
		return nil
	}
	ago := max(0, t.now.Sub(r.Saved))
	return []string{fmt.Sprintf("checkpoint %s ago at step %d", progress.Clock(ago), *r.SavedStep)}
}

// wrap writes parts with two blanks between them, on as many lines as they need.
func (t statusText) wrap(before string, parts []string) string {
	return table.Wrap(t.width, before, before, parts...)
}
