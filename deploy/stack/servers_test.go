//go:build unix

package stack_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

const (
	loopback  = "127.0.0.1"
	namespace = "default"
)

// startPostgres starts a database server with an empty database in dir, and returns its
// port. secret is the file with the password.
func startPostgres(t *testing.T, dir string, bin programs, secret string) (port string) {
	t.Helper()
	data := filepath.Join(dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	who := unprivileged(t, dir, data, secret)
	run := func(exe string, args ...string) *exec.Cmd {
		cmd := exec.Command(exe, args...)
		cmd.Dir, cmd.Env = data, environment("LC_ALL=C.UTF-8")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
		return cmd
	}
	output(t, run(bin.initdb, "--pgdata", data, "--username", "temporal", "--pwfile", secret,
		"--auth", "scram-sha-256", "--no-sync"))
	port = freePorts(t, 1)[0]
	p := startProcess(t, dir, "postgres", run(bin.postgres, "-D", data, "-p", port, "-c", "listen_addresses="+loopback,
		"-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "fsync=off")) // the tests do not cut the power
	// It listens before it serves.
	until(t, "a database", func() bool { return p.logged("ready to accept connections") })
	return port
}

// unprivileged returns the user to run PostgreSQL as, and makes that user the owner of
// files. PostgreSQL refuses to run as root. For other users it returns nil.
func unprivileged(t *testing.T, dir string, files ...string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	err = errors.Join(err1, err2)
	for _, f := range files {
		err = errors.Join(err, os.Chown(f, uid, gid))
	}
	// The user must be able to enter the folders above.
	for d := dir; d != filepath.Dir(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		if info, e := os.Stat(d); e == nil && info.Mode().Perm()&0o001 == 0 {
			err = errors.Join(err, os.Chmod(d, info.Mode()|0o001))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// A temporalServer is Temporal with its database, set up by the same script and the same
// variables as in docker-compose.yml.
type temporalServer struct {
	address string
	*process
	launch func() *process
}

// startTemporal sets up the database, starts the server and creates the namespace.
func startTemporal(t *testing.T, dir string, bin programs, postgresPort, secret string) *temporalServer {
	t.Helper()
	compose, err := filepath.Abs("../compose")
	if err != nil {
		t.Fatal(err)
	}
	schema := func() *exec.Cmd {
		cmd := exec.Command("sh", filepath.Join(compose, "schema.sh"))
		cmd.Env = environment("PATH="+filepath.Dir(bin.sqlTool)+string(os.PathListSeparator)+os.Getenv("PATH"),
			"SQL_PLUGIN=postgres12", "SQL_HOST="+loopback, "SQL_PORT="+postgresPort,
			"SQL_USER=temporal", "SQL_PASSWORD_FILE="+secret)
		return cmd
	}
	output(t, schema())
	output(t, schema()) // the containers run it at every start: it must change nothing

	p := freePorts(t, 9)
	env := environment("PATH="+filepath.Dir(bin.temporalServer)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"DB=postgres12", "POSTGRES_SEEDS="+loopback, "DB_PORT="+postgresPort,
		"POSTGRES_USER=temporal", "POSTGRES_PWD_FILE="+secret, "NUM_HISTORY_SHARDS=4",
		"BIND_ON_IP="+loopback, "TEMPORAL_BROADCAST_ADDRESS="+loopback, "LOG_LEVEL=warn",
		"DYNAMIC_CONFIG_FILE_PATH="+filepath.Join(compose, "dynamicconfig.yaml"),
		"FRONTEND_GRPC_PORT="+p[0], "FRONTEND_HTTP_PORT="+p[1], "FRONTEND_MEMBERSHIP_PORT="+p[2],
		"HISTORY_GRPC_PORT="+p[3], "HISTORY_MEMBERSHIP_PORT="+p[4],
		"MATCHING_GRPC_PORT="+p[5], "MATCHING_MEMBERSHIP_PORT="+p[6],
		"WORKER_GRPC_PORT="+p[7], "WORKER_MEMBERSHIP_PORT="+p[8])
	s := &temporalServer{address: net.JoinHostPort(loopback, p[0])}
	s.launch = func() *process {
		cmd := exec.Command("sh", filepath.Join(compose, "temporal.sh"))
		cmd.Dir, cmd.Env = dir, env
		return startProcess(t, dir, "temporal", cmd)
	}
	s.process = s.launch()
	s.prepare(t)
	return s
}

// restart starts the server again after a kill and waits until it serves.
func (s *temporalServer) restart(t *testing.T) {
	t.Helper()
	s.process = s.launch()
	c := s.dial(t)
	defer c.Close()
	until(t, "Temporal to come back", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace})
		return err == nil
	})
}

// dial returns a client that connects when it is used.
func (s *temporalServer) dial(t *testing.T) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: s.address, Namespace: namespace, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// prepare creates the namespace and the search attributes, with the script of the
// containers.
func (s *temporalServer) prepare(t *testing.T) {
	t.Helper()
	s.runNamespaceScript(t, namespace)
	// The containers run it at every start: it must change nothing.
	if out := s.runNamespaceScript(t, namespace); out != "" {
		t.Errorf("namespace.sh again:\n%s", out)
	}
}

// runNamespaceScript runs the script that creates a namespace, and returns what it says.
// In place of Temporal's command line it has temporalCommand.
func (s *temporalServer) runNamespaceScript(t *testing.T, namespace string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(exe, filepath.Join(bin, "temporal")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", filepath.Join(root, "deploy", "compose", "namespace.sh"))
	cmd.Env = environment("PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), asTemporal+"=1",
		"TEMPORAL_ADDRESS="+s.address, "TEMPORAL_NAMESPACE="+namespace, "RETENTION=24h")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("namespace.sh: %v\n%s", err, out)
	}
	return string(out)
}

// silent is a logger that discards everything, for clients of servers that are killed.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
