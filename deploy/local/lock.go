//go:build !noserver

package local

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// lockDir locks dir: no other server can run on it until the file is closed. If another
// process holds the lock, lockDir waits 200 ms, since Running takes the lock for a
// moment, and then returns an InUseError.
func lockDir(ctx context.Context, dir string) (_ *os.File, err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	giveUp := time.After(200 * time.Millisecond)
	for {
		ok, err := tryLock(f, true)
		if err != nil {
			return nil, err
		}
		if ok {
			return f, nil
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-giveUp:
			info, _ := readInfo(dir) // without it, the error says less
			return nil, &InUseError{Dir: dir, Info: info}
		}
	}
}

// writeInfo replaces server.json.
func writeInfo(dir string, info Info) error {
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, infoName), append(b, '\n'))
}

// replaceFile replaces a file in one step, so that a reader never sees half of it. Only its
// owner can read it.
func replaceFile(name string, content []byte) error {
	tmp := name + ".tmp" // only the process with the lock writes it
	err := os.WriteFile(tmp, content, 0o600)
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		os.Remove(tmp) // on a full disk it may hold a part
	}
	return err
}
