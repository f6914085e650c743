package ledger

import (
	"slices"
	"strings"
)

// classSeparator stands between the classes of a list.
const classSeparator = ", "

// maxClasses bounds the text of a list of classes in bytes. The names of classes have some ten or twenty.
const maxClasses = 1000

// JoinClasses returns a list of the classes of two lists, in order and each once. It is "" if one of the two is not
// known, or if the list is too long.
func JoinClasses(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	list := strings.Split(a, classSeparator)
	for _, c := range strings.Split(b, classSeparator) {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	if joined := strings.Join(list, classSeparator); len(joined) <= maxClasses {
		return joined
	}
	return ""
}

// UnknownClass stands in Classes for steps of which the class is not known.
const UnknownClass = "unknown"

// Classes lists the classes of hardware that trained the run, in the order of their first steps, and last that which
// measured its model, each once. Steps of earlier versions are UnknownClass. It is empty if no class is known.
func (r Result) Classes() []string {
	var out []string
	known := false
	add := func(list string) {
		for _, c := range strings.Split(list, classSeparator) {
			known = known || c != UnknownClass
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	for _, s := range r.Spans {
		if s.Class == "" {
			s.Class = UnknownClass
		}
		add(s.Class)
	}
	if r.EvalClass != "" { // results of earlier versions lack it
		add(r.EvalClass)
	}
	if !known {
		return nil
	}
	return out
}

// MixedClasses reports whether hardware of several classes trained and measured the run, so that its last bits are not
// those of one class. known is false where that cannot be told.
func (r Result) MixedClasses() (mixed, known bool) {
	classes := r.Classes()
	unknown := slices.Contains(classes, UnknownClass)
	n := len(classes)
	if unknown {
		n--
	}
	return n > 1, n > 1 || n == 1 && !unknown
}
