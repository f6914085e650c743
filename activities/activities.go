package activities

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/topksweep/sweep/activities/hostmem"
	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
	"github.com/topksweep/sweep/sweep/webhook"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/data"
)

// Activities are the activities of one worker. They are used by many goroutines.
type Activities struct {
	// Data says how data are read, but for the progress. It is set before the first activity.
	Data data.Options

	// Build names the program, for the results; "" if that is not known. It is set before the first activity.
	Build string

	// Worker is how the worker names itself to the server. It is set before the first activity.
	Worker string

	// Observer answers Look, and says which workers live; nil for none. It is set before the first activity.
	Observer Observer

	// Patience is how long every live worker must have refused an activity before its error is final. It is set before
	// the first activity.
	Patience time.Duration

	// OneMachine says that all workers of the server are on one machine: its devices do not get other abilities by
	// waiting. So what they lack for a stage is final without Patience. It is set before the first activity.
	OneMachine bool

	// Slots is how many stages the worker trains at a time; 0 if that is not known. It is set before the first activity.
	Slots int

	// StuckAfter is how long an attempt may do nothing before it is ended as stuck; 0 is for ever. New sets it. It is
	// changed before the first activity.
	StuckAfter time.Duration

	// OnLost, if not nil, is called when an attempt that is stuck does not end: its goroutine hangs, perhaps for ever,
	// and no other attempt should have its slot. inSlot says that it has a slot: it trains or evaluates. OnLost is set
	// before the first activity.
	OnLost func(why error, inSlot bool)

	// Webhook tells people elsewhere what becomes of sweeps; nil for nobody. It is set before the first activity, and
	// whoever sets it closes it.
	Webhook *webhook.Sender

	store      storage.Store // for checkpoints and models
	ledger     *ledger.Ledger
	backend    trainer.Backend
	log        *slog.Logger
	memory     *hostmem.Pool
	line       *memoryLine
	kept       *keptStates
	now        func() time.Time
	beat       time.Duration // between two heartbeats
	room       time.Duration // before a stage tries again to save what it has trained in a full store
	slotFor    time.Duration // for which it keeps its slot at least
	lookFor    time.Duration // that a look may take
	waiting    waitingRoom
	refused    *unfitness
	handOn     time.Duration // before the next try of what this worker refuses
	gate       trainingGate
	early      time.Duration // after which a suspected stage saves its first checkpoint at the latest
	alone      time.Duration // for which a suspected stage trains alone at most
	wait       patience      // at the gate
	renew      time.Duration // between two renewals of a claim
	memoryWait memoryPatience
	sights     sights
	metrics    *metrics
	live       liveAttempts

	activityOf func(context.Context) string // the name of an activity

	stuckGrace time.Duration // see stuckGrace, the constant
	saveWithin time.Duration // see saveWithin, the constant

	ctx    context.Context // ends when the worker closes; data sets are opened under it
	cancel context.CancelFunc

	mu      sync.Mutex
	headers map[string]*plan.Header // by sweep
	chunks  keptChunks
	sets    map[string]*openSet // by fingerprint
	dropped []*data.Set         // those that attempts may still read from
	opened  map[string]bool     // fingerprints of the data that this worker has opened
	unsaved error               // see Unsaved
	lost    int                 // attempts that hang
}

// New returns the activities of a worker that trains on backend and keeps
// everything in store. Close ends them.
func New(store storage.Store, backend trainer.Backend, log *slog.Logger) *Activities {
	ctx, cancel := context.WithCancel(context.Background())
	counts := newMetrics()
	store = watchedStore{store, counts}
	memory := hostmem.New()
	return &Activities{
		ctx: ctx, cancel: cancel, metrics: counts,
		store: store, ledger: ledger.New(store), backend: backend, log: log,
		memory: memory, line: newMemoryLine(), memoryWait: defaultMemoryPatience(), kept: &keptStates{memory: memory},
		now: time.Now, beat: time.Second, room: 5 * time.Second, slotFor: time.Minute,
		lookFor: 20 * time.Second, refused: newUnfitness(), handOn: refuseFor, activityOf: activityOf, Worker: ownName(),
		early: 10 * time.Second, alone: 10 * time.Minute, renew: renewEvery,
		wait:       patience{15 * time.Second, 10 * time.Minute},
		StuckAfter: stuckAfter, stuckGrace: stuckGrace, saveWithin: saveWithin,
		headers: map[string]*plan.Header{}, sets: map[string]*openSet{}, opened: map[string]bool{},
	}
}

// ownName names this process to other workers, for a worker that has no name of its own.
func ownName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%d@%s", os.Getpid(), cmp.Or(host, "unknown"))
}

// LimitMemory keeps the memory of the process near what its runs have reserved, and beside bytes for what else it does.
// It is for one worker of a process.
func (a *Activities) LimitMemory(beside int64) { a.memory.Limit(beside) }

// RenewEvery sets the time between two renewals of a claim, before the first activity. It must be the same for all
// workers of a store: a holder that leaves out three renewals is dead to the others.
func (a *Activities) RenewEvery(d time.Duration) { a.renew = d }

// Unsaved says, when the worker has stopped, why a stage could not save what it had trained
// since its last checkpoint: the newest such error, or nil if all is saved.
func (a *Activities) Unsaved() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsaved
}

// Registry is what activities are registered with: a Temporal worker.
type Registry interface {
	RegisterActivityWithOptions(a any, o activity.RegisterOptions)
}

// RegisterLight registers the activities of protocol.Queue: they read and write
// the store and need no training device.
func (a *Activities) RegisterLight(r Registry) {
	register(r, protocol.ActivityPrepare, a.Prepare)
	register(r, protocol.ActivityFail, a.RecordFailure)
	register(r, protocol.ActivityCollect, a.Collect)
	register(r, protocol.ActivityLook, a.Look)
}

// RegisterTraining registers the activities of protocol.TrainQueue.
func (a *Activities) RegisterTraining(r Registry) {
	register(r, protocol.ActivityTrain, a.TrainStage)
	register(r, protocol.ActivityEval, a.Evaluate)
	register(r, protocol.ActivityRuns, a.TrainRuns)
}

func register(r Registry, name string, fn any) {
	r.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
}
