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

	"github.com/topksweep/sweep/cmd/sweep/monitor"
	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/disk"
	"github.com/topksweep/sweep/sweep/page"
	"github.com/topksweep/sweep/sweep/payload"
)

// A stack is an embedded server, a connection to it and a worker on it.
type stack struct {
	embedded *local.Server
	server   *server
	workers  *workers
	report   *page.Server     // nil without the live report
	monitor  *monitor.Monitor // nil without metrics
	log      *local.LogFile
	folders  []folder                                // that it writes to
	prefer   func(ctx context.Context, sweep string) // server.prefer

	stopKeeper func() // nil if none has begun
}

// workerLog is the file of the state directory that the worker of a stack logs to.
const workerLog = "worker.log"

// serverMemory is what the embedded server takes beside the runs, in bytes.
const serverMemory = 256 << 20

// startStack starts everything in this process but training, which starts with workers.train. A device without a
// backend trains nothing. patience is that of its worker with what every worker refuses.
func startStack(ctx context.Context, env *environment, at location, o serverOptions, device trainingDevice,
	store storage.Store, patience time.Duration) (_ *stack, err error) {

	k := &stack{}
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
	k.log = local.NewLogFile(filepath.Join(at.dir, workerLog), local.LogLimit)
	if _, err := k.log.Write(nil); err != nil {
		fmt.Fprintf(env.errOut, "note: the worker has no log for now: %v\n", err)
	}
	log := slog.New(slog.NewTextHandler(k.log, nil))
	listen, err := o.network.resolve(ctx)
	if err != nil {
		return nil, err
	}
	opts := local.Options{
		GRPCPort: o.grpcPort, UIPort: o.uiPort, Listen: listen, ClientFiles: o.network.clientKeys,
	}
	if o.noUI {
		opts.UIPort = -1
	}
	keys, err := o.payloads.keys()
	if err != nil {
		return nil, err
	}
	if err := k.startServer(ctx, at, opts, o.metrics, keys, log); err != nil {
		return nil, err
	}
	go noteUnreadable(ctx, env, k.server.unreadable)
	noteWebhook(env, device.webhook)
	noteOpenDir(env, at.dir)
	for _, why := range k.embedded.LeftOut {
		fmt.Fprintf(env.errOut, "note: sweeps go without a %v\n", why)
	}
	clearPreferred(ctx, k.server, log)
	if err := k.startWorkers(store, device, patience, listen == "", log); err != nil {
		return k, err
	}
	k.workers.watch(k.monitor, store, device)
	k.stopKeeper = startKeeper(store, at, device.keep, log)
	if o.report.off {
		return k, nil
	}
	if k.report, err = serveReports(ctx, o.report, store, k.server.client); err != nil {
		return k, err
	}
	return k, k.embedded.SetReport(k.report.URL)
}

// startWorkers starts the worker of a stack.
func (k *stack) startWorkers(store storage.Store, device trainingDevice, patience time.Duration, oneMachine bool,
	log *slog.Logger) (err error) {

	if device.backend == nil {
		k.prefer = func(context.Context, string) {}
		k.workers, err = startLightWorker(k.server.client, store, device.webhook, log)
		return err
	}
	// Training keeps every core busy. The server in the same process gets
	// scheduler slots of its own, so that no heartbeat queues behind a step.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	k.prefer = func(ctx context.Context, sweep string) { prefer(ctx, k.server, device.backend.Name(), sweep, log) }
	if k.workers, err = startWorkers(k.server.client, store, device, patience, oneMachine, log); err != nil {
		return err
	}
	k.workers.activities.LimitMemory(serverMemory)
	return nil
}

// startServer starts the server on a state directory, and connects to it. keys are those of the payloads: without the
// one of a sweep that runs there it is an error.
func (k *stack) startServer(ctx context.Context, at location, o local.Options, metrics metricsOptions,
	keys *payload.Keys, log *slog.Logger) (err error) {

	k.folders = foldersOf(at)
	o.Dir, o.SearchAttributes = at.dir, searchAttributes()
	if keys.Any() {
		o.PayloadCodec = keys
	}
	if k.embedded, err = local.Start(ctx, o); err != nil {
		return explain(k.folders, err)
	}
	if k.monitor, err = metrics.start(ctx, log); err != nil {
		return err
	}
	to := embeddedOptions(k.embedded.HostPort, local.DefaultNamespace, k.embedded.TLS)
	to.MetricsHandler = k.monitor.SDK()
	k.server, err = connect(ctx, to, keys, log)
	if err != nil {
		return fmt.Errorf("connect to the server just started: %w", err)
	}
	if err := checkReadable(ctx, k.server); err != nil {
		return err
	}
	k.server.uiURL, k.server.folders = k.embedded.UIURL, k.folders
	k.server.attributesNoted = true
	k.server.close = sync.OnceFunc(k.server.close)
	return nil
}

// stop saves what is in training, then ends the worker and the server. A server whose
// disk is full cannot take what the worker would report, so the worker need not try for
// long: without the connection its calls end at once. The next server finds the
// checkpoints.
func (k *stack) stop() {
	if k.report != nil {
		k.report.Close()
	}
	if k.stopKeeper != nil {
		k.stopKeeper()
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
	k.monitor.Close()
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

// addresses names where the server, its Web UI, the live report and the metrics are.
func (k *stack) addresses() string {
	reportURL := ""
	if k.report != nil {
		reportURL = k.report.URL
	}
	out := addresses(k.embedded.HostPort, k.embedded.UIURL, reportURL)
	if k.monitor != nil {
		out += "\nmetrics at " + k.monitor.URL()
	}
	return out
}

// addresses names where a server is and, on lines of their own, the links to its Web UI and its live report, if it has
// them.
func addresses(hostPort, uiURL, reportURL string) string {
	out := hostPort
	if uiURL != "" {
		out += "\nWeb UI at " + uiURL
	}
	if reportURL != "" {
		out += "\nreport at " + reportURL
	}
	return out
}
