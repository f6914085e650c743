package sweepbench

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A Process is one whose costs are measured. All that it started counts with it.
type Process struct {
	Name string
	PID  int
}

// A Meter measures processes from its start to its end, and the load of the machine.
type Meter struct {
	processes  []Process
	before     []time.Duration
	began      time.Time
	loadBefore float64
	loads      []float64
	stop, done chan struct{}
}

// StartMeter begins to measure processes that run.
func StartMeter(processes ...Process) (*Meter, error) {
	m := &Meter{
		processes: processes, began: time.Now(), loadBefore: load(), stop: make(chan struct{}), done: make(chan struct{}),
	}
	for _, p := range processes {
		busy, _, err := usage(p.PID)
		if err != nil {
			return nil, err
		}
		m.before = append(m.before, busy)
	}
	go m.followLoad()
	return m, nil
}

func (m *Meter) followLoad() {
	defer close(m.done)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.loads = append(m.loads, load())
		case <-m.stop:
			m.loads = append(m.loads, load())
			return
		}
	}
}

// End adds to a result what was measured. client is the process that followed the sweep and has ended.
func (m *Meter) End(r *Result, client *os.ProcessState) error {
	r.Wall, r.Date = time.Since(m.began), m.began
	close(m.stop)
	<-m.done
	r.LoadBefore, r.Processor = m.loadBefore, processor()
	for _, l := range m.loads {
		r.LoadDuring += l / float64(len(m.loads))
	}
	c := Cost{Name: "client", Busy: client.UserTime() + client.SystemTime()}
	if u, ok := client.SysUsage().(*syscall.Rusage); ok {
		c.Peak = u.Maxrss << 10
	}
	r.Costs = append(r.Costs, c)
	var failed error
	for i, p := range m.processes {
		busy, peak, err := usage(p.PID)
		failed = errors.Join(failed, err)
		r.Costs = append(r.Costs, Cost{Name: p.Name, Busy: busy - m.before[i], Peak: peak})
	}
	return failed
}

// Size returns how many bytes the files of a folder have whose path below it matches one of the patterns, as
// filepath.Match has them; without patterns, of all files.
func Size(folder string, patterns ...string) (n int64) {
	filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // it was removed meanwhile
		}
		rel, _ := filepath.Rel(folder, path)
		matches := len(patterns) == 0
		for _, p := range patterns {
			ok, _ := filepath.Match(p, rel)
			matches = matches || ok
		}
		if info, err := d.Info(); err == nil && matches {
			n += info.Size()
		}
		return nil
	})
	return n
}
