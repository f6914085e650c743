package activities

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/topksweep/sweep/trainer"
)

// errBusy says that a run does not fit beside those in training on this worker.
// It fits once one of them is done.
var errBusy = errors.New("the runs in training here leave too little memory")

// memory keeps the runs of one worker from taking more than the host has. A run
// says what it needs before it allocates anything, and the sum counts: several
// slots that start at once would all find the same memory free.
type memory struct {
	capacity func() (bytes int64, ok bool) // for runs; !ok where it cannot be known

	mu    sync.Mutex
	taken int64
}

// reserve takes need bytes until release is called. The error wraps
// trainer.ErrMemory if the host could not hold the run alone, errBusy if it can
// once other runs are done.
func (m *memory) reserve(need int64) (release func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if total, ok := m.capacity(); ok {
		switch {
		case need > total:
			return nil, fmt.Errorf("%w: the run needs %s, the host has %s free", trainer.ErrMemory, gib(need), gib(total))
		case need > total-m.taken:
			return nil, fmt.Errorf("%w: the run needs %s, they have %s of %s", errBusy, gib(need), gib(m.taken), gib(total))
		}
	}
	m.taken += need
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.taken -= need
	}), nil
}

func gib(bytes int64) string { return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30)) }

// hostBackend is the name of the backend whose device is the host itself.
const hostBackend = "cpu"

// hostBytes is what a run of c takes of the host's memory.
func hostBytes(b trainer.Backend, c trainer.Config) int64 {
	device, host := b.Bytes(c)
	if b.Name() == hostBackend {
		host += device
	}
	return host
}

// hostCapacity is what this process may still take and what it has: the
// memory that the kernel counts as available, within the limits of its control
// groups. What the process has counts, because what its heap holds of runs that
// are done is taken again before the kernel is asked for more.
func hostCapacity() (int64, bool) {
	if runtime.GOOS != "linux" {
		return 0, false
	}
	return capacity(os.DirFS("/"))
}

// capacity is hostCapacity of the Linux whose root is given. See proc(5) and
// the kernel's cgroup-v2 and cgroup-v1/memory documents.
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

// A group is a control group that holds this process.
type group struct {
	dir   string
	limit string // file with the limit in bytes
	anon  string // row of memory.stat with what cannot be given back
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

func number(root fs.FS, file string) (int64, bool) {
	r := rows(root, file)
	if len(r) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(r[0]), 10, 64) // "max" is no limit
	return n, err == nil
}

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
