package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// lines lists what happens, for logs and pipes: runs that begin and end, and
// every so often where the running ones stand.
type lines struct {
	a       *app
	labels  *labels
	began   time.Time
	spoke   time.Time
	running map[stageKey]bool
	said    map[trouble]bool
	ended   int
}

// speakEvery is how often a sweep that goes its way says where it stands.
const speakEvery = 10 * time.Second

func (v *lines) printf(format string, args ...any) {
	fmt.Fprintf(v.a.err, "%8s  %s\n", clock(time.Since(v.began)), fmt.Sprintf(format, args...))
	v.spoke = time.Now()
}

func (v *lines) show(s snapshot) {
	p := s.progress
	open := map[int]bool{} // in the window: queued, in training or in evaluation
	for _, c := range p.Running {
		open[c] = true
	}
	now := map[int]stageKey{}
	for _, b := range s.beats {
		now[b.Cell] = keyOf(b)
	}
	for _, k := range slices.SortedFunc(maps.Keys(v.running), stageKey.compare) {
		if later, ok := now[k.cell]; !open[k.cell] || ok && later != k {
			delete(v.running, k)
			v.printf("ended    %s", v.labels.stage(k))
		}
	}
	for _, b := range s.beats {
		if k := keyOf(b); !v.running[k] {
			v.running[k] = true
			v.printf("training %s", v.labels.stage(k))
		}
	}
	for _, t := range s.trouble {
		if !v.said[t] {
			v.said[t] = true
			v.printf("retrying %s", v.labels.trouble(t))
		}
	}
	if ended := p.Completed + p.Failed + p.Canceled; ended != v.ended {
		v.ended = ended
		line := fmt.Sprintf("%d of %d runs done", p.Completed, p.Cells)
		if p.Reused > 0 {
			line += fmt.Sprintf(", %d of them reused", p.Reused)
		}
		if p.Failed > 0 {
			line += fmt.Sprintf(", %d failed", p.Failed)
		}
		v.printf("%s", line)
	}
	if time.Since(v.spoke) >= speakEvery {
		for _, b := range s.beats {
			v.printf("%d/%d steps  %s  %s", b.Step, b.Steps, v.labels.stage(keyOf(b)), describe(b))
		}
	}
}

func (v *lines) say(line string) { v.printf("%s", line) }

func (v *lines) close() {}

// shared is a value that one goroutine sets and another draws.
type shared[T any] struct {
	mu sync.Mutex
	v  T
}

func (s *shared[T]) set(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v = v
}

func (s *shared[T]) get() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v
}
