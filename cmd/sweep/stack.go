package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/disk"
	"github.com/topksweep/sweep/sweep/page"
)

// A stack is an embedded server, a connection to it and a worker on it.
type stack struct {
	embedded *local.Server
	server   *server
	workers  *workers
	report   *page.Server // nil without the live report
	log      *os.File
	folders  []folder                                // that it writes to
	prefer   func(ctx context.Context, sweep string) // server.prefer
}

// serverMemory is what the embedded server takes beside the runs, in bytes.
const serverMemory = 256 << 20

// startStack starts everything in this process. patience is that of its worker with what every worker refuses.
func startStack(ctx context.Context, env *environment, at location, o serverOptions, device trainingDevice,
	store storage.Store, patience time.Duration) (_ *stack, err error) {

	k := &stack{folders: foldersOf(at)}
	defer func() {
		if err != nil {
			k.stop()
		}
	}()
	if err := os.MkdirAll(at.dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", disk.Explain(at.dir, err))
	}
	if err := checkRoom(at.dir); err != nil {
		return nil, err
	}
	// The worker's own log stays out of the progress on the terminal.
	log := slog.New(slog.DiscardHandler)
	k.log, err = os.OpenFile(filepath.Join(at.dir, "worker.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintf(env.errOut, "note: the worker has no log: %v\n", err)
	} else {
		log = slog.New(slog.NewTextHandler(k.log, nil))
	}
	opts := local.Options{Dir: at.dir, GRPCPort: o.grpcPort, UIPort: o.uiPort, SearchAttributes: searchAttributes()}
	if o.noUI {
		opts.UIPort = -1
	}
	if k.embedded, err = local.Start(ctx, opts); err != nil {
		return nil, explain(k.folders, err)
	}
	for _, why := range k.embedded.LeftOut {
		fmt.Fprintf(env.errOut, "note: sweeps go without a %v\n", why)
	}
	// Training keeps every core busy. The server in the same process gets
	// scheduler slots of its own, so that no heartbeat queues behind a step.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	keys, err := o.payloads.keys()
	if err != nil {
		return nil, err
	}
	to := client.Options{HostPort: k.embedded.HostPort, Namespace: local.DefaultNamespace}
	if k.server, err = connect(ctx, to, keys, log); err != nil {
		return nil, fmt.Errorf("connect to the server just started: %w", err)
	}
	if err := checkReadable(ctx, k.server); err != nil {
		return nil, err
	}
	go noteUnreadable(ctx, env, k.server.unreadable)
	k.server.uiURL, k.server.folders = k.embedded.UIURL, k.folders
	k.server.attributesNoted = true
	k.server.close = sync.OnceFunc(k.server.close)
	clearPreferred(ctx, k.server, log)
	k.prefer = func(ctx context.Context, sweep string) { prefer(ctx, k.server, device.backend.Name(), sweep, log) }
	if k.workers, err = startWorkers(k.server.client, store, device, patience, onLoopback, log); err != nil {
		return k, err
	}
	k.workers.activities.LimitMemory(serverMemory)
	if o.report.off {
		return k, nil
	}
	k.report, err = serveReports(ctx, o.report, store, k.server.client)
	return k, err
}

// stop saves what is in training, then ends the worker and the server. A server whose
// disk is full cannot take what the worker would report, so the worker need not try for
// long: without the connection its calls end at once. The next server finds the
// checkpoints.
func (k *stack) stop() {
	if k.report != nil {
		k.report.Close()
	}
	if k.server != nil && serverFull(k.folders) {
		k.server.close()
	}
	if k.workers != nil {
		k.workers.stop()
	}
	if k.server != nil {
		k.server.close()
	}
	if k.embedded != nil {
		k.embedded.Stop()
	}
	if k.log != nil {
		k.log.Close()
	}
}

// noteUnsaved says, after stop, if a stage could not save what it had trained, or if the
// store takes nothing now: then a stage may have been cut off before it was saved.
func (k *stack) noteUnsaved(env *environment) {
	err := k.workers.activities.Unsaved()
	if err == nil {
		err = noRoom(k.folders)
	}
	if err != nil {
		fmt.Fprintf(env.errOut, "note: %v; what was trained since the last checkpoint may not be saved\n", err)
	}
}

// addresses names where the server, its Web UI and the live report are.
func (k *stack) addresses() string {
	out := addresses(k.embedded.HostPort, k.embedded.UIURL)
	if k.report != nil {
		out += ", report at " + k.report.URL
	}
	return out
}

// addresses names where a server and its Web UI, if it has one, are.
func addresses(hostPort, uiURL string) string {
	if uiURL == "" {
		return hostPort
	}
	return hostPort + ", Web UI at " + uiURL
}
