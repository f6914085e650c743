//go:build !noserver

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	logName  = "temporal.log"
	logLimit = 8 << 20 // bytes; twice that with the file before
)

// Start runs a server on o.Dir and returns when it answers, within about a second; ctx
// bounds only the start, and its cause is in the error if it ended it. The server goes on with what it finds there, also after a
// kill -9. It returns an [*InUseError] if another server runs there, and a
// [*VersionError] if the database is not one that this server reads.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	var undo closers
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.close())
		}
		if err != nil && ctx.Err() != nil { // what was under way failed in words of its own
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	undo.add(lock.Close)

	// After a crash clients look for the server where it was.
	port := DefaultGRPCPort
	if before, err := readInfo(o.Dir); err == nil && before.HostPort != "" {
		if a, err := netip.ParseAddrPort(before.HostPort); err == nil {
			port = int(a.Port())
		}
	}
	info := Info{PID: os.Getpid(), Namespace: o.Namespace, Started: time.Now()}
	if err := writeInfo(o.Dir, info); err != nil { // who holds the lock; where follows
		return nil, err
	}
	undo.add(func() error { return removeIfThere(filepath.Join(o.Dir, infoName)) })

	logFile, err := openLogFile(filepath.Join(o.Dir, logName), logLimit)
	if err != nil {
		return nil, err
	}
	undo.add(logFile.Close)
	log := slog.New(slog.NewTextHandler(logFile, &slog.HandlerOptions{Level: slog.LevelWarn}))

	var uiListener net.Listener
	if o.UIPort >= 0 { // early: a busy port is known before anything starts
		if uiListener, err = listen("the Web UI", o.UIPort, DefaultUIPort, o.Logger); err != nil {
			return nil, err
		}
		undo.add(func() error { uiListener.Close(); return nil }) // its server may have closed it
	}
	file := filepath.Join(o.Dir, dbName)
	if err := prepareDatabase(ctx, file); err != nil {
		return nil, err
	}
	conf := sqlConfig(file)
	if err := prepareNamespace(ctx, conf, o); err != nil {
		return nil, err
	}
	undo.add(func() error { return checkpoint(file) })

	addr, stop, err := startTemporal(ctx, conf, o, port, log)
	if err != nil {
		return nil, err
	}
	undo.add(stop)
	info.HostPort = addr
	if uiListener != nil {
		stop, err := startWebUI(ctx, uiListener, addr, o.Namespace, log)
		if err != nil {
			return nil, err
		}
		undo.add(stop)
		info.UIURL = "http://" + uiListener.Addr().String()
	}
	if err := writeInfo(o.Dir, info); err != nil {
		return nil, err
	}
	undo.add(func() error { // nobody should join what is about to stop
		return writeInfo(o.Dir, Info{PID: info.PID, Namespace: info.Namespace, Started: info.Started})
	})
	return &Server{HostPort: info.HostPort, UIURL: info.UIURL, stop: sync.OnceValue(undo.close)}, nil
}

// closers is what has to be undone, last first.
type closers struct{ fns []func() error }

func (c *closers) add(f func() error) { c.fns = append(c.fns, f) }

func (c *closers) close() error {
	var errs []error
	for _, f := range slices.Backward(c.fns) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func removeIfThere(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
