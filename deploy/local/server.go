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

const logName = "temporal.log"

// Start runs a server on o.Dir and returns when it answers, which takes about a second.
// The server goes on with the workflows that it finds there, also after a kill -9. When
// ctx ends during the start, Start returns its cause; later, ctx has no effect. The error
// is an [*InUseError] if another server runs on the directory, and a [*VersionError] if
// this server cannot read the database.
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
		if err != nil && ctx.Err() != nil { // err alone may not say that the context ended
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

	// After a crash, clients try to connect to the port that the server had.
	port := DefaultGRPCPort
	if before, err := readInfo(o.Dir); err == nil && before.HostPort != "" {
		if a, err := netip.ParseAddrPort(before.HostPort); err == nil {
			port = int(a.Port())
		}
	}
	info := Info{PID: os.Getpid(), Namespace: o.Namespace, Started: time.Now(), TLS: true, dir: o.Dir}
	if err := writeInfo(o.Dir, info); err != nil { // the addresses follow when they are known
		return nil, err
	}
	undo.add(func() error { return removeIfThere(filepath.Join(o.Dir, infoName)) })

	logFile := NewLogFile(filepath.Join(o.Dir, logName), LogLimit)
	undo.add(logFile.Close)
	log := slog.New(slog.NewTextHandler(logFile, &slog.HandlerOptions{Level: slog.LevelWarn}))

	var uiListener net.Listener
	if o.UIPort >= 0 { // first, so that a busy port is an error before anything starts
		if uiListener, err = listen("the Web UI", loopback, o.UIPort, DefaultUIPort, o.Logger); err != nil {
			return nil, err
		}
		undo.add(func() error { uiListener.Close(); return nil }) // the UI may have closed it already
	}
	if err := prepareKeys(o.Dir, time.Now()); err != nil {
		return nil, err
	}
	if err := prepareClientFiles(o.ClientFiles); err != nil {
		return nil, err
	}
	forClients, err := clientTLS(o.Dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(o.Dir, dbName)
	if err := prepareDatabase(ctx, file); err != nil {
		return nil, err
	}
	conf := sqlConfig(file)
	leftOut, err := prepareNamespace(ctx, conf, o)
	if err != nil {
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
		url, stop, err := startWebUI(uiListener, addr, o, forClients, log)
		if err != nil {
			return nil, err
		}
		undo.add(stop)
		info.UIURL = url
	}
	published := info
	if o.Private {
		published.HostPort, published.UIURL = "", ""
	} else if err := writeProfile(info); err != nil {
		return nil, err
	}
	clientProfile, err := writeClientFiles(o.ClientFiles, info)
	if err != nil {
		return nil, err
	}
	if err := writeInfo(o.Dir, published); err != nil {
		return nil, err
	}
	undo.add(func() error { // no process should connect to a server that stops
		return writeInfo(o.Dir, Info{PID: info.PID, Namespace: info.Namespace, Started: info.Started})
	})
	return &Server{
		HostPort: info.HostPort, UIURL: info.UIURL, TLS: forClients, Profile: filepath.Join(o.Dir, profileName),
		ClientProfile: clientProfile, LeftOut: leftOut, stop: sync.OnceValue(undo.close),
		setReport: func(url string) error {
			with := info
			with.ReportURL = url
			return writeInfo(o.Dir, with)
		},
	}, nil
}

// closers are functions that undo what a start did.
type closers struct{ fns []func() error }

func (c *closers) add(f func() error) { c.fns = append(c.fns, f) }

// close calls all functions, the last added first, and joins their errors.
func (c *closers) close() error {
	var errs []error
	for _, f := range slices.Backward(c.fns) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// removeIfThere removes a file. It is no error if there is none.
func removeIfThere(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
