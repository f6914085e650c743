package observe

import (
	"fmt"
	"strconv"
	"strings"
)

// Identity is how a worker names itself to the server: PID@HOST (BACKEND, N slots), e.g. 4711@gpu-7 (cuda, 8 slots).
// The Web UI shows it with each activity, and ParseIdentity reads it. A slot is room for one stage in training. backend
// is a name like cpu, without blanks, commas and parentheses. An empty host, which nothing knows, is named unknown.
func Identity(pid int, host, backend string, slots int) string {
	if host == "" {
		host = "unknown"
	}
	unit := "slots"
	if slots == 1 {
		unit = "slot"
	}
	return fmt.Sprintf("%d@%s (%s, %d %s)", pid, host, backend, slots, unit)
}

// ParseIdentity reads what Identity wrote. ok is false, and all else is empty, for an identity of another form: that
// of an older worker, or of another program. Where ok is true, no text is empty and slots is at least 1.
func ParseIdentity(identity string) (host, backend string, slots int, ok bool) {
	pid, rest, found := strings.Cut(identity, "@")
	if _, err := strconv.ParseUint(pid, 10, 64); !found || err != nil {
		return "", "", 0, false
	}
	// A host may contain anything, also parentheses. What stands behind it may not.
	open := strings.LastIndex(rest, " (")
	if open < 1 || !strings.HasSuffix(rest, ")") {
		return "", "", 0, false
	}
	host = rest[:open]
	backend, count, found := strings.Cut(rest[open+len(" ("):len(rest)-len(")")], ", ")
	if !found || backend == "" || strings.ContainsAny(backend, " ,()") {
		return "", "", 0, false
	}
	number, unit, _ := strings.Cut(count, " ")
	slots, err := strconv.Atoi(number)
	if err != nil || slots < 1 || number != strconv.Itoa(slots) || (unit != "slots" && unit != "slot") {
		return "", "", 0, false
	}
	return host, backend, slots, true
}

// hostOf returns the host of a worker: what ParseIdentity says, or that of the form PID@HOST@QUEUE, which Temporal
// gives to workers without a name of their own, such as those of older versions. QUEUE may be empty. For any other form
// the host is empty.
func hostOf(identity string) string {
	if host, _, _, ok := ParseIdentity(identity); ok {
		return host
	}
	pid, rest, _ := strings.Cut(identity, "@")
	end := strings.LastIndex(rest, "@") // a host may contain more of them
	if _, err := strconv.ParseUint(pid, 10, 64); err != nil || end < 1 {
		return ""
	}
	return rest[:end]
}
