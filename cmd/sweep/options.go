package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/webhook"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// deviceOptions say how a process trains.
type deviceOptions struct {
	backend string // auto, cpu or cuda
	gpus    []int  // empty: all
	perGPU  int    // runs that each GPU trains at a time; 0: as many as its memory holds, at most autoPerGPU
	slots   int    // runs that the process trains at a time; 0: the default

	stuckAfter time.Duration // without progress until a run is stuck; 0: never
	keep       keepFlag
	webhook    webhookFlag
}

// autoPerGPU is how many slots a GPU has without --slots-per-gpu. A run that finds no memory waits for another to end.
const autoPerGPU = 16

// defaultStuckAfter is longer than a sound disk or a device takes for anything.
const defaultStuckAfter = 10 * time.Minute

func (o *deviceOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.backend, "backend", "auto", "what to train on: auto, cpu or cuda; auto is cuda where there is a GPU")
	f.IntSliceVar(&o.gpus, "gpus", nil, "`numbers` of the GPUs to train on, as in 0,1 (default all)")
	f.Var(atLeast1OrAuto(&o.perGPU), "slots-per-gpu", fmt.Sprintf("`runs` that each GPU trains at a time; auto is "+
		"as many as its memory holds, at most %d", autoPerGPU))
	f.Var(atLeast1(&o.slots), "slots", "runs that this process trains at a time "+
		"(default: one per core, at most 4, or what the GPUs have)")
	f.DurationVar(&o.stuckAfter, "stuck-after", defaultStuckAfter, "how long nothing of a run may move, "+
		"neither a step nor a byte, before another slot or worker gets it; longer for very slow disks, 0 is never")
	o.keep.time = defaultKeep
	f.Var(&o.keep, "keep-checkpoints", "how long the checkpoints stay that extending a finished sweep begins from, "+
		"a duration or "+neverRemoved+"; while the store's disk is nearly full the oldest go at once")
	o.webhook.addFlag(f)
}

// trainingDevice is what a process trains on, and how many runs at a time.
type trainingDevice struct {
	backend trainer.Backend
	slots   int
	data    data.Options // as environment.dataOptions

	usage func() []gpuUsage // of its GPUs; nil without any

	// lost gets one error when nothing of the device works any more. It is nil where that cannot be: it never gets any.
	lost <-chan error

	stuckAfter time.Duration // as deviceOptions.stuckAfter
	keep       keepFlag      // as deviceOptions.keep
	renew      time.Duration // as environment.renew
	heartbeat  time.Duration // as workers.heartbeat; 0 for that of a server whose calls cost nothing
	idle       *idleClock    // nil for none

	webhook webhook.Target // what people are told goes there
}

// workerBackend describes the device as one elsewhere.
func (d trainingDevice) workerBackend() workerBackend {
	return workerBackend{d.backend.Name(), d.backend.Bytes, d.backend.Unsupported}
}

// openDevice opens what the options ask for, and prints a note about it if there is
// one.
func openDevice(env *environment, o deviceOptions) (trainingDevice, error) {
	if o.stuckAfter < 0 {
		return trainingDevice{}, inputError{fmt.Errorf("--stuck-after %v: want a duration of 0 or more", o.stuckAfter)}
	}
	tell, err := o.webhook.target()
	if err != nil {
		return trainingDevice{}, err
	}
	options, err := env.dataOptions()
	if err != nil {
		return trainingDevice{}, err
	}
	device, note, err := o.open()
	if err == nil && note != "" {
		fmt.Fprintln(env.errOut, note)
	}
	device.data, device.stuckAfter, device.keep, device.renew = options, o.stuckAfter, o.keep, env.renew
	device.webhook = tell
	if pool, ok := device.backend.(*gpuPool); ok {
		pool.note = func(line string) { fmt.Fprintln(env.errOut, line) }
	}
	if err == nil && env.backend != nil {
		device.backend = env.backend(device.backend)
	}
	return device, err
}

// cpuSlots returns how many runs train on the CPU at a time, and on how many
// threads each. Results do not depend on either.
func (o *deviceOptions) cpuSlots() (slots, threads int) {
	cores := runtime.GOMAXPROCS(0)
	slots = o.slots
	if slots == 0 {
		slots = min(4, cores)
	}
	return slots, max(1, cores/slots)
}

// serverOptions say how the embedded server listens.
type serverOptions struct {
	noUI             bool
	uiPort, grpcPort int // 0: the default
	report           servingOptions
	metrics          metricsOptions
	payloads         payloadFlag
	network          networkOptions // of up alone
}

func (o *serverOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.noUI, "no-ui", false, "run without the Temporal Web UI")
	f.Var(port(&o.uiPort), "ui-port", "`port` of the Web UI on 127.0.0.1 (default 8233, or any free one)")
	f.Var(port(&o.grpcPort), "grpc-port", "`port` of the Temporal server (default 7233, or any free one)")
	o.report.addFlags(f)
	o.metrics.addFlags(f)
	o.payloads.addFlag(f)
}

func (o *serverOptions) check() error {
	if _, err := o.payloads.keys(); err != nil {
		return err
	}
	if o.uiPort > 0 && o.uiPort == o.grpcPort && !o.noUI {
		return inputError{fmt.Errorf("--ui-port %d: want another port than --grpc-port", o.uiPort)}
	}
	if err := o.network.check(); err != nil {
		return err
	}
	return o.report.check(*o)
}
