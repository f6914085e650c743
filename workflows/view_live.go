package workflows

import (
	"fmt"
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// maxInFlight is the number of stages in flight that a view lists by their labels.
const maxInFlight = 20

// training says what trains now: by what the server told, or by the labels of the stages in flight.
func (v view) training() string {
	stages := v.stages()
	switch {
	case v.isStill() || len(stages)+len(v.inFlight) == 0:
		return ""
	case len(stages) == 0:
		return v.labels()
	}
	s := newSection(maxTraining)
	s.add("**In training**\n\n")
	note := 200 + len(v.clockOfLook())
	s.left -= note
	progress, places := liveRows(stages, v)
	listed := s.addTable([]column{
		{"cell", false}, {"state", false}, {"step", true}, {"loss", true}, {"steps/s", true}, {"ETA", true},
	}, progress)
	s.left += note
	s.add("\n" + v.liveCounts(stages[:listed]) + "\n\n")
	s.addTable([]column{{"cell", false}, {"worker", false}, {"device", false}, {"newest checkpoint", false}}, places)
	s.addIf(len(places) > 0, "\n")
	s.retried(stages)
	return s.String()
}

// isStill reports whether nothing trains, whatever the server told before.
func (v view) isStill() bool {
	return v.isOver() || v.state == plan.Paused && len(v.inFlight) == 0
}

// isOver reports whether the sweep has ended.
func (v view) isOver() bool {
	return v.state == plan.Completed || v.state == plan.Failed || v.state == plan.Canceled
}

// stages returns what the server told of stages in flight, without those whose cell has its result since.
func (v view) stages() []protocol.LiveStage {
	if v.live == nil || v.isStill() {
		return nil
	}
	done := make(map[int]bool, len(v.seen))
	for _, c := range v.seen {
		done[c.Cell] = true
	}
	var out []protocol.LiveStage
	for _, l := range v.live.Stages {
		if l.Cells > 1 || !done[l.Cell] {
			out = append(out, l)
		}
	}
	return out
}

// labels lists the stages in flight by their labels.
func (v view) labels() string {
	s := newSection(maxTraining)
	s.add("**In training, or waiting for a worker**\n\n")
	const note = 60
	s.left -= note
	listed := 0
	for _, label := range v.inFlight[:min(len(v.inFlight), maxInFlight)] {
		line := code(cut(label, maxLabel))
		if !strings.HasPrefix(line, "`") { // else the first character of the label might begin a list or a heading
			line = "stage " + line
		}
		if !s.add("- " + line + "\n") {
			break
		}
		listed++
	}
	s.left += note
	s.addIf(listed < len(v.inFlight), "- and "+count(len(v.inFlight)-listed)+" more\n")
	s.add("\n")
	return s.String()
}

// liveRows returns the rows of the two tables of stages: how far each is, and where it trains. The Web UI shows details
// in half of its window, so that one table would be too wide.
func liveRows(stages []protocol.LiveStage, v view) (progress, places [][]string) {
	losses, rates := make([]*float64, len(stages)), make([]*float64, len(stages))
	for i := range stages {
		if stages[i].Step > 0 && stages[i].State != plan.Waiting {
			losses[i] = &stages[i].Loss
		}
		if stages[i].StepsPerSecond > 0 {
			rates[i] = &stages[i].StepsPerSecond
		}
	}
	loss, rate := decimals(losses), decimals(rates)
	for i, l := range stages {
		state := escape(string(l.State), maxWord)
		if l.Doing != "" {
			state += ": " + escape(l.Doing, maxWord)
		}
		var step, eta, saved string
		if l.Steps > 0 {
			step = strings.TrimSpace(count(l.Step) + " of " + count(l.Steps) + " " + percent(l.Step, l.Steps))
		}
		if l.State == plan.Training {
			eta = timeLeft(l.Steps-l.Step, l.StepsPerSecond)
		}
		if !l.Saved.IsZero() {
			saved = "step " + count(l.SavedStep) + ", " + clock(l.Saved, v.liveAt)
		}
		worker := l.Worker
		if worker == "" {
			worker = l.Host
		}
		progress = append(progress, []string{nameOf(l.Cell, l.Cells, l.Label), state, step, loss[i], rate[i], eta})
		number := cellNumber(l.Cell, l.Cells)
		if number == "" {
			number = nameOf(l.Cell, l.Cells, l.Label)
		}
		if worker+l.Device+saved != "" {
			places = append(places, []string{
				number, escape(worker, maxWord), escape(l.Device, maxWord), saved,
			})
		}
	}
	return progress, places
}

// nameOf names the cells of a stage: "12 (k=8)", or "12+5 (k=8)" if six share it. cell is -1 if it is not known.
func nameOf(cell, cells int, label string) string {
	name := cellNumber(cell, cells)
	if label = escape(label, maxLabel); label != "" {
		name = strings.TrimSpace(name + " (" + label + ")")
	}
	return name
}

// cellNumber is "12", or "12+5" if six cells share a stage, or "" if the cell is not known.
func cellNumber(cell, cells int) string {
	switch {
	case cell < 0:
		return ""
	case cells > 1:
		return fmt.Sprintf("%d+%d", cell, cells-1)
	}
	return fmt.Sprint(cell)
}

// clockOfLook says when the server was asked.
func (v view) clockOfLook() string {
	if v.liveAt.IsZero() {
		return ""
	}
	return "as of " + v.liveAt.UTC().Format("15:04:05 UTC") + ": "
}

// liveCounts says how many stages there are, and how many of them are not among the listed ones.
func (v view) liveCounts(listed []protocol.LiveStage) string {
	split := func(stages []protocol.LiveStage) (training, waiting, paused int) {
		for _, l := range stages {
			switch l.State {
			case plan.Waiting:
				waiting++
			case plan.Paused: // its activity, in the Web UI
				paused++
			default:
				training++
			}
		}
		return training, waiting, paused
	}
	training, allWaiting, paused := split(listed)
	toldTraining, toldWaiting, _ := split(v.live.Stages)
	stillTraining, stillWaiting, _ := split(v.stages()) // the others have their results since
	training = max(v.live.Training-(toldTraining-stillTraining), training)
	allWaiting = max(v.live.Waiting-(toldWaiting-stillWaiting), allWaiting)
	out := v.clockOfLook() + count(training) + " in training"
	if v.live.Slots > 0 {
		out += " on " + count(v.live.Slots) + " slots"
	}
	out += ", " + count(allWaiting) + " waiting for a worker"
	if paused > 0 {
		out += ", " + count(paused) + " paused"
	}
	switch more := training + allWaiting + paused - len(listed); {
	case more == 1:
		out += "; 1 of them is not listed"
	case more > 1:
		out += "; " + count(more) + " of them are not listed"
	}
	return out + "."
}

// retried lists the errors of attempts that are tried again.
func (s *section) retried(stages []protocol.LiveStage) {
	said := false
	for _, l := range stages {
		if l.Error == "" {
			continue
		}
		line := "- cell " + nameOf(l.Cell, l.Cells, l.Label)
		if l.Attempt > 1 {
			line += ", attempt " + count(l.Attempt)
		}
		line += ", after: " + cause(l.Error) + "\n"
		if !said {
			line = "Tried again after an error:\n\n" + line
		}
		if s.add(line) {
			said = true
		}
	}
	s.addIf(said, "\n")
}
