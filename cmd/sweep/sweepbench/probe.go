package sweepbench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/trainer"
)

// Variables of a process with a probe.
const (
	// ProbeVariable names the folder where a process leaves what its probe has seen.
	ProbeVariable = "SWEEP_BENCH_PROBE"
	// SecondsVariable is how long the steps of a run take together, in seconds.
	SecondsVariable = "SWEEP_BENCH_SECONDS"
)

// A Probe sees what a process asks of its backend and its store.
type Probe struct {
	folder string        // where it leaves what it has seen
	run    time.Duration // that the steps of a run take together

	mu   sync.Mutex
	seen seen
}

// seen is what a process leaves in a file.
type seen struct {
	Requests Requests
	Uses     [][2]int64 // begin and end of each use of a model, in microseconds
}

// Requests counts the requests to a store, by the first part of the key and the kind.
type Requests map[string]map[string]int

// A use is the time from the first to the last call of a model, in microseconds since 1970.
type use struct{ begin, end int64 }

func now() int64 { return time.Now().UnixMicro() }

// ProbeOf returns the probe that the variables of a process ask for, or nil if they ask for none.
func ProbeOf(getenv func(string) string) (*Probe, error) {
	folder := getenv(ProbeVariable)
	if folder == "" {
		return nil, nil
	}
	seconds, err := strconv.ParseFloat(getenv(SecondsVariable), 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", SecondsVariable, err)
	}
	return &Probe{
		folder: folder, run: time.Duration(seconds * float64(time.Second)), seen: seen{Requests: Requests{}},
	}, nil
}

// Backend returns a backend that trains as b does, and sleeps.
func (p *Probe) Backend(b trainer.Backend) trainer.Backend { return backend{b, p} }

// Store returns a store that is s, and counts requests.
func (p *Probe) Store(s storage.Store) storage.Store { return store{s, p} }

func (p *Probe) count(first, kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen.Requests[first] == nil {
		p.seen.Requests[first] = map[string]int{}
	}
	p.seen.Requests[first][kind]++
}

func (p *Probe) note(u use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.Uses = append(p.seen.Uses, [2]int64{u.begin, u.end})
}

// Write leaves what was seen in the folder of the probes, under the number of the process.
func (p *Probe) Write() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := json.Marshal(p.seen)
	if err != nil {
		return err
	}
	return os.WriteFile(seenFile(p.folder, os.Getpid()), b, 0o644)
}

// readSeen reads what a process has left.
func readSeen(folder string, pid int) (s seen, err error) {
	b, err := os.ReadFile(seenFile(folder, pid))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(b, &s)
}

func seenFile(folder string, pid int) string {
	return filepath.Join(folder, fmt.Sprintf("%d.json", pid))
}
