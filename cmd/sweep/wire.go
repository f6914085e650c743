package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/dir"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/trainer"
	"github.com/topksweep/sweep/trainer/cpu"
	"github.com/topksweep/sweep/trainer/cuda"
	"github.com/topksweep/sweep/trainer/data"
)

// openStore opens a store to write to, by its URL: s3://bucket/prefix, file:///path
// or a plain path, which is created. Where the S3 server is, and with which
// credentials, comes from the environment (package storage/minio).
func openStore(ctx context.Context, url string) (storage.Store, error) {
	path, err := folderOf(url)
	if err != nil {
		return nil, err
	}
	if path != "" {
		return dir.Open(path)
	}
	return writableStore(ctx, url)
}

// openStore opens the store to write to (openStore). In the state directory it is this user's
// alone: there is also the server's database. The umask decides on one elsewhere.
func (l *location) openStore(ctx context.Context, env *environment) (store storage.Store, err error) {
	if url := l.elsewhere(); url != "" {
		store, err = openStore(ctx, url)
	} else if path, bad := folderOf(l.storeURL()); bad != nil {
		err = bad
	} else {
		store, err = dir.OpenPrivate(path)
	}
	if err == nil && env.store != nil {
		store = env.store(store)
	}
	return store, err
}

// writableStore is openStore for a store that must be there. A bucket that refuses
// writes, or whose server ignores conditions, is an error here, before anything is
// trained.
func writableStore(ctx context.Context, url string) (storage.Store, error) {
	s, err := readStore(ctx, url)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(url, "s3://") {
		return s, nil
	}
	switch err := storage.Probe(ctx, s); {
	case errors.Is(err, storage.ErrNoPutNew):
		return nil, fmt.Errorf("store %s: its server ignores If-None-Match on PUT, so that two workers could "+
			"overwrite each other's checkpoints: %w", withoutSecrets(url), err)
	case err != nil:
		return nil, fmt.Errorf("store %s: a first small write failed: %w", withoutSecrets(url), err)
	}
	return s, nil
}

// folderOf returns the folder of a store by its URL; it is empty for a bucket. Every verb that opens a store
// begins with it, so it also checks the variables for stores.
func folderOf(url string) (string, error) {
	if err := checkWords(os.Getenv, storeVariables()); err != nil {
		return "", err
	}
	path, isFile := strings.CutPrefix(url, "file://")
	scheme, _, hasScheme := strings.Cut(path, "://")
	switch {
	case strings.HasPrefix(url, "file:") && !strings.HasPrefix(path, "/"):
		return "", inputError{fmt.Errorf("store %s: want file:///path with three slashes, or the path alone",
			withoutSecrets(url))}
	case strings.HasPrefix(url, "s3:") && !hasScheme:
		return "", inputError{fmt.Errorf("store %s: want s3://bucket/prefix with two slashes, or ./%[1]s",
			withoutSecrets(url))}
	case !isFile && scheme == "s3" && hasScheme:
		return "", nil
	case !isFile && hasScheme:
		return "", inputError{fmt.Errorf("store %s: scheme %s is unknown; give s3://bucket/prefix or file:///path",
			withoutSecrets(url), scheme)}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("store %s: %w", url, err)
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, syscall.ENOTDIR):
		return "", inputError{fmt.Errorf("store %s: a folder on the way to it is a file", path)}
	case err == nil && !info.IsDir():
		return "", inputError{fmt.Errorf("store %s: it is a file, and not a folder", path)}
	}
	return path, nil
}

// errNoStore says that there is nothing to read.
var errNoStore = errors.New("there is no such directory: --dir or --store says where the sweeps are")

// readStore opens a store that must be there: a path with a typing error is not
// created, and nothing is written to a bucket.
func readStore(ctx context.Context, url string) (storage.Store, error) {
	path, err := folderOf(url)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return openBucket(ctx, url)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, inputError{fmt.Errorf("store %s: %w", path, errNoStore)}
	}
	return dir.Open(path)
}

func openBucket(ctx context.Context, url string) (storage.Store, error) {
	opts, err := minio.EnvOptions(os.Getenv)
	if err != nil {
		return nil, inputError{err}
	}
	opts.CreateBucket = os.Getenv(createBucketVariable) == "true"
	s, err := minio.Open(ctx, url, opts)
	switch {
	case errors.Is(err, minio.ErrLocation):
		return nil, inputError{err}
	case errors.Is(err, minio.ErrNoBucket):
		return nil, fmt.Errorf("%w; create it, or set SWEEP_S3_CREATE_BUCKET=true", err)
	case err != nil:
		return nil, err
	}
	return s, nil
}

// deviceVariables are those that say how a process trains.
func deviceVariables() []wordVariable { return []wordVariable{{cpu.PathVariable, cpu.Paths()}} }

