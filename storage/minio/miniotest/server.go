// Package miniotest runs a real MinIO server for tests, which may kill and
// restart it. The server is a program of its own and under another licence
// (AGPL): it is run, never linked.
package miniotest

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Version is the module version of the server, which the Go module proxy has.
const Version = "v0.0.0-20260212201848-7aac2a2c5b7c"

// ClientVersion is the module version of the client mc, which creates users and their rights.
const ClientVersion = "v0.0.0-20250313080218-cf909e1063a9"

// The server's only user.
const (
	User     = "sweep-test"
	Password = "sweep-test-password"
)

// A Server is a MinIO server on loopback with a directory of its own.
type Server struct {
	Endpoint string // http://127.0.0.1:port, or https
	Dir      string // where its objects lie

	t    testing.TB
	exe  string
	addr string
	args []string
	env  []string
	wrap func(*exec.Cmd) // changes how the program is started, if not nil

	mu  sync.Mutex
	cmd *exec.Cmd
	out *tail
}

// Start starts a server that stops at the end of the test. It skips the test if
// there is none on this machine: see Find. env are further NAME=value settings.
func Start(t testing.TB, env ...string) *Server {
	t.Helper()
	s := &Server{t: t, env: env}
	s.start("http")
	return s
}

// StartTLS is Start with a certificate for 127.0.0.1, whose files are
// certs/public.crt and certs/private.key.
func StartTLS(t testing.TB, certs string, env ...string) *Server {
	t.Helper()
	s := &Server{t: t, env: env, args: []string{"--certs-dir", certs}}
	s.start("https")
	return s
}

func (s *Server) start(scheme string) {
	s.t.Helper()
	s.exe = Find(s.t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if err := l.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.Endpoint, s.Dir = scheme+"://"+s.addr, s.t.TempDir()
	s.t.Cleanup(s.Kill)
	s.Restart()
}

// Restart starts the server again after a Kill, on the same port and directory,
// and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	args := append([]string{"server", "--address", s.addr, "--console-address", "127.0.0.1:0"}, s.args...)
	cmd := exec.Command(s.exe, append(args, s.Dir)...)
	cmd.Env = append(os.Environ(), append([]string{
		"MINIO_ROOT_USER=" + User, "MINIO_ROOT_PASSWORD=" + Password, "MINIO_BROWSER=off",
		"MINIO_UPDATE=off", "MINIO_CI_CD=1", "HOME=" + s.t.TempDir(),
	}, s.env...)...)
	log := &tail{}
	s.out = log
	out, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if s.wrap != nil {
		s.wrap(cmd)
	}
	err = cmd.Start()
	w.Close()
	if errors.Is(err, fs.ErrPermission) && s.wrap != nil {
		s.t.Skipf("no file system of its own for the server: %v", err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	// The server prints the address of its API as soon as it serves it.
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		io.WriteString(log, line)
		if err != nil {
			s.t.Fatalf("minio: %v\n%s", cmd.Wait(), log)
		}
		if strings.HasPrefix(line, "API: ") {
			break
		}
	}
	go func() { // until the server ends
		io.Copy(log, lines)
		out.Close()
	}()
}

// Kill kills the server with SIGKILL.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	s.cmd.Wait() // the error says only that it was killed
	s.cmd = nil
}

// PID returns the number of the server's process.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// Signal sends a signal to the server, if it runs.
func (s *Server) Signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
}

// Log returns the end of the server's output.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// Find returns the server's program: the one that SWEEP_MINIO names, or the one that
// build.sh has built, which all packages share. Tests do not build it, because that
// takes minutes and would count against the time limit of their package. If there is
// none the test is skipped, or fails if SWEEP_TEST_MUST_RUN is set.
func Find(t testing.TB) string {
	t.Helper()
	return find(t, "minio", Version, "SWEEP_MINIO")
}

// FindClient returns the program of the client mc: as Find, with the variable SWEEP_MC.
func FindClient(t testing.TB) string {
	t.Helper()
	return find(t, "mc", ClientVersion, "SWEEP_MC")
}

func find(t testing.TB, program, version, variable string) string {
	t.Helper()
	if exe := os.Getenv(variable); exe != "" {
		if _, err := os.Stat(exe); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return exe
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(cache, "sweep", program+"-"+version, program)
	if _, err := os.Stat(exe); err != nil {
		how := "no program " + program + ": storage/minio/miniotest/build.sh builds one, or name one in " + variable
		if os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	return exe
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-8<<10):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
