package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// The content of a source is hashed in blocks of blockNumbers numbers, or of one row
// where a row has more. They are counted in rows of the whole source, so that the digest
// does not depend on how the rows are split into files.
//
// With verify: sample, at least sampledBlocks blocks and at least one in sampledPart are
// hashed, evenly spread, with the first and the last. In float32 a block is 4 MiB, so that
// this is 256 MiB or 1/256 of the bytes, whichever is more.
const (
	blockNumbers  = 1 << 20
	sampledBlocks = 64
	sampledPart   = 256
	hashBuffer    = 256 << 10 // bytes that are read at a time: they stay in the CPU's cache
)

// A digest is the SHA-256 of the content of a source. File names, folders and times are
// not part of it.
type digest [sha256.Size]byte

// String returns the first 32 hexadecimal digits, the form that people compare.
func (d digest) String() string { return hex.EncodeToString(d[:])[:32] }

// content is what hashing a source finds.
type content struct {
	digest
	sampled bool
	objects bool     // the tags of objects stand for their content
	blocks  []digest // of the blocks that were hashed, in order; nil where the cache had the digest
}

// String returns the form that people compare: "sampled-" comes before the digits where
// not all bytes were hashed, and "objects-" where the tags of objects were.
func (c content) String() string { return c.mark(c.digest) }

// mark returns d as text, marked as c is.
func (c content) mark(d digest) string {
	if c.objects {
		return "objects-" + d.String()
	}
	if c.sampled {
		return "sampled-" + d.String()
	}
	return d.String()
}

// fingerprint returns the fingerprint of the data as training sees them: of the content,
// its scaling, the number of held-out rows, the norm above which rows are left out, and the content of the held-out
// rows' own source, if apart is not nil.
func (c content) fingerprint(normalize string, scale float64, eval int64, maxNorm float64, shuffle string,
	apart *content) string {
	h := sha256.New()
	fmt.Fprintf(h, "sweep data 2\n%x\n%s %x %d %x\n", c.digest[:], normalize, scale, eval, maxNorm)
	if apart != nil {
		fmt.Fprintf(h, "eval_source %x\n", apart.digest[:])
	}
	if shuffle != "" {
		fmt.Fprintf(h, "shuffle %s %d %d %d\n", shuffle, orderBlockNumbers, minBlocks, windowBlocks)
	}
	return c.mark(digest(h.Sum(nil)))
}

// blockRows returns the number of rows of a block.
func (s *shards) blockRows() int64 { return max(1, blockNumbers/int64(s.width)) }

// blockCount returns the number of blocks that hashing reads.
func (s *shards) blockCount(sampled bool) int64 {
	all := (s.count + s.blockRows() - 1) / s.blockRows()
	if sampled {
		return min(all, max(sampledBlocks, (all+sampledPart-1)/sampledPart))
	}
	return all
}

// block returns the rows [from, to) of the i-th block that hashing reads.
func (s *shards) block(i int64, sampled bool) (from, to int64) {
	if n := s.blockCount(sampled); sampled && n > 1 {
		// Of all blocks, n are read. In 128 bits the product could not overflow; in 64 bits
		// it cannot for less than 2^31 blocks, which are petabytes.
		i = i * (s.blockCount(false) - 1) / (n - 1)
	}
	from = i * s.blockRows()
	return from, min(s.count, from+s.blockRows())
}

// A rowVisitor is called with each row that is hashed, as it is stored, by several
// goroutines at once. The bytes are valid during the call only.
type rowVisitor func(sh *shard, row int64, raw []byte) error

