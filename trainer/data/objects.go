package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/topksweep/sweep/trainer/data/chunks"
)

// Objects reads the objects of buckets. Its methods are called by several goroutines at once, and repeat by themselves
// what may succeed the next time.
type Objects interface {
	// List returns the objects of a bucket whose names begin with prefix. The error wraps fs.ErrNotExist if there is no
	// such bucket, and fs.ErrPermission if it may not be read.
	List(ctx context.Context, bucket, prefix string) ([]Object, error)

	// Read fills p from byte off of an object on. The error wraps ErrReplaced if the object is not the one that List
	// told of any more.
	Read(ctx context.Context, bucket string, o Object, p []byte, off int64) error
}

// ErrReplaced says that an object has another content than when it was listed.
var ErrReplaced = errors.New("the object has been replaced")

// An Object is an object of a bucket.
type Object struct {
	Name string
	Size int64
	Tag  string // stands for its content, together with the size: the ETag
}

const objectScheme = "s3://"

// isRemote reports whether a source, or the name of a shard, is in a bucket.
func isRemote(name string) bool { return strings.HasPrefix(name, objectScheme) }

// splitObject splits s3://bucket/name.
func splitObject(location string) (bucket, name string) {
	bucket, name, _ = strings.Cut(strings.TrimPrefix(location, objectScheme), "/")
	return bucket, name
}

// An objectTree is the objects below a folder of a bucket, as files and folders. Its paths are s3://bucket/name.
type objectTree struct {
	objects map[string]Object
	entries map[string][]fs.DirEntry // by the path of the folder
}

