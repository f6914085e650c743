package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An opener finds and opens the shards of a source.
type opener interface {
	// List returns the names of the shards of a source. Their rows are numbered in
	// this order. Names end in .safetensors or .npy.
	List(ctx context.Context, source string) ([]string, error)

	// Open opens a shard by a name that List returned.
	Open(ctx context.Context, name string) (shardFile, error)
}

// A shardFile is an open shard. Several goroutines read it at once, at any offset.
type shardFile interface {
	sizedFile
	stamp() stamp // of the file when it was opened
}

// A sizedFile is a file without a stamp.
type sizedFile interface {
	io.ReaderAt
	io.Closer
	Size() int64 // in bytes
}

// localFiles opens the shards of a local path: a directory, a glob or a file.
type localFiles struct{}

func (localFiles) List(ctx context.Context, source string) ([]string, error) {
	path, err := localPath(source)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return listDir(source, path)
	case err == nil:
		if !isShard(path) {
			return nil, &SourceError{Source: source, Msg: "is neither .safetensors nor .npy"}
		}
		return []string{path}, nil
	case strings.Contains(path, "$") && errors.Is(err, fs.ErrNotExist):
		return nil, &SourceError{Source: source, Msg: "there is no such file, and variables such as $HOME are not " +
			"expanded: write the path out, or begin it with ~/"}
	case !strings.ContainsAny(path, "*?["):
		return nil, fileError(source, err)
	}
	names, err := filepath.Glob(path)
	if err != nil {
		return nil, &SourceError{Source: source, Err: err}
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return !isShard(name) || err == nil && info.IsDir()
	})
	if len(names) == 0 {
		return nil, &SourceError{Source: source, Msg: "matches no .safetensors or .npy file"}
	}
	slices.Sort(names)
	return names, nil
}

func listDir(source, dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fileError(source, err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && isShard(e.Name()) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, &SourceError{Source: source, Msg: "holds no .safetensors or .npy file"}
	}
	return names, nil
}

// isShard reports whether a path has the name of a shard. Names that begin with a dot
// are not shards: they are files that are being written, or that file managers leave.
func isShard(path string) bool {
	name := filepath.Base(path)
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".npy"))
}

// localPath returns the path that a source names: it strips file://, replaces ~ by the
// home directory, and refuses other schemes.
func localPath(source string) (string, error) {
	if source == "" {
		return "", &SourceError{Msg: "no source: give a directory, a glob or a file"}
	}
	source = strings.TrimPrefix(source, "file://")
	if scheme, _, ok := strings.Cut(source, "://"); ok {
		return "", &SourceError{Source: source, Msg: fmt.Sprintf("shards are read from local files only, not from %s: "+
			"copy them to a local directory (aws s3 sync, mc mirror) and give that as source", scheme)}
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
	f, err := os.Open(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, err
	}
	st := stampOf(info)
	if m, ok := mapFile(f, info.Size()); ok {
		f.Close() // the mapping stays valid, and thousands of shards need no descriptors
		return stampedFile{m, st}, nil
	}
	return stampedFile{plainFile{f, info.Size()}, st}, nil
}

// A plainFile is a file that cannot be mapped: it is read with system calls.
type plainFile struct {
	*os.File
	size int64
}

func (f plainFile) Size() int64 { return f.size }
