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

// Large shards are known by a part of their bytes: a dataset's fingerprint takes
// seconds, not hours.
const (
	wholeContent = 16 << 20
	blockBytes   = 64 << 10
	blocks       = 256
)

// A digest is the SHA-256 of the content of a source, without names, folders
// and times.
type digest [sha256.Size]byte

// String is the form in which people compare digests.
func (d digest) String() string { return hex.EncodeToString(d[:])[:32] }

// with returns the fingerprint of all that training sees of the content.
func (d digest) with(normalize string, scale float64, eval int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "sweep data 1\n%x\n%s %x %d\n", d[:], normalize, scale, eval)
	return digest(h.Sum(nil)).String()
}

// digest is over each shard's shape, dtype and bytes, in order.
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
		// From the first block to the last, (size - blockBytes)/(blocks-1) apart.
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

func (s *shards) bytes() (n int64) {
	for _, sh := range s.list {
		n += sh.layout.bytes()
	}
	return n
}

// dtypes names those of the shards, as F16 or F16, F32.
func (s *shards) dtypes() string {
	var names []string
	for _, sh := range s.list {
		names = append(names, string(sh.dtype))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
