package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// PutJSONOnce writes v under key unless the key holds something, and returns what
// the key holds afterwards. Of many attempts that write one result, the first one
// counts, and all return the same.
func PutJSONOnce[T any](ctx context.Context, s Store, key string, v T) (T, error) {
	b, err := marshal(v)
	if err != nil {
		return v, Wrap("putnew", key, err)
	}
	err = PutNew(ctx, s, key, b)
	if !errors.Is(err, ErrExists) {
		return v, err
	}
	var there T
	err = GetJSON(ctx, s, key, &there)
	return there, err
}

// GetJSON reads the value under key into v. The error wraps ErrNotFound if there
// is none and ErrCorrupt if it is not JSON of v's type. Unknown fields are
// ignored: a newer build may have written them.
func GetJSON(ctx context.Context, s Store, key string, v any) error {
	b, err := ReadAll(ctx, s, key, maxJSON)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return Wrap("get", key, Mark(err, ErrCorrupt))
	}
	return nil
}

// ReadAll reads the object under key, which has at most limit bytes; of a longer
// one it reads no more than that and returns an error that wraps ErrCorrupt.
func ReadAll(ctx context.Context, s Store, key string, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, Wrap("get", key, err)
	case int64(len(b)) > limit:
		return nil, Wrap("get", key, fmt.Errorf("%w: longer than %d bytes", ErrCorrupt, limit))
	}
	return b, nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