// hash returns the digest of the content: the SHA-256 of the number of rows, their width,
// and the SHA-256 of each block. after is called, by several goroutines, with the number
// of bytes of each block that was read; visit may be nil.
func (s *shards) hash(ctx context.Context, sampled bool, workers int, after func(bytes int64),
	visit rowVisitor) (content, error) {
	type part struct {
		sum digest
		err error
	}
	if s.remote() {
		return s.hashTags(), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := content{sampled: sampled}
	h := sha256.New()
	fmt.Fprintf(h, "sweep content 2\n%d rows of %d\n", s.count, s.width)
	var failed error
	n := s.blockCount(sampled)
	if sampled {
		fmt.Fprintf(h, "%d blocks\n", n)
	}
	stop := inOrder(ctx, workers, n, 1, func(i, _ int64) (p part) {
		from, to := s.block(i, sampled)
		if p.sum, p.err = s.hashBlock(from, to, after, visit); p.err != nil {
			cancel() // the other blocks need not be read
		}
		return p
	}, func(p part) {
		h.Write(p.sum[:])
		c.blocks = append(c.blocks, p.sum)
		if failed == nil {
			failed = p.err
		}
	})
	if failed == nil {
		failed = stop
	}
	c.digest = digest(h.Sum(nil))
	return c, failed
}

// remote reports whether the shards are objects: all are, or none.
func (s *shards) remote() bool { return s.list[0].file.stamp().Tag != "" }

// hashTags returns the digest of a source of objects: the SHA-256 of the number of rows, their width, and of each
// shard's dtype, rows, size and tag, and of what the spec says of the tensor. No row is read.
func (s *shards) hashTags() content {
	h := sha256.New()
	fmt.Fprintf(h, "sweep objects 1\n%d rows of %d\n", s.count, s.width)
	s.form.identify(h) // an object of several tensors has one tag
	for i := range s.list {
		sh := &s.list[i]
		st := sh.file.stamp()
		fmt.Fprintf(h, "%s %d %d %q\n", sh.dtype, sh.rows, st.Size, st.Tag)
	}
	return content{objects: true, digest: digest(h.Sum(nil))}
}

// hashBlock returns the SHA-256 of the rows [from, to). Before each run of rows of one
// dtype it hashes the dtype and the number of rows, so that equal bytes of two dtypes are
// not taken for equal rows.
func (s *shards) hashBlock(from, to int64, after func(bytes int64), visit rowVisitor) (digest, error) {
	h := sha256.New()
	var buf []byte
	for row := from; row < to; {
		end, dtype := s.sameDType(row, to)
		fmt.Fprintf(h, "%s %d\n", dtype, end-row)
		for row < end {
			sh := s.shardOf(row)
			n := min(end, sh.first+sh.rows) - row
			n = min(n, max(1, hashBuffer/sh.rowBytes()))
			if size := n * sh.rowBytes(); int64(len(buf)) < size {
				buf = make([]byte, size)
			}
			if err := s.hashRows(h, sh, row, buf[:n*sh.rowBytes()], visit); err != nil {
				return digest{}, err
			}
			after(n * sh.rowBytes())
			row += n
		}
	}
	return digest(h.Sum(nil)), nil
}

// sameDType returns the end, at most to, of the rows from row on that have its dtype.
func (s *shards) sameDType(row, to int64) (end int64, t dtype) {
	sh := s.shardOf(row)
	for t = sh.dtype; row < to; row = sh.first + sh.rows {
		if sh = s.shardOf(row); sh.dtype != t {
			return row, t
		}
	}
	return to, t
}

// hashRows reads the rows of sh that fill buf, from the source's row on, and adds them to
// h.
func (s *shards) hashRows(h hash.Hash, sh *shard, row int64, buf []byte, visit rowVisitor) error {
	if n, err := sh.ReadAt(buf, (row-sh.first)*sh.rowBytes()); n < len(buf) {
		return err
	}
	h.Write(buf)
	if visit == nil {
		return nil
	}
	for size := sh.rowBytes(); len(buf) > 0; row, buf = row+1, buf[size:] {
		if err := visit(sh, row, buf[:size]); err != nil {
			return err
		}
	}
	return nil
}

// bytes returns the size of all rows as stored.
func (s *shards) bytes() (n int64) {
	for _, sh := range s.list {
		n += sh.layout.bytes()
	}
	return n
}

// hashedBytes returns how many bytes hash reads.
func (s *shards) hashedBytes(sampled bool) (n int64) {
	for i := range s.blockCount(sampled) {
		n += s.storedBytes(s.block(i, sampled))
	}
	return n
}

// storedBytes returns the size of the rows [from, to) as stored.
func (s *shards) storedBytes(from, to int64) (n int64) {
	for from < to {
		sh := s.shardOf(from)
		end := min(to, sh.first+sh.rows)
		n += (end - from) * sh.rowBytes()
		from = end
	}
	return n
}

// dtypes returns the dtypes of shards, sorted, such as "F16" or "F16, F32".
func dtypes(list []shard) string {
	var names []string
	for _, sh := range list {
		names = append(names, string(sh.dtype))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
