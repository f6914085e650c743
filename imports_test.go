package sweep_test

// A row says what a package may import besides the standard library, and why it may
// import nothing else. Packages of this module are given by their folder. A pattern
// that ends in /... allows a whole tree.
type row struct {
	pkg    string
	allow  []string
	reason string
}

// layout says who may import whom. A package is held to the longest row that it
// lies in. Test files may import anything.
var layout = []row{
	{
		pkg:    "trainer",
		allow:  []string{"trainer/safetensors", "trainer/wide"},
		reason: "the model is maths: it knows no store, grid or Temporal, so that every backend and tool can use it",
	},
	{
		pkg:    "trainer/safetensors",
		allow:  nil,
		reason: "a file format stands alone",
	},
	{
		pkg:    "trainer/wide",
		allow:  []string{"golang.org/x/sys/cpu"},
		reason: "sums of numbers need to know the processor alone",
	},
	{
		pkg:    "trainer/models",
		allow:  []string{"trainer", "trainer/safetensors", "trainer/models/torchfile"},
		reason: "other tools' files are numbers and names: neither a store nor a grid is needed to read one",
	},
	{
		pkg:    "trainer/models/torchfile",
		allow:  []string{"trainer/safetensors"},
		reason: "a file format stands alone; names and values of dtypes are those of the other one",
	},
	{
		pkg:    "trainer/plain",
		allow:  []string{"trainer"},
		reason: "the step as one reads it is compared with backends, and knows none",
	},
	{
		pkg:    "trainer/cpu",
		allow:  []string{"trainer", "golang.org/x/sys/cpu"},
		reason: "a backend computes: it neither reads data nor writes checkpoints",
	},
	{
		pkg:    "trainer/cuda",
		allow:  []string{"trainer", "trainer/cuda/kernels", "trainer/cuda/driver"},
		reason: "a backend computes: it neither reads data nor writes checkpoints",
	},
	{
		pkg:    "trainer/cuda/bench/rows",
		allow:  []string{"trainer", "trainer/data", "trainer/safetensors"},
		reason: "it writes the data that a benchmark trains on, and trains nothing",
	},
	{
		pkg:    "trainer/cuda/kernels",
		allow:  []string{"trainer/cuda/driver"},
		reason: "kernels know shapes and launches, and nothing of the model",
	},
	{
		pkg:    "trainer/cuda/driver",
		allow:  []string{"gorgonia.org/cu"},
		reason: "the only package with cgo reaches the driver, and knows no kernel",
	},
	{
		pkg: "trainer/data",
		allow: []string{
			"trainer", "trainer/safetensors", "trainer/data/chunks", "trainer/data/mapping", "trainer/data/arrowfile",
			"trainer/data/parquetfile",
		},
		reason: "a source of rows reads files and objects, and knows no store",
	},
	{
		pkg:    "trainer/data/chunks",
		allow:  []string{"trainer/data/mapping"},
		reason: "a cache keeps bytes, and does not know what they mean",
	},
	{
		pkg:    "trainer/data/mapping",
		allow:  nil,
		reason: "a mapping is the system's matter alone",
	},
	{
		pkg:    "trainer/data/arrowfile",
		allow:  nil,
		reason: "a file format stands alone",
	},
	{
		pkg: "trainer/data/parquetfile",
		allow: []string{
			"github.com/klauspost/compress/...", "github.com/pierrec/lz4/v4", "github.com/andybalholm/brotli",
		},
		reason: "a file format stands alone; of libraries it needs those that decompress",
	},
	{
		pkg:    "trainer/backendtest",
		allow:  []string{"trainer", "trainer/plain", "trainer/safetensors"},
		reason: "the suite must run against any backend, so it knows none",
	},
	{
		pkg:    "storage",
		allow:  nil,
		reason: "the checkpoint protocol moves bytes; what they mean is the trainer's matter",
	},
	{
		pkg:    "storage/disk",
		allow:  nil,
		reason: "whether a disk has room is a question to the system alone",
	},
	{
		pkg:    "storage/dir",
		allow:  []string{"storage", "storage/disk"},
		reason: "a store does not know what it stores",
	},
	{
		pkg:    "storage/minio",
		allow:  []string{"storage", "github.com/minio/minio-go/v7/..."},
		reason: "a store does not know what it stores",
	},
	{
		pkg:    "storage/storagetest",
		allow:  []string{"storage"},
		reason: "the suite must run against any store, so it knows none",
	},
	{
		pkg:    "sweep/grid",
		allow:  []string{"trainer", "sweep/spelling", "github.com/goccy/go-yaml/...", "github.com/dustin/go-humanize"},
		reason: "a grid is pure: no network, no clock, no store, no Temporal",
	},
	{
		pkg:    "sweep/spelling",
		allow:  nil,
		reason: "names are compared as texts: what they name is its users' matter",
	},
	{
		pkg:    "sweep/goldentest",
		allow:  []string{"trainer"},
		reason: "tests of every package use it, so it knows none",
	},
	{
		pkg:    "sweep/plan",
		allow:  []string{"trainer", "sweep/grid", "github.com/dustin/go-humanize"},
		reason: "a plan is pure, so that workflows may compute with it: no network, no clock, no store, no YAML",
	},
	{
		pkg:    "sweep/protocol",
		allow:  []string{"sweep/plan"},
		reason: "what workflows and activities say to each other are names and small structs, which do nothing",
	},
	{
		pkg:    "sweep/observe",
		allow:  []string{"sweep/plan", "sweep/protocol", "go.temporal.io/api/...", "go.temporal.io/sdk/..."},
		reason: "what a server knows of a sweep is asked in one place: it reads no store and knows no terminal",
	},
	{
		pkg: "sweep/payload",
		allow: []string{
			"go.temporal.io/api/...", "go.temporal.io/sdk/...", "google.golang.org/grpc/...", "google.golang.org/protobuf/...",
		},
		reason: "what a server gets to keep is encrypted at the connection: nobody else needs to know",
	},
	{
		pkg: "sweep/ledger",
		allow: []string{
			"trainer", "sweep/grid", "sweep/plan", "sweep/spelling", "storage", "golang.org/x/sync/errgroup",
		},
		reason: "a stored sweep is objects in a store: neither Temporal nor a terminal is needed to read one",
	},
	{
		pkg:    "sweep/report",
		allow:  []string{"trainer", "sweep/plan", "sweep/ledger", "sweep/table"},
		reason: "reports are made of results alone: they read no store",
	},
	{
		pkg: "sweep/export",
		allow: []string{
			"trainer", "trainer/models", "sweep/plan", "sweep/ledger", "sweep/report", "sweep/table", "sweep/spelling",
		},
		reason: "files for other tools are made of models and results that it is given: it reads no store",
	},
	{
		pkg:    "sweep/guard",
		allow:  nil,
		reason: "who may ask is the same question for everything that is served, so it knows nothing of that",
	},
	{
		pkg:    "sweep/webhook",
		allow:  nil,
		reason: "a message is small JSON over HTTP: what it tells, and when, is its users' matter",
	},
	{
		pkg:    "sweep/page",
		allow:  []string{"trainer", "sweep/plan", "sweep/ledger", "sweep/table", "sweep/guard"},
		reason: "a page is made of results, curves and plans that it is given: it reads no store and knows no Temporal",
	},
	{
		pkg:    "sweep/similarity",
		allow:  []string{"trainer/safetensors"},
		reason: "decoders are compared as streams of rows: where models lie is a matter of the ledger",
	},
	{
		pkg:    "sweep/track",
		allow:  []string{"sweep/table", "google.golang.org/protobuf/encoding/protowire"},
		reason: "files for trackers are made of tables alone: they may come from a store or from files",
	},
	{
		pkg:    "sweep/scaling",
		allow:  []string{"trainer", "sweep/table", "gonum.org/v1/gonum/...", "github.com/dustin/go-humanize"},
		reason: "a fit is maths on a table: it reads no store and no file",
	},
	{
		pkg: "sweep/table",
		allow: []string{
			"sweep/spelling", "github.com/olekukonko/tablewriter/...", "github.com/parquet-go/parquet-go/...",
			"github.com/klauspost/compress/zstd",
		},
		reason: "a table is columns and rows: where they come from, and what they mean, is its users' matter",
	},
	{
		pkg: "sweep/figures",
		allow: []string{
			"trainer", "sweep/table", "sweep/scaling", "gonum.org/v1/plot/...",
		},
		reason: "figures are drawn of tables, wherever those came from: they read no store and write no file",
	},
	{
		pkg: "workflows",
		allow: []string{
			"sweep/plan", "sweep/protocol", "go.temporal.io/sdk/workflow", "go.temporal.io/sdk/temporal",
			"github.com/dustin/go-humanize",
		},
		reason: "workflow code is deterministic: it imports nothing that trains, stores or reads a file",
	},
	{
		pkg: "activities",
		allow: []string{
			"activities/hostmem", "sweep/grid", "sweep/plan", "sweep/protocol", "sweep/ledger", "sweep/report",
			"sweep/table", "sweep/export", "sweep/webhook", "trainer", "trainer/data", "trainer/models",
			"trainer/safetensors", "storage",
			"go.temporal.io/sdk/activity", "go.temporal.io/sdk/temporal",
			"golang.org/x/sync/errgroup", "github.com/prometheus/client_golang/prometheus",
		},
		reason: "one worker serves any backend and any store: whoever makes the worker hands them to it",
	},
	{
		pkg:    "activities/hostmem",
		allow:  []string{"trainer"},
		reason: "how much memory is free is a question to the host: neither Temporal nor a store knows it",
	},
	{
		pkg: "deploy/local",
		allow: []string{
			"sweep/guard", "go.temporal.io/...", "github.com/temporalio/...", "github.com/labstack/echo/v4/...",
			"google.golang.org/grpc/...", "google.golang.org/protobuf/...", "golang.org/x/sys/...",
		},
		reason: "the embedded server knows nothing of sweeps",
	},
	{
		pkg:    "cmd/sweep/progress",
		allow:  []string{"sweep/grid", "sweep/plan", "sweep/protocol", "github.com/vbauerster/mpb/v8/..."},
		reason: "what a person sees is drawn from snapshots: it asks no server, reads no store and knows no flags",
	},
	{
		pkg: "cmd/sweep/monitor",
		allow: []string{
			"github.com/prometheus/client_golang/...", "github.com/uber-go/tally/v4/...", "go.temporal.io/sdk/client",
			"go.temporal.io/sdk/contrib/tally",
		},
		reason: "it serves numbers and answers over HTTP: whoever counts hands them to it",
	},
	{
		pkg:    "cmd/sweep/sweepbench",
		allow:  []string{"trainer", "storage", "go.temporal.io/api/...", "go.temporal.io/sdk/..."},
		reason: "it measures any program: it sits between one and its backend and store, and knows none of them",
	},
	{
		pkg: "cmd/sweep",
		allow: []string{
			"cmd/sweep/progress", "cmd/sweep/monitor",
			"sweep/spelling", "sweep/grid", "sweep/plan", "sweep/protocol", "sweep/ledger", "sweep/report",
			"sweep/table", "sweep/track", "sweep/similarity", "sweep/observe", "sweep/scaling", "sweep/figures", "sweep/page",
			"sweep/export", "sweep/payload", "sweep/webhook",
			"workflows", "activities", "activities/hostmem", "deploy/local",
			"trainer", "trainer/cpu", "trainer/cuda", "trainer/data", "trainer/data/chunks", "trainer/models",
			"storage", "storage/dir", "storage/disk", "storage/minio",
			"go.temporal.io/api/...", "go.temporal.io/sdk/...", "google.golang.org/grpc/...",
			"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sync/errgroup", "golang.org/x/term",
			"github.com/dustin/go-humanize", "github.com/prometheus/client_golang/prometheus",
		},
		reason: "the command line is flags, environment and exit status; whatever else it needs is a package's work",
	},
}

