package storage

import (
	"bytes"
	"context"
	"encoding/json"
)

// maxJSON bounds what GetJSON reads.
const maxJSON = 1 << 30

// PutJSON writes v under key. Equal values give equal bytes, so writing one
// twice changes nothing.
func PutJSON(ctx context.Context, s Store, key string, v any) error {
	b, err := marshal(v)
	if err != nil {
		return Wrap("put", key, err)
	}
	return PutBytes(ctx, s, key, b)
}

// PutBytes writes b under key.
func PutBytes(ctx context.Context, s Store, key string, b []byte) error {
	return s.Put(ctx, key, bytes.NewReader(b), int64(len(b)))
}

// PutNew writes data under key if s is a NewPutter and the key holds nothing.
func PutNew(ctx context.Context, s Store, key string, data []byte) error {
	p, ok := s.(NewPutter)
	if !ok {
		return Wrap("putnew", key, ErrNoPutNew)
	}
	return p.PutNew(ctx, key, data)
}

// GetJSON reads the value under key into v. The error wraps ErrNotFound if there
// is none. It wraps ErrCorrupt if two reads gave the same bytes, and they are no JSON
// of v's type. Unknown fields are ignored: a newer build may have written them.
func GetJSON[T any](ctx context.Context, s Store, key string, v *T) error {
	read, err := Read(ctx, s, key, maxJSON, ParseJSON[T])
	if err == nil {
		*v = read
	}
	return err
}

// ParseJSON reads a value as GetJSON does. The error wraps ErrCorrupt.
func ParseJSON[T any](b []byte) (v T, err error) {
	return v, Mark(json.Unmarshal(b, &v), ErrCorrupt)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
