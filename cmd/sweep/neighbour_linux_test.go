package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/deploy/local"
)

// nobody is a user that has no files.
const nobody = 65534

// A program of another user gets nothing from any port that sweep up listens on, and reads none of its files.
func TestNeighbour(t *testing.T) {
	t.Parallel()
	around := openFolder(t)
	dir := filepath.Join(around, "state")
	up, info := startServer(t, dir, "--slots", "1", "--no-ui=false")
	waitFor(t, "the report", func() bool {
		now, running, err := local.Running(dir)
		info = now
		return err == nil && running && info.ReportURL != ""
	})
	id := strings.TrimSpace(mustRun(t, dir, "submit",
		writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 1000000"))))
	waitFor(t, "training", func() bool { return training(statusOfSweep(t, dir, id)) > 0 })

	ports := listeningPorts(t, up.Process.Pid)
	for name, at := range map[string]string{
		"server": "http://" + info.HostPort, "Web UI": info.UIURL, "report": info.ReportURL,
	} {
		if u, err := url.Parse(at); err != nil || !slices.Contains(ports, u.Port()) {
			t.Fatalf("the %s is at %q, %v; %v listens on %v", name, at, err, up.Args[1:], ports)
		}
	}
	if len(ports) < 6 {
		t.Fatalf("%v listens on %v; want those of three services as well", up.Args[1:], ports)
	}
	var targets []string
	for _, port := range ports {
		targets = append(targets, ":"+port)
	}
	for _, got := range neighbour(t, os.Geteuid(), id, targets...) {
		t.Errorf("without the keys: %s", got)
	}
	if os.Geteuid() == 0 {
		t.Run("other user", func(t *testing.T) { attackFiles(t, around, dir, id, targets) })
	}
	if s := statusOfSweep(t, dir, id); s.State != "training" {
		t.Errorf("after the attacks: %s", s.State)
	}
	up.terminate(t)
}

// attackFiles has another user read what lies in dir, first as the program has made it, then where its user has
// opened the folder: then the files protect themselves.
func attackFiles(t *testing.T, around, dir, id string, targets []string) {
	open := filepath.Join(around, "open.txt")
	if err := os.WriteFile(open, []byte("for all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := neighbour(t, nobody, id, open); len(got) != 1 {
		t.Fatalf("another user cannot even read what is for all: %v", got)
	}
	var secret, all []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		all = append(all, path)
		if name, _ := filepath.Rel(dir, path); name != "." && strings.Split(name, "/")[0] != "store" {
			secret = append(secret, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys/client.key", "server.json", "temporal.toml", "temporal.db", "worker.log"} {
		if !slices.Contains(secret, filepath.Join(dir, name)) {
			t.Errorf("there is no %s", name)
		}
	}
	for _, got := range neighbour(t, nobody, id, append(all, targets...)...) {
		t.Errorf("another user: %s", got)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, got := range neighbour(t, nobody, id, secret...) {
		t.Errorf("another user, in an open folder: %s", got)
	}
}

// openFolder returns a folder that every user can enter.
func openFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for at := dir; strings.HasPrefix(at, os.TempDir()+"/"); at = filepath.Dir(at) {
		if st, err := os.Stat(at); err != nil || st.Mode().Perm()&0o005 == 0o005 {
			continue
		}
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// neighbour runs the hostile program as a user, and returns what it got.
func neighbour(t *testing.T, uid int, sweep string, targets ...string) (got []string) {
	t.Helper()
	c := exec.Command("/proc/self/exe", targets...) // another user need not be able to enter its folder
	c.Dir = "/"
	c.Env = []string{asNeighbour + "=" + sweep}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != os.Geteuid() {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	var messages strings.Builder
	c.Stderr = &messages
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the neighbour: %v\n%s", err, messages.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if end := fmt.Sprintf("tried %d", len(targets)); lines[len(lines)-1] != end {
		t.Fatalf("the neighbour has not ended with %q:\n%s%s", end, out, messages.String())
	}
	return lines[:len(lines)-1]
}

// listeningPorts returns the TCP ports that a process listens on.
func listeningPorts(t *testing.T, pid int) (ports []string) {
	t.Helper()
	process := filepath.Join("/proc", strconv.Itoa(pid))
	fds, err := os.ReadDir(filepath.Join(process, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]bool{}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(process, "fd", fd.Name())); err == nil {
			own[to] = true
		}
	}
	const listening = "0A"
	for _, family := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(process, "net", family))
		if err != nil {
			continue // a machine without IPv6
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text()) // sl local_address rem_address st … inode at 9
			if len(fields) < 10 || fields[3] != listening || !own["socket:["+fields[9]+"]"] {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, strconv.FormatUint(port, 10))
		}
	}
	return ports
}
