//go:build !noserver

package local

import (
	"bytes"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	busy, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	occupied := portOf(busy)
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))

	if l, err := listen("gRPC", loopback, occupied, 0, log); err == nil {
		l.Close()
		t.Error("a port that was asked for and is busy gave no error")
	} else if !strings.Contains(err.Error(), strconv.Itoa(occupied)) || !strings.Contains(err.Error(), "gRPC") {
		t.Errorf("%q names neither port nor purpose", err)
	}
	if logged.Len() != 0 {
		t.Errorf("log says %s", logged.String())
	}
	l, err := listen("gRPC", loopback, 0, occupied, log)
	if err != nil {
		t.Fatal(err)
	}
	if portOf(l) == occupied || !strings.Contains(logged.String(), "busy") {
		t.Errorf("preferred port is busy: got %d, log %q", portOf(l), logged.String())
	}
	free := portOf(l)
	l.Close()
	for name, args := range map[string][2]int{"asked": {free, 0}, "preferred": {0, free}} {
		l, err := listen(name, loopback, args[0], args[1], log)
		if err != nil {
			t.Fatal(err)
		}
		if portOf(l) != free {
			t.Errorf("%s port %d is free, got %d", name, free, portOf(l))
		}
		l.Close()
	}
}

func TestBusyPortsAskedFor(t *testing.T) {
	busy, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := t.TempDir()
	for name, o := range map[string]Options{
		"gRPC":       {GRPCPort: portOf(busy), UIPort: -1},
		"the Web UI": {GRPCPort: -1, UIPort: portOf(busy)},
	} {
		o.Dir = dir
		s, err := Start(t.Context(), o)
		if err == nil {
			s.Stop()
			t.Fatalf("%s: started on a busy port", name)
		}
		for _, want := range []string{name, strconv.Itoa(portOf(busy)), "in use"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
	}
	start(t, dir, nil) // the failures left nothing behind that makes a start fail
}

func TestFindPortsDiffer(t *testing.T) {
	p, err := findPorts(loopback, -1, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{p.frontend: true, p.history: true, p.matching: true, p.worker: true}
	if len(seen) != 4 || seen[0] {
		t.Errorf("ports %+v", p)
	}
}
