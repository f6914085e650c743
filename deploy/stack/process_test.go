//go:build unix

package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit is far above what any single step takes on a busy machine.
const limit = 2 * time.Minute

// A process is a program that runs, with what it says in a file of its own. It
// leads a process group, so that nothing that it starts outlives it.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file
	done chan struct{} // closed when it has ended
}

// begin starts a program, which is killed at the end of the test if it still runs.
// It appends what the program says to the file logs/name.log.
func begin(t *testing.T, logs, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, log: filepath.Join(logs, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// signal sends a signal to the process and all that it started.
func (p *process) signal(s syscall.Signal) {
	if !p.ended() { // else the group's number may be another one's by now
		syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end, and reports whether it did so with status 0.
func (p *process) stop(t *testing.T) bool {
	t.Helper()
	p.signal(syscall.SIGTERM)
	until(t, p.name+" to stop", p.ended)
	return p.cmd.ProcessState.Success()
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// said reports whether the process has said text so far.
func (p *process) said(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && bytes.Contains(b, []byte(text))
}

// until polls for something that other processes bring about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// output runs a program to its end, which must be good, and returns what it wrote
// to standard output.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), e, err.String())
	}
	return out.String()
}

// environment is the test's own without the variables that would lead a program to
// other servers than the stack's, and with extra ones.
func environment(extra ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		keep := true
		for _, prefix := range []string{"TEMPORAL_", "SWEEP_", "AWS_", "MINIO_", "POSTGRES_", "SQL_", "PG"} {
			keep = keep && !strings.HasPrefix(e, prefix)
		}
		if keep {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// freePorts returns ports of the loopback interface that nothing listens on. They
// lie below those that systems hand out for outgoing connections: a server that is
// killed gets its port back when it starts again.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	first := 12000 + os.Getpid()%15000 // so that tests side by side look in other places
	for port := first; len(ports) < n && port < first+4000; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err == nil {
			l.Close()
			ports = append(ports, strconv.Itoa(port))
		}
	}
	if len(ports) < n {
		t.Fatal(fmt.Errorf("%d free ports from %d on: only %d", n, first, len(ports)))
	}
	return ports
}
