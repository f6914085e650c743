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

// Info tells how to join a server that some process runs.
type Info struct {
	PID       int       `json:"pid"`
	HostPort  string    `json:"host_port,omitempty"` // gRPC; empty while it starts or stops
	UIURL     string    `json:"ui_url,omitempty"`    // empty if there is no Web UI
	Namespace string    `json:"namespace"`
	Started   time.Time `json:"started"`
}

// Running reports the server that runs on dir, in this process or another. It is
// false without an error when there is none, also after a crash. Info.HostPort is
// empty for the second or so that the server takes to start or to stop.
func Running(dir string) (Info, bool, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, err
	}
	defer f.Close() // which drops the lock again
	free, err := tryLock(f, false)
	if err != nil || free {
		return Info{}, false, err
	}
	info, err := readInfo(dir)
	return info, err == nil, err
}

// readInfo returns the zero Info if a server has yet to say who it is.
func readInfo(dir string) (Info, error) {
	name := filepath.Join(dir, infoName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, nil
	}
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(b, &info); err != nil {
		return Info{}, fmt.Errorf("read %s: %w", name, err)
	}
	return info, nil
}

// InUseError says that another process runs a server on the same directory.
type InUseError struct {
	Dir  string
	Info Info // of the other server, as far as it has told
}

// Who names the other process.
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

// VersionError says that the database in the directory is not one that the embedded
// server reads. Versions are major.minor.
type VersionError struct {
	Have string // the server that wrote it; empty if it was none of ours
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
