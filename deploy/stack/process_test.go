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

// waitLimit is far more time than any single step takes on a busy machine.
const waitLimit = 2 * time.Minute

// sweepLimit is far more time than a whole sweep takes on a busy machine.
const sweepLimit = 5 * waitLimit

// A process is a running program whose output goes to a log file. It leads a process
// group, so that processes that it starts can be ended with it.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // path of the log file
	done chan struct{} // closed when it has ended
}

// startProcess starts a program. At the end of the test the program is killed if it still
// runs. Its output is appended to the file logs/name.log.
func startProcess(t *testing.T, logs, name string, cmd *exec.Cmd) *process {
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

// signal sends a signal to the process and to all processes that it started.
func (p *process) signal(s syscall.Signal) {
	if !p.ended() { // after its end, its number may be that of another group
		syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop sends SIGTERM, waits for the end of the process, and reports whether its status
// is 0.
func (p *process) stop(t *testing.T) bool {
	t.Helper()
	p.signal(syscall.SIGTERM)
	until(t, p.name+" to stop", p.ended)
	return p.cmd.ProcessState.Success()
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// logged reports whether the process's log contains text.
func (p *process) logged(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && bytes.Contains(b, []byte(text))
}

// until polls until is returns true. It is for conditions that other processes cause.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	untilWithin(t, waitLimit, what, is)
}

// untilWithin is until for what takes longer.
func untilWithin(t *testing.T, limit time.Duration, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("no %s after %v", what, limit)
		case <-tick.C:
		}
	}
}

// output runs a program to its end and returns its standard output. The program must
// succeed.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), e, err.String())
	}
	return out.String()
}

// environment returns the test's own environment with extra variables, and without those
// that name servers: a program must find the stack's.
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

// freePorts returns n ports of the loopback interface that nothing listens on. They are
// below the ports that systems use for outgoing connections, so that a server that was
// killed can take its port again.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	first := 12000 + os.Getpid()%15000 // tests that run at the same time look in different ranges
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
