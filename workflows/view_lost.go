package workflows

import (
	"strings"

	"github.com/topksweep/sweep/sweep/plan"
)

// Numbers of cells that the lists of a view show.
const (
	maxLost = 10
	maxTop  = 5
)

// lost lists cells without results and why, the newest first.
func (v view) lost() string {
	if v.Failed+v.Canceled+len(v.failures) == 0 {
		return ""
	}
	s := newSection(maxFailures)
	title := "Failed and canceled"
	switch {
	case v.Canceled == 0:
		title = "Failed"
	case v.Failed == 0:
		title = "Canceled"
	}
	s.add("**" + title + "**\n\n")
	const note = 200
	s.left -= note
	failed, canceled := 0, 0 // listed
	for i := len(v.failures) - 1; i >= 0 && failed+canceled < maxLost; i-- {
		f := v.failures[i]
		line := "- cell " + nameOf(f.Cell, 1, f.Label) + " " + escape(string(f.Status), maxWord)
		if f.Error != "" && f.Error != string(f.Status) {
			line += ": " + cause(f.Error)
		}
		if !s.add(line + "\n") {
			break
		}
		if f.Status == plan.Canceled {
			canceled++
		} else {
			failed++
		}
	}
	s.left += note
	var more []string
	if n := v.Failed - failed; n > 0 {
		more = append(more, count(n)+" failed")
	}
	if n := v.Canceled - canceled; n > 0 {
		more = append(more, count(n)+" canceled")
	}
	if len(more) > 0 {
		line := "- and " + strings.Join(more, ", ")
		if failed+canceled > 0 {
			line = "- and " + strings.Join(more, ", ") + " more"
		}
		s.add(line + ", which sweep status names\n")
	}
	s.add("\n")
	return s.String()
}

// best lists the cells with the least nmse.
func (v view) best() string {
	s := newSection(maxBest)
	var nmse []*float64
	for _, c := range v.seen {
		if len(nmse) < maxTop && isNumber(c.Brief.NMSE) {
			nmse = append(nmse, c.Brief.NMSE)
		}
	}
	texts, n := decimals(nmse), 0
	for _, c := range v.seen {
		if n == len(nmse) || !isNumber(c.Brief.NMSE) {
			continue
		}
		line := "- nmse " + texts[n] + ": cell " + nameOf(c.Cell, 1, c.Label) + "\n"
		if n == 0 {
			line = "**Best**\n\n" + line
		}
		if !s.add(line) {
			break
		}
		n++
	}
	s.addIf(n > 0, "\n")
	return s.String()
}
