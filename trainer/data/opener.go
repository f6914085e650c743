package data

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/topksweep/sweep/trainer"
)

// An opener finds and opens the shards of a source.
type opener interface {
	// List finds the shards of a source. Their rows are numbered in the order of its
	// names. With raw they are files of bare numbers.
	List(ctx context.Context, source string, raw bool) (listing, error)

	// Open opens a shard by a name that List returned.
	Open(ctx context.Context, name string) (shardFile, error)

	// readFile reads a file of at most so many bytes that lies beside shards.
	readFile(name string, most int64) ([]byte, error)
}

// A shardFile is an open shard. Several goroutines read it at once, at any offset.
type shardFile interface {
	io.ReaderAt
	io.Closer
	Size() int64                // in bytes, when it was opened
	Stat() (fs.FileInfo, error) // what it is now
	stamp() stamp               // of when it was opened
}

// sourceFiles opens shards of this machine, and objects.
type sourceFiles struct {
	local  opener
	remote *remoteFiles
}

// newFiles returns what opens the files of a spec. Sets close it.
func newFiles(spec trainer.DataSpec, o Options) *sourceFiles {
	ctx, cancel := context.WithCancel(context.Background())
	return &sourceFiles{localFiles{}, &remoteFiles{ctx: ctx, cancel: cancel, objects: o.Objects, cache: o.Chunks,
		progress: o.Progress, stream: spec.Shuffle == shuffleBlocks, listed: map[string]Object{}}}
}

// until makes reads fail when ctx ends, while a set is opened: until the function that it returns is called.
// Meanwhile progress is reported of what is read of objects.
func (f *sourceFiles) until(ctx context.Context) func() {
	ended := context.AfterFunc(ctx, f.stop)
	f.remote.opening.Store(true)
	return func() {
		ended()
		f.remote.opening.Store(false)
	}
}

// stop ends what still reads ahead.
func (f *sourceFiles) stop() { f.remote.cancel() }

func (f *sourceFiles) of(name string) opener {
	if isRemote(name) {
		return f.remote
	}
	return f.local
}

func (f *sourceFiles) List(ctx context.Context, source string, raw bool) (listing, error) {
	return f.of(source).List(ctx, source, raw)
}

func (f *sourceFiles) Open(ctx context.Context, name string) (shardFile, error) {
	return f.of(name).Open(ctx, name)
}

// again returns what opens the files as they are now: objects are opened as they were when they were listed.
func (f *sourceFiles) again(ctx context.Context) (opener, error) {
	now, err := f.remote.again(ctx)
	return &sourceFiles{f.local, now}, err
}

func (f *sourceFiles) readFile(name string, most int64) ([]byte, error) {
	return f.of(name).readFile(name, most)
}

// localFiles opens the shards of a local path: a folder, a pattern or a file.
type localFiles struct{}

func (localFiles) List(ctx context.Context, source string, raw bool) (listing, error) {
	path, err := localPath(source)
	if err != nil {
		return listing{}, err
	}
	return list(ctx, disk{}, source, path, raw)
}

func (localFiles) readFile(name string, most int64) ([]byte, error) { return readSmall(name, most) }

// localPath returns the path that a source names: it strips file://, replaces ~ by the
// home directory, and refuses other schemes.
func localPath(source string) (string, error) {
	if source == "" {
		return "", &SourceError{Msg: "no source: give a folder, a pattern or a file"}
	}
	if strings.Contains(source, "\x00") {
		return "", &SourceError{Source: source, Msg: "no path holds a zero byte"}
	}
	source = strings.TrimPrefix(source, "file://")
	if scheme, _, ok := strings.Cut(source, "://"); ok {
		return "", &SourceError{Source: source, Msg: fmt.Sprintf("shards are read from local files and from "+
			"buckets (s3://bucket/prefix), not from %s: copy them to one of these", scheme)}
	}
	if rest, ok := strings.CutPrefix(source, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", &SourceError{Source: source, Err: err}
		}
		return filepath.Join(home, rest), nil
	}
	return source, nil
}

func (localFiles) Open(ctx context.Context, name string) (shardFile, error) {
	info, err := os.Stat(name) // first, since opening a pipe would wait for a writer
	if err == nil && !info.Mode().IsRegular() {
		return nil, &ShardError{name, "neither a regular file nor a directory"}
	}
	if err != nil {
		return nil, fileError(name, err)
	}
	f, err := openPlain(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	if m, ok := mapFile(f.File); ok {
		f.Close() // the mapping stays valid, and thousands of shards need no descriptors
		return m, nil
	}
	return f, nil
}

// A plainFile is a file that is read with system calls.
type plainFile struct {
	*os.File
	info fs.FileInfo // when it was opened
}

func openPlain(name string) (plainFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return plainFile{}, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return plainFile{}, err
	}
	return plainFile{f, info}, nil
}

func (f plainFile) Size() int64  { return f.info.Size() }
func (f plainFile) stamp() stamp { return stampOf(f.info) }
