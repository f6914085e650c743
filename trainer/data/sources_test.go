package data

import (
	"context"
	"io/fs"
	"strings"
)

// sources is an opener of several sources in memory. A shard's name is source/name.
type sources map[string]memory

func (s sources) List(ctx context.Context, source string, raw bool) (listing, error) {
	m, ok := s[source]
	if !ok {
		return listing{}, &SourceError{Source: source, Missing: true, Err: fs.ErrNotExist}
	}
	l, err := m.List(ctx, source, raw)
	for i, name := range l.names {
		l.names[i] = source + "/" + name
	}
	return l, err
}

func (s sources) Open(ctx context.Context, name string) (shardFile, error) {
	source, name, _ := strings.Cut(name, "/")
	return s[source].Open(ctx, name)
}

func (s sources) readFile(name string, most int64) ([]byte, error) { return readSmall(name, most) }
