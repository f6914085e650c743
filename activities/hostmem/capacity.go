package hostmem

import (
	"bufio"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// hostCapacity returns the bytes that the runs of this process may have in all: those
// that it may still take, and those that it has. It may still take what the kernel
// counts as available, within the limits of its control groups. What it has counts
// too, because the memory of runs that are done is used again before the kernel is
// asked for more. ok is false where the host does not say.
func hostCapacity() (bytes int64, ok bool) {
	if runtime.GOOS != "linux" {
		return 0, false
	}
	return capacity(os.DirFS("/"))
}

// capacity is hostCapacity on the Linux whose root directory is given. See proc(5)
// and the kernel's documents on cgroup-v2 and cgroup-v1/memory.
func capacity(root fs.FS) (int64, bool) {
	available, ok1 := field(root, "proc/meminfo", "MemAvailable:", 1<<10)
	own, ok2 := field(root, "proc/self/status", "RssAnon:", 1<<10)
	if !ok1 || !ok2 {
		return 0, false
	}
	free := available
	for _, group := range groups(root) {
		limit, ok1 := number(root, path.Join(group.dir, group.limit))
		used, ok2 := field(root, path.Join(group.dir, "memory.stat"), group.anon, 1)
		if ok1 && ok2 && limit < math.MaxInt64/2 { // more stands for no limit
			free = min(free, limit-used)
		}
	}
	return max(0, free) + own, true
}

// hostWhole returns the bytes of the host's memory, within the limits of the control groups of this process,
// whoever has them now. ok is false where the host does not say.
func hostWhole() (bytes int64, ok bool) {
	if runtime.GOOS != "linux" {
		return 0, false
	}
	return whole(os.DirFS("/"))
}

// whole is hostWhole on the Linux whose root directory is given.
func whole(root fs.FS) (int64, bool) {
	bytes, ok := field(root, "proc/meminfo", "MemTotal:", 1<<10)
	if !ok {
		return 0, false
	}
	for _, group := range groups(root) {
		if limit, ok := number(root, path.Join(group.dir, group.limit)); ok {
			bytes = min(bytes, limit)
		}
	}
	return bytes, true
}

// A group is a control group that this process belongs to.
type group struct {
	dir   string
	limit string // the file that holds the limit in bytes
	anon  string // the row of memory.stat for memory that the kernel cannot reclaim
}

// groups lists the control groups of this process, up to the root.
func groups(root fs.FS) (all []group) {
	for _, row := range rows(root, "proc/self/cgroup") { // hierarchy:controllers:path
		part := strings.SplitN(row, ":", 3)
		if len(part) < 3 {
			continue
		}
		var g group
		switch {
		case part[0] == "0":
			g = group{"sys/fs/cgroup", "memory.max", "anon"}
		case strings.Contains(","+part[1]+",", ",memory,"):
			g = group{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "total_rss"}
		default:
			continue
		}
		top := g.dir
		for at := path.Join("/", part[2]); ; at = path.Dir(at) {
			g.dir = path.Join(top, at)
			all = append(all, g)
			if at == "/" {
				break
			}
		}
	}
	return all
}

// field returns the number in the row of a file that begins with name.
func field(root fs.FS, file, name string, unit int64) (int64, bool) {
	for _, row := range rows(root, file) {
		if f := strings.Fields(row); len(f) >= 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n * unit, err == nil && n >= 0 && n <= math.MaxInt64/unit
		}
	}
	return 0, false
}

// number returns the number that a file begins with; a limit of "max" is none.
func number(root fs.FS, file string) (int64, bool) {
	r := rows(root, file)
	if len(r) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(r[0]), 10, 64)
	return n, err == nil
}

// rows returns the lines of a file, or none if it cannot be read.
func rows(root fs.FS, file string) (all []string) {
	f, err := root.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		all = append(all, s.Text())
	}
	return all
}
