package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A shard of more than wholeContent bytes is hashed in part: blocks blocks of blockBytes
// each, evenly spread. So a dataset's fingerprint takes seconds, not hours.
const (
	wholeContent = 16 << 20
	blockBytes   = 64 << 10
	blocks       = 256
)

// A digest is the SHA-256 of the content of a source. File names, folders and times are
// not part of it.
type digest [sha256.Size]byte

// String returns the first 32 hexadecimal digits, the form that people compare.
func (d digest) String() string { return hex.EncodeToString(d[:])[:32] }

// fingerprint returns the fingerprint of the data as training sees them: of the content,
// its scaling, and the number of held-out rows.
func (d digest) fingerprint(normalize string, scale float64, eval int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "sweep data 1\n%x\n%s %x %d\n", d[:], normalize, scale, eval)
	return digest(h.Sum(nil)).String()
}

// digest returns the digest of the shards' shapes, dtypes and bytes, in their order.
func (s *shards) digest(ctx context.Context, workers int) (d digest, err error) {
	type part struct {
		sum []byte
		err error
	}
	h := sha256.New()
	stop := inOrder(ctx, workers, int64(len(s.list)), 1, func(i, _ int64) (p part) {
		p.sum, p.err = s.list[i].digest()
		return p
	}, func(p part) {
		h.Write(p.sum)
		if err == nil {
			err = p.err
		}
	})
	if stop != nil {
		err = stop
	}
	return digest(h.Sum(nil)), err
}

// digest returns the SHA-256 of the shard's shape, dtype and bytes, or of blocks of them.
func (sh *shard) digest() ([]byte, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %s\n", sh.rows, sh.dim, sh.dtype)
	size := sh.bytes()
	if size <= wholeContent {
		if _, err := io.Copy(h, io.NewSectionReader(sh.file, sh.start, size)); err != nil {
			return nil, fmt.Errorf("fingerprint %s: %w", sh.name, err)
		}
		return h.Sum(nil), nil
	}
	buf := make([]byte, blockBytes)
	for i := range int64(blocks) {
		// The blocks start (size−blockBytes)/(blocks−1) bytes apart; the last one ends where
		// the shard ends.
		off := (size - blockBytes) / (blocks - 1) * i
		if i == blocks-1 {
			off = size - blockBytes
		}
		if n, err := sh.file.ReadAt(buf, sh.start+off); n < len(buf) {
			return nil, fmt.Errorf("fingerprint %s: %w", sh.name, err)
		}
		h.Write(buf)
	}
	return h.Sum(nil), nil
}

// bytes returns the size of all rows as stored.
func (s *shards) bytes() (n int64) {
	for _, sh := range s.list {
		n += sh.layout.bytes()
	}
	return n
}

// dtypes returns the dtypes of the shards, sorted, such as "F16" or "F16, F32".
func (s *shards) dtypes() string {
	var names []string
	for _, sh := range s.list {
		names = append(names, string(sh.dtype))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
