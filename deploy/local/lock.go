//go:build !noserver

package local

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// lockDir makes this process the only one with a server on dir, until the file is
// closed. A lock that another process holds is waited for only as long as Running
// may hold it to probe.
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
			info, _ := readInfo(dir) // the error names what is known
			return nil, &InUseError{Dir: dir, Info: info}
		}
	}
}

// writeInfo replaces server.json as a whole, so that a reader never sees half of it.
func writeInfo(dir string, info Info) error {
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, infoName)
	tmp := name + ".tmp" // only the holder of the lock writes here
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
