package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	lockName = "server.lock"
	infoName = "server.json"
	dbName   = "temporal.db"
)

// Info describes a server that some process runs, so that others can connect to it.
type Info struct {
	PID       int       `json:"pid"`
	HostPort  string    `json:"host_port,omitempty"`  // HOST:PORT of gRPC; empty while the server starts or stops
	UIURL     string    `json:"ui_url,omitempty"`     // empty if there is no Web UI; it holds the key of its user
	ReportURL string    `json:"report_url,omitempty"` // as Server.SetReport gave it
	Namespace string    `json:"namespace"`
	Started   time.Time `json:"started"`
	TLS       bool      `json:"tls,omitempty"` // it takes only clients with its keys: see ClientTLS

	dir string // where the keys are
}

// HasDatabase reports whether a server has run on dir, so that its database is there.
func HasDatabase(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, dbName))
	return err == nil
}

// Running returns the Info of the server that runs on dir, in this process or another. It
// returns false, without an error, when none runs there, also after a crash. While a
// server starts or stops, which takes about a second, Info.HostPort is empty.
func Running(dir string) (Info, bool, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, err
	}
	defer f.Close() // this also releases the lock
	free, err := tryLock(f, false)
	if err != nil || free {
		return Info{}, false, err
	}
	info, err := readInfo(dir)
	return info, err == nil, err
}

// readInfo reads server.json. It returns the zero Info if there is no such file: a server
// that is just starting has not written it.
func readInfo(dir string) (Info, error) {
	name := filepath.Join(dir, infoName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, nil
	}
	if err != nil {
		return Info{}, err
	}
	info := Info{dir: dir}
	if err := json.Unmarshal(b, &info); err != nil {
		return Info{}, fmt.Errorf("read %s: %w", name, err)
	}
	return info, nil
}

// InUseError is the error of Start when another process runs a server on the directory.
type InUseError struct {
	Dir  string
	Info Info // of the other server; parts may be missing while it starts
}

// Who names the other process, as "process PID" or "another process".
func (e *InUseError) Who() string {
	if e.Info.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", e.Info.PID)
}

func (e *InUseError) Error() string {
	s := fmt.Sprintf("open %s: in use by a server in %s", filepath.Join(e.Dir, dbName), e.Who())
	if e.Info.HostPort != "" {
		s += " at " + e.Info.HostPort
	}
	return s + "; use that server, stop it first, or choose another directory with --dir"
}

// VersionError is the error of Start when the embedded server cannot read the database in
// the directory. Versions have the form major.minor.
type VersionError struct {
	Have string // the server that wrote it; empty if another program did
	Want string // the embedded server
}

func (e *VersionError) Error() string {
	by := "Temporal server " + e.Have
	if e.Have == "" {
		by = "another program"
	}
	return "written by " + by + ", but this build embeds Temporal server " + e.Want + ", which cannot convert it; " +
		"use the build that wrote it, choose another directory with --dir, or move the file away to begin anew " +
		"(it holds workflow histories only, no checkpoints or results)"
}