// alone says what only one folder, or one file, may import, whatever its row and
// those of others allow.
var alone = []struct {
	imported string
	only     string // the beginning of a file's path
	reason   string
}{
	{
		imported: "github.com/goccy/go-yaml/...",
		only:     "sweep/grid/",
		reason:   "nobody but sweep/grid reads YAML: everybody else gets a grid",
	},
	{
		imported: "gonum.org/v1/plot/...",
		only:     "sweep/figures/",
		reason:   "nobody but sweep/figures draws: everybody else gets files",
	},
	{
		imported: "activities",
		only:     "cmd/sweep/worker.go",
		reason:   "activities only run in a worker: what others need of a stored sweep is in sweep/ledger",
	},
	{
		imported: "workflows",
		only:     "cmd/sweep/worker.go",
		reason:   "workflows only run in a worker: what others need to know of them is in sweep/protocol",
	},
	{
		imported: "go.temporal.io/server/...",
		only:     "deploy/local/",
		reason:   "the embedded server is in deploy/local alone, so that a build with the tag noserver leaves it out",
	},
	{
		imported: "trainer/cpu",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
	{
		imported: "trainer/cuda",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
	{
		imported: "storage/dir",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
	{
		imported: "storage/minio",
		only:     "cmd/sweep/wire.go",
		reason:   "wire.go alone names concrete backends and stores",
	},
}

// unreachable says which packages no chain of imports may lead to.
var unreachable = []struct {
	from, to string
	reason   string
}{
	{
		from:   "workflows",
		to:     "storage/...",
		reason: "a workflow that reads a store does not replay: it asks an activity",
	},
	{
		from:   "workflows",
		to:     "sweep/ledger",
		reason: "a workflow that reads a stored sweep does not replay: it asks an activity",
	},
	{
		from:   "sweep/plan",
		to:     "storage/...",
		reason: "workflows compute with plans, and must reach no store by them",
	},
	{
		from:   "sweep/protocol",
		to:     "storage/...",
		reason: "workflows speak the protocol, and must reach no store by it",
	},
	{
		from:   "trainer/...",
		to:     "storage/...",
		reason: "whoever trains with the trainer alone has no store",
	},
}
