package data

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A bucket is a bucket in memory.
type bucket struct {
	mu    sync.Mutex
	of    map[string][]byte
	tags  map[*byte]string // by the content's first byte
	lists int

	forbidden bool
	bytes     int64
}

// bucketOf returns a bucket with the files of a folder.
func bucketOf(t *testing.T, dir string) *bucket {
	t.Helper()
	b := &bucket{of: map[string][]byte{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			b.of[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tagOf returns the tag of an object's content, which is computed once.
func (b *bucket) tagOf(content []byte) string {
	if b.tags == nil {
		b.tags = map[*byte]string{}
	}
	tag, ok := b.tags[&content[0]]
	if !ok {
		tag = fmt.Sprintf("%x", md5.Sum(content))
		b.tags[&content[0]] = tag
	}
	return tag
}

func (b *bucket) List(_ context.Context, name, prefix string) ([]Object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch name {
	case "acts":
		if b.forbidden {
			return nil, fs.ErrPermission
		}
	case "secret":
		return nil, fs.ErrPermission
	case "broken":
		return nil, errors.New("no route to host")
	default:
		return nil, fs.ErrNotExist
	}
	b.lists++
	var all []Object
	for key, content := range b.of {
		if strings.HasPrefix(key, prefix) {
			all = append(all, Object{key, int64(len(content)), b.tagOf(content)})
		}
	}
	slices.SortFunc(all, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (b *bucket) Read(_ context.Context, _ string, o Object, p []byte, off int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	content, ok := b.of[o.Name]
	switch {
	case !ok:
		return fs.ErrNotExist
	case b.tagOf(content) != o.Tag:
		return ErrReplaced
	}
	b.bytes += int64(len(p))
	if n := copy(p, content[off:]); n < len(p) {
		return errors.New("a read beyond the end")
	}
	return nil
}
