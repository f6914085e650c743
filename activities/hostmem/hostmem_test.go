package hostmem

import (
	"errors"
	"math"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/topksweep/sweep/trainer"
)

// What a process may take is what the host has available and its control groups
// allow, and besides it what it has taken already.
func TestCapacity(t *testing.T) {
	const gib = 1 << 30
	type files = map[string]string
	host := files{ // 16 GiB available, of 32; this process has 1 GiB
		"proc/meminfo":     "MemTotal:       33554432 kB\nMemFree:        1 kB\nMemAvailable:   16777216 kB\n",
		"proc/self/status": "Name:\tsweep\nVmRSS:\t 2097152 kB\nRssAnon:\t 1048576 kB\n",
	}
	for name, c := range map[string]struct {
		files     files
		want      int64
		isUnknown bool
	}{
		"host": {nil, 17 * gib, false},
		"no limit, version 2": {files{
			"proc/self/cgroup":              "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":  "max\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 1\n",
		}, 17 * gib, false},
		"limit, version 2": {files{
			"proc/self/cgroup":              "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max":  "4294967296\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 1073741824\nfile 9999999999\n",
		}, 4 * gib, false},
		"limit above, version 2": {files{
			"proc/self/cgroup":              "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":    "4294967296\n",
			"sys/fs/cgroup/a/memory.stat":   "anon 3221225472\n",
			"sys/fs/cgroup/a/b/memory.max":  "max\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 1073741824\n",
		}, 2 * gib, false},
		"limit in a container, version 2": {files{
			"proc/self/cgroup":          "0::/\n",
			"sys/fs/cgroup/memory.max":  "2147483648\n",
			"sys/fs/cgroup/memory.stat": "anon 1073741824\n",
		}, 2 * gib, false},
		"limit, version 1": {files{
			"proc/self/cgroup":                           "9:cpu,cpuacct:/x\n5:memory:/docker/ab\n1:name=systemd:/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "3221225472\n",
			"sys/fs/cgroup/memory/memory.stat":           "rss 1\ntotal_rss 2147483648\n",
		}, 2 * gib, false},
		"no limit, version 1": {files{
			"proc/self/cgroup":                           "5:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.stat":           "total_rss 1\n",
		}, 17 * gib, false},
		"over the limit": {files{
			"proc/self/cgroup":          "0::/\n",
			"sys/fs/cgroup/memory.max":  "1073741824\n",
			"sys/fs/cgroup/memory.stat": "anon 2147483648\n",
		}, gib, false},
		"odd files": {files{
			"proc/self/cgroup":         "what\n0:memory\n0::../../x\n",
			"sys/fs/cgroup/memory.max": "\n",
		}, 17 * gib, false},
		"too large": {files{"proc/meminfo": "MemAvailable: 9223372036854775807 kB\n"}, 0, true},
		"no proc":   {files{"proc/meminfo": ""}, 0, true},
	} {
		root := fstest.MapFS{}
		for _, some := range []files{host, c.files} {
			for file, text := range some {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		if got, ok := capacity(root); got != c.want || ok == c.isUnknown {
			t.Errorf("%s: %d, %v, want %d", name, got, ok, c.want)
		}
	}
	if got, ok := hostCapacity(); ok != (runtime.GOOS == "linux") || ok && got < 1<<20 {
		t.Errorf("here: %d, %v", got, ok)
	}
}

// Runs reserve memory beside each other up to the capacity.
func TestReserve(t *testing.T) {
	m := &Pool{Capacity: func() (int64, bool) { return 100, true }}
	a, err := m.Reserve(60)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Reserve(50); !errors.Is(err, ErrBusy) || errors.Is(err, trainer.ErrMemory) {
		t.Errorf("beside another: %v", err)
	}
	if _, err := m.Reserve(101); !errors.Is(err, trainer.ErrMemory) {
		t.Errorf("more than there is: %v", err)
	}
	b, err := m.Reserve(40)
	if err != nil {
		t.Fatal(err)
	}
	a()
	a() // counts once
	b()
	if m.reserved != 0 {
		t.Errorf("%d still reserved", m.reserved)
	}
	// Others have taken memory that the host has: it may be free later.
	m.Whole = func() (int64, bool) { return 200, true }
	if _, err := m.Reserve(200); !errors.Is(err, ErrBusy) || errors.Is(err, trainer.ErrMemory) {
		t.Errorf("beside other programs: %v", err)
	}
	if _, err := m.Reserve(201); !errors.Is(err, trainer.ErrMemory) || errors.Is(err, ErrBusy) {
		t.Errorf("more than the host has: %v", err)
	}
	m.Whole = func() (int64, bool) { return 0, false }
	if _, err := m.Reserve(101); !errors.Is(err, trainer.ErrMemory) {
		t.Errorf("of a host that does not say what it has: %v", err)
	}
	m.Capacity = func() (int64, bool) { return 0, false }
	if _, err := m.Reserve(math.MaxInt64 / 2); err != nil {
		t.Errorf("not known: %v", err)
	}
}

// The whole memory is that of the host, within the limits of the control groups.
func TestWhole(t *testing.T) {
	root := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:       33554432 kB\nMemAvailable:   1 kB\n")}}
	if got, ok := whole(root); got != 32<<30 || !ok {
		t.Errorf("%d, %v", got, ok)
	}
	root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte("0::/a\n")}
	root["sys/fs/cgroup/a/memory.max"] = &fstest.MapFile{Data: []byte("4294967296\n")}
	if got, ok := whole(root); got != 4<<30 || !ok {
		t.Errorf("with a limit: %d, %v", got, ok)
	}
	if got, ok := whole(fstest.MapFS{}); ok {
		t.Errorf("of nothing: %d", got)
	}
}