func newObjectTree(bucket string, objects []Object) *objectTree {
	t := &objectTree{map[string]Object{}, map[string][]fs.DirEntry{}}
	for _, o := range objects {
		path := objectScheme + bucket + "/" + o.Name
		if o.Name == "" || strings.HasSuffix(o.Name, "/") || strings.Contains(o.Name, "//") {
			continue // it marks a folder, or has a name that no path has
		}
		t.objects[path] = o
		for entry := (objectInfo{base(path), o.Size, false}); ; {
			dir, _ := cutLast(path)
			_, known := t.entries[dir]
			t.entries[dir] = append(t.entries[dir], fs.FileInfoToDirEntry(entry))
			if known || len(dir) <= len(objectScheme)+len(bucket) {
				break
			}
			path, entry = dir, objectInfo{base(dir), 0, true}
		}
	}
	for _, list := range t.entries {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t
}

func cutLast(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

func base(path string) string {
	_, name := cutLast(path)
	return name
}

// clean is the path of an object or a folder as a tree has it.
func clean(path string) string { return strings.TrimSuffix(filepath.ToSlash(path), "/") }

func (t *objectTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if list, ok := t.entries[clean(name)]; ok {
		return list, nil
	}
	return nil, &fs.PathError{Op: "list", Path: name, Err: fs.ErrNotExist}
}

func (t *objectTree) ReadLink(name string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
}

func (t *objectTree) Stat(name string) (fs.FileInfo, error) {
	path := clean(name)
	if o, ok := t.objects[path]; ok {
		return objectInfo{base(path), o.Size, false}, nil
	}
	if _, ok := t.entries[path]; ok {
		return objectInfo{base(path), 0, true}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// An objectInfo describes an object or a folder of some.
type objectInfo struct {
	name   string
	size   int64
	folder bool
}

func (i objectInfo) Name() string       { return i.name }
func (i objectInfo) Size() int64        { return i.size }
func (i objectInfo) ModTime() time.Time { return time.Time{} }
func (i objectInfo) IsDir() bool        { return i.folder }
func (i objectInfo) Sys() any           { return nil }
func (i objectInfo) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// remoteFiles opens objects through the cache of chunks.
type remoteFiles struct {
	ctx     context.Context // of all reads, until the set is closed
	cancel  context.CancelFunc
	objects Objects
	cache   *chunks.Cache
	stream  bool // as chunks.Cache.Object has it

	opening  atomic.Bool // a set is being opened: progress is told how much of what was listed is read
	progress func(done, total int64)

	mu          sync.Mutex
	read, bytes int64             // of what was listed
	listed      map[string]Object // by s3://bucket/name
	places      []place
}

// A place is what was listed.
type place struct{ bucket, prefix string }

func (r *remoteFiles) List(ctx context.Context, source string, raw bool) (listing, error) {
	if r.objects == nil {
		return listing{}, &SourceError{Source: source, Missing: true, Msg: "no connection to buckets is set up"}
	}
	bucket, name := splitObject(source)
	if bucket == "" || isGlob(bucket) {
		return listing{}, &SourceError{Source: source, Msg: "want s3://bucket/prefix, with the name of a bucket"}
	}
	if strings.Contains(name, "//") {
		return listing{}, &SourceError{Source: source, Msg: "// stands in it: names of objects with empty parts are not read"}
	}
	prefix := fixedPart(name)
	tree, err := r.list(ctx, source, place{bucket, prefix})
	if err != nil {
		return listing{}, err
	}
	l, err := list(ctx, tree, source, source, raw)
	for i, name := range l.names {
		l.names[i] = filepath.ToSlash(name)
	}
	return l, err
}

// fixedPart returns what all names begin with that a pattern may match: of a pattern its folders before the first
// element that has one, of a name the name, which may be that of a folder.
func fixedPart(pattern string) string {
	elems := strings.Split(pattern, "/")
	for i, e := range elems {
		if isGlob(e) {
			return strings.Join(append(slices.Clone(elems[:i]), ""), "/")
		}
	}
	return strings.TrimSuffix(pattern, "/")
}

func (r *remoteFiles) list(ctx context.Context, source string, p place) (*objectTree, error) {
	all, err := r.objects.List(ctx, p.bucket, p.prefix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &SourceError{Source: source, Missing: true, Msg: "there is no bucket " + p.bucket, Err: err}
	case errors.Is(err, fs.ErrPermission):
		return nil, &SourceError{Source: source, Missing: true, Err: err}
	case err != nil:
		return nil, &ReadError{File: source, Offset: -1, Err: err}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range all {
		r.listed[objectScheme+p.bucket+"/"+o.Name] = o
		if !isParquet(o.Name) { // what makes copies tells of these
			r.bytes += o.Size
		}
	}
	r.places = append(r.places, p)
	return newObjectTree(p.bucket, all), nil
}

// again lists the same objects anew. What is opened then is what they are now.
func (r *remoteFiles) again(ctx context.Context) (*remoteFiles, error) {
	r.mu.Lock()
	places := slices.Clone(r.places)
	r.mu.Unlock()
	now := &remoteFiles{ctx: r.ctx, objects: r.objects, cache: r.cache, stream: r.stream, listed: map[string]Object{}}
	for _, p := range places {
		source := objectScheme + p.bucket + "/" + p.prefix
		if _, err := now.list(ctx, source, p); err != nil {
			return nil, missed(source, err)
		}
	}
	return now, nil
}

// tell reports that so many bytes more are read.
func (r *remoteFiles) tell(bytes int64) {
	if !r.opening.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = min(r.read+bytes, r.bytes)
	r.progress(r.read, r.bytes)
}

func (r *remoteFiles) Open(ctx context.Context, name string) (shardFile, error) {
	o, err := r.find(ctx, name)
	if err != nil {
		return nil, fileError(name, err)
	}
	return &remoteFile{from: r, name: name, object: o}, nil
}

// find returns an object. One that was not listed may lie beside what was.
func (r *remoteFiles) find(ctx context.Context, name string) (Object, error) {
	r.mu.Lock()
	o, ok := r.listed[name]
	r.mu.Unlock()
	if ok {
		return o, nil
	}
	bucket, key := splitObject(name)
	all, err := r.objects.List(ctx, bucket, key)
	if err != nil {
		return Object{}, err
	}
	i := slices.IndexFunc(all, func(o Object) bool { return o.Name == key })
	if i < 0 {
		return Object{}, fs.ErrNotExist
	}
	return all[i], nil
}

// readFile reads an object of at most so many bytes.
func (r *remoteFiles) readFile(name string, most int64) ([]byte, error) {
	o, err := r.find(r.ctx, name)
	if err != nil {
		return nil, err
	}
	if o.Size > most {
		return nil, fmt.Errorf("over %d MiB", most>>20)
	}
	b := make([]byte, o.Size)
	bucket, _ := splitObject(name)
	return b, r.objects.Read(r.ctx, bucket, o, b, 0)
}

// A remoteFile is an object that is read through the cache.
type remoteFile struct {
	from   *remoteFiles
	name   string
	object Object

	once   sync.Once
	chunks *chunks.Object
}

// cached returns the object's chunks. A shard that is only looked at needs none.
func (f *remoteFile) cached() *chunks.Object {
	f.once.Do(func() {
		bucket, _ := splitObject(f.name)
		fetch := func(p []byte, off int64) error {
			err := f.from.objects.Read(f.from.ctx, bucket, f.object, p, off)
			if !isParquet(f.name) {
				f.from.tell(int64(len(p)))
			}
			return err
		}
		f.chunks = f.from.cache.Object(f.name+" "+f.object.Tag, f.object.Size, f.from.stream, fetch)
	})
	return f.chunks
}

func (f *remoteFile) ReadAt(p []byte, off int64) (int, error) {
	whole := p
	if left := f.object.Size - off; int64(len(p)) > left {
		p = p[:max(0, left)]
	}
	n, err := f.cached().ReadAt(p, off)
	if errors.Is(err, ErrReplaced) {
		err = &changedError{files: []string{f.name}, detail: "the object was replaced"}
	}
	if err == nil && n < len(whole) {
		err = io.EOF
	}
	return n, err
}

func (f *remoteFile) Size() int64 { return f.object.Size }
func (f *remoteFile) Stat() (fs.FileInfo, error) {
	return objectInfo{base(f.name), f.object.Size, false}, nil
}
func (f *remoteFile) stamp() stamp { return stamp{Size: f.object.Size, Tag: f.object.Tag} }

func (f *remoteFile) Close() error {
	closed := true
	f.once.Do(func() { closed = false })
	if !closed || f.chunks == nil {
		return nil
	}
	return f.chunks.Close()
}
