package minio

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A bodyError is an error of the caller's body, which repeating does not cure.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// A body is the data of a put. If it cannot be read it cancels the whole put, which
// the client would otherwise try again and again.
type body struct {
	io.ReaderAt
	size   int64
	cancel context.CancelCauseFunc
}

func (b *body) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.ReaderAt.ReadAt(p, off)
	if n == len(p) || err == io.EOF && off+int64(n) >= b.size {
		return n, err
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	err = &bodyError{fmt.Errorf("body at byte %d of %d: %w", off+int64(n), b.size, err)}
	b.cancel(err)
	return n, err
}

// castagnoli is the CRC that S3 calls CRC32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum reads n bytes of the body from off on and returns their CRC32C in base64. It
// is sent ahead of them, so that a request can be repeated as it is.
func (b *body) sum(ctx context.Context, off, n int64) (string, error) {
	h := crc32.New(castagnoli)
	buf := make([]byte, min(n, 256<<10))
	r := io.NewSectionReader(b, off, n)
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		k, err := r.Read(buf)
		h.Write(buf[:k])
		if err == io.EOF || n == 0 {
			return encode(h.Sum32()), nil
		}
		if err != nil {
			return "", err
		}
	}
}

func encode(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}
