package sweepbench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage returns the processor time that a process and all processes that it started have used, and the largest memory
// that one of them has had (VmHWM), in bytes.
func usage(pid int) (busy time.Duration, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The name, in parentheses, may hold blanks. The state is the first field behind it: number 3 of proc(5).
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	for _, f := range fields[11:15] { // utime, stime and those of children that have ended
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		busy += time.Duration(ticks) * (time.Second / 100)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Sscan(rest, &peak)
			peak <<= 10
		}
	}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range children {
		list, _ := os.ReadFile(file) // a thread may have ended
		for _, child := range strings.Fields(string(list)) {
			id, _ := strconv.Atoi(child)
			if more, most, err := usage(id); err == nil {
				busy, peak = busy+more, max(peak, most)
			}
		}
	}
	return busy, peak, nil
}

// load returns the load average of the last minute.
func load() float64 {
	var l float64
	b, _ := os.ReadFile("/proc/loadavg")
	fmt.Sscan(string(b), &l)
	return l
}

// processor returns what the processor calls itself.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	lines := strings.Split(string(b), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "model name") })
	if i < 0 {
		return "unknown"
	}
	_, name, _ := strings.Cut(lines[i], ":")
	return strings.TrimSpace(name)
}
