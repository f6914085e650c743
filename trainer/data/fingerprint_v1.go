package data

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
)

// Version 1 of the fingerprint hashes each shard apart. Of a shard of more than
// v1Whole bytes it hashes v1Blocks blocks of v1BlockBytes each, evenly spread.
const (
	v1Whole      = 16 << 20
	v1BlockBytes = 64 << 10
	v1Blocks     = 256
)

// FingerprintV1 returns the fingerprint that version 0.1.0 gives the data. Sweeps that it
// has begun are stored under it. It reads the shards again. Data of which max_norm leaves
// rows out have none, and neither have data with an eval_source.
func (s *Set) FingerprintV1(ctx context.Context) (string, error) {
	if s.info.MaxNorm > 0 {
		return "", &SourceError{Source: s.spec.Source, Msg: "version 1 of the fingerprint knows no max_norm"}
	}
	if s.apart != nil {
		return "", &SourceError{Source: s.spec.EvalSource, Msg: "version 1 of the fingerprint knows no eval_source"}
	}
	d := s.content.digest
	if s.shards != nil {
		var err error
		if d, err = s.shards.digestV1(ctx, s.opts.Workers); err != nil {
			return "", err
		}
	}
	h := sha256.New()
	fmt.Fprintf(h, "sweep data 1\n%x\n%s %x %d\n", d[:], s.normalize(), s.info.Scale, s.info.EvalRows)
	return digest(h.Sum(nil)).String(), nil
}

// digestV1 returns the digest of the shards' shapes, dtypes and bytes, in their order.
func (s *shards) digestV1(ctx context.Context, workers int) (d digest, err error) {
	type part struct {
		sum []byte
		err error
	}
	h := sha256.New()
	stop := inOrder(ctx, workers, int64(len(s.list)), 1, func(i, _ int64) (p part) {
		p.sum, p.err = s.list[i].digestV1()
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

// digestV1 returns the SHA-256 of the shard's shape, dtype and bytes, or of blocks of
// them.
func (sh *shard) digestV1() ([]byte, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %s\n", sh.rows, sh.dim, sh.dtype)
	size := sh.bytes()
	if size <= v1Whole {
		if _, err := io.Copy(h, io.NewSectionReader(sh.file, sh.start, size)); err != nil {
			return nil, fmt.Errorf("fingerprint %s: %w", sh.name, err)
		}
		return h.Sum(nil), nil
	}
	buf := make([]byte, v1BlockBytes)
	for i := range int64(v1Blocks) {
		// The blocks start (size−v1BlockBytes)/(v1Blocks−1) bytes apart; the last one ends
		// where the shard ends.
		off := (size - v1BlockBytes) / (v1Blocks - 1) * i
		if i == v1Blocks-1 {
			off = size - v1BlockBytes
		}
		if n, err := sh.ReadAt(buf, off); n < len(buf) {
			return nil, fmt.Errorf("fingerprint %s: %w", sh.name, err)
		}
		h.Write(buf)
	}
	return h.Sum(nil), nil
}