// open opens what the process trains on. note is what the user must know of it, or empty.
func (o *deviceOptions) open() (device trainingDevice, note string, err error) {
	if err := checkWords(os.Getenv, deviceVariables()); err != nil {
		return trainingDevice{}, "", err
	}
	var present []string
	var none error
	if o.backend != "cpu" {
		present, none = cuda.GPUs()
	}
	use, note, err := chooseGPUs(o.backend, o.gpus, present, none, errors.Is(none, cuda.ErrNotBuilt))
	if err != nil {
		return trainingDevice{}, "", err
	}
	if len(use) == 0 {
		slots, threads := o.cpuSlots()
		b := cpu.New(threads)
		if _, err := b.OfClass(""); err != nil { // SWEEP_CPU names a path that this machine cannot run
			return trainingDevice{}, "", inputError{err}
		}
		return trainingDevice{backend: b, slots: slots}, note, nil
	}
	pool, opened, note, err := openGPUs(use, present, len(o.gpus) > 0)
	if err != nil {
		return trainingDevice{}, "", err
	}
	pool.perGPU = cmp.Or(o.perGPU, autoPerGPU)
	slots := len(pool.gpus) * pool.perGPU
	if o.slots > 0 {
		slots = min(slots, o.slots)
	}
	usage := func() []gpuUsage { return readUsage(opened) }
	return trainingDevice{backend: pool, slots: slots, lost: pool.lost(), usage: usage}, note, nil
}

// readUsage asks about GPUs by their numbers. A GPU that cannot be asked is left out.
func readUsage(gpus []int) (all []gpuUsage) {
	for _, g := range gpus {
		u, err := cuda.ReadUsage(g)
		if err == nil {
			all = append(all, gpuUsage{strconv.Itoa(g), u.UUID, u.Used, u.Total, u.Busy, u.Celsius, u.Watts})
		}
	}
	return all
}

// openGPUs opens the GPUs that work, and returns their numbers too. One that does not is named in the note. It is an
// error if none works, or if the user has asked for one that cannot be used by its number.
func openGPUs(use []int, present []string, asked bool) (pool *gpuPool, opened []int, note string, err error) {
	var gpus []trainer.Backend
	var aside []string
	for _, g := range use {
		b, err := cuda.New(g)
		switch {
		case err == nil:
			gpus, opened = append(gpus, b), append(opened, g)
		case asked && !errors.Is(err, trainer.ErrBroken), len(use) == len(aside)+1:
			return nil, nil, "", err
		default:
			aside = append(aside, fmt.Sprintf("%s is set aside, it gets no runs: %v", present[g], err))
		}
	}
	pool = newGPUPool(gpus)
	for i, g := range opened {
		pool.names[i] = present[g]
	}
	return pool, opened, strings.Join(append([]string{"training on " + gpuNames(opened, present)}, aside...), "\n"), nil
}

// A workerBackend is what workers elsewhere train on. The device need not be on this machine.
type workerBackend struct {
	name        string
	bytes       func(trainer.Config) (device, host int64) // memory of a run
	unsupported func(trainer.Config) error                // trainer.Backend.Unsupported
}

// backendNames are the names of all backends.
func backendNames() []string { return []string{"cpu", "cuda"} }

// backendFor returns the backend of that name; auto is what this machine has.
func backendFor(name string) (workerBackend, error) {
	if name == "auto" {
		name = "cpu"
		if _, err := cuda.GPUs(); err == nil {
			name = "cuda"
		}
	}
	switch name {
	case "cpu":
		b := cpu.New(1)
		return workerBackend{name, b.Bytes, b.Unsupported}, nil
	case "cuda":
		return workerBackend{name, cuda.Bytes, cuda.Unsupported}, nil
	}
	return workerBackend{}, inputError{fmt.Errorf("backend %q: want auto, cpu or cuda", name)}
}

// objectsOf returns what reads the objects of data sources, with the connection settings of a store; "" is none.
func objectsOf(store string) data.Objects {
	return &dataObjects{store: store, buckets: map[string]*minio.Store{}}
}

// dataObjects reads the objects of sources, with the connection settings of the store.
type dataObjects struct {
	store string // URL

	mu      sync.Mutex
	buckets map[string]*minio.Store
}

// bucket opens a bucket that is not open. Others need not wait meanwhile.
func (d *dataObjects) bucket(ctx context.Context, name string) (*minio.Store, error) {
	d.mu.Lock()
	known := d.buckets[name]
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	opts, err := minio.EnvOptions(os.Getenv)
	if err == nil && strings.HasPrefix(d.store, "s3://") {
		opts, err = opts.At(d.store)
	}
	if err != nil {
		return nil, inputError{err}
	}
	s, err := minio.Open(ctx, "s3://"+name, opts)
	switch {
	case errors.Is(err, minio.ErrNoBucket):
		return nil, fmt.Errorf("%w (%w)", os.ErrNotExist, err)
	case errors.Is(err, minio.ErrLocation):
		return nil, fmt.Errorf("%w (%w)", os.ErrNotExist, err)
	case err != nil:
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buckets[name] = s
	return s, nil
}

// List implements data.Objects.
func (d *dataObjects) List(ctx context.Context, bucket, prefix string) ([]data.Object, error) {
	s, err := d.bucket(ctx, bucket)
	if err != nil {
		return nil, err
	}
	all, err := s.ListTagged(ctx, prefix)
	out := make([]data.Object, len(all))
	for i, o := range all {
		out[i] = data.Object{Name: o.Name, Size: o.Size, Tag: o.ETag}
	}
	return out, err
}

// Read implements data.Objects.
func (d *dataObjects) Read(ctx context.Context, bucket string, o data.Object, p []byte, off int64) error {
	s, err := d.bucket(ctx, bucket)
	if err == nil {
		err = s.ReadRange(ctx, o.Name, o.Tag, p, off)
	}
	if errors.Is(err, minio.ErrReplaced) {
		err = fmt.Errorf("%w: %w", data.ErrReplaced, err)
	}
	return err
}
