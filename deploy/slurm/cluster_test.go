//go:build linux

package slurm_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testLimit is far more than any step of the test takes on a busy machine.
const testLimit = 15 * time.Minute

// cluster is a whole Slurm on this machine, of two nodes with one GPU each, that is none. It has its own munged, files
// and ports, and the user of the test is its administrator.
type cluster struct {
	dir string
}

// config is slurm.conf. A job of the partition high preempts those of low: they get requeued. A job that is requeued
// starts again once its credential has expired.
const config = `
ClusterName=test
SlurmctldHost=%[2]s(127.0.0.1)
SlurmUser=%[3]s
SlurmdUser=%[3]s
SlurmctldPort=%[4]d
AuthType=auth/munge
AuthInfo=socket=%[1]s/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/spool-%%n
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/slurmd-%%n.pid
SlurmctldLogFile=%[1]s/slurmctld.log
SlurmdLogFile=%[1]s/slurmd-%%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MessageTimeout=60
SlurmdTimeout=600
KillWait=60
MinJobAge=3600
SchedulerParameters=sched_interval=2,batch_sched_delay=1
NodeName=n1 NodeHostname=%[2]s NodeAddr=127.0.0.1 Port=%[5]d CPUs=2 RealMemory=2000 Gres=gpu:1
NodeName=n2 NodeHostname=%[2]s NodeAddr=127.0.0.1 Port=%[6]d CPUs=2 RealMemory=2000 Gres=gpu:1
PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1
PartitionName=high Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF
`

// startCluster starts munged, slurmctld and two slurmd, which end with the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "sweep-slurm") // short: the name of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &cluster{dir}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	ports := freePorts(t, 3)
	for name, text := range map[string]string{
		"slurm.conf": fmt.Sprintf(config, dir, host, me.Username, ports[0], ports[1], ports[2]),
		"gres.conf":  "NodeName=n[1-2] Name=gpu Count=1 File=/dev/null\n",
		"munge.key":  strings.Repeat("of this test alone; ", 10),
	} {
		if err := os.WriteFile(c.in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"state", "spool-n1", "spool-n2"} {
		if err := os.Mkdir(c.in(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.daemon(t, "munged", "--foreground", "--force", "--key-file="+c.in("munge.key"), "--socket="+c.in("munge.sock"),
		"--pid-file="+c.in("munged.pid"), "--log-file="+c.in("munged.log"), "--seed-file="+c.in("munged.seed"))
	until(t, "munged", func() bool { _, err := os.Stat(c.in("munge.sock")); return err == nil })
	c.daemon(t, "slurmctld", "-D")
	c.daemon(t, "slurmd", "-D", "-N", "n1")
	c.daemon(t, "slurmd", "-D", "-N", "n2")
	until(t, "two idle nodes", func() bool {
		out, _ := c.command("sinfo", "-h", "-p", "low", "-t", "idle", "-o", "%D").Output()
		return strings.TrimSpace(string(out)) == "2"
	})
	t.Cleanup(func() { // before the daemons end, so that no job is left
		c.command("scancel", "--me").Run()
		until(t, "no jobs", func() bool {
			out, err := c.command("squeue", "-h").Output()
			return err == nil && len(out) == 0
		})
	})
	return c
}

func (c *cluster) in(name string) string { return filepath.Join(c.dir, name) }

// command returns one of Slurm's commands for this cluster.
func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil { // not in the PATH of users
		cmd = exec.Command(path, args...)
	}
	cmd.Env = append(os.Environ(), "SLURM_CONF="+c.in("slurm.conf"))
	cmd.Dir = c.dir
	return cmd
}

// run runs one of Slurm's commands, which must succeed.
func (c *cluster) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := c.command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// daemon starts a program that ends with the test.
func (c *cluster) daemon(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := c.command(name, args...)
	log, err := os.Create(c.in(fmt.Sprintf("%s-%d.out", name, len(args))))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
}

// job returns a field of what Slurm says of a job.
func (c *cluster) job(t *testing.T, id, field string) string {
	t.Helper()
	text := c.run(t, "scontrol", "show", "job", "-o", id)
	m := regexp.MustCompile(`\b` + field + `=(\S*)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %s", field, text)
	}
	return m[1]
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// until polls for something that other processes bring about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}
