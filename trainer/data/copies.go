package data

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// Shards are compared by some of their rows first: by copyRows, and by no more bytes than
// copyBytes if a row is long.
const (
	copyRows  = 16
	copyBytes = 256 << 10
)

// copies returns an error for each group of shards that hold the same rows: some rows
// would be trained on and held out at once, or be measured twice.
func (s *shards) copies(ctx context.Context, workers int) []error {
	all := make([]*shard, len(s.list))
	for i := range s.list {
		all[i] = &s.list[i]
	}
	same, err := equalShards(ctx, all, workers)
	if err != nil {
		return []error{err}
	}
	what := "some would be trained on and held out at once"
	if s.allHeldOut {
		what = "they would count twice"
	}
	var errs []error
	for _, g := range same {
		errs = append(errs, copyError(g, what))
	}
	return firstErrors(errs, 10)
}

// equalShards returns the groups of shards that hold the same rows. It reads a few rows of each shard, and all rows of
// the shards in which these are equal.
func equalShards(ctx context.Context, all []*shard, workers int) (groups [][]*shard, err error) {
	for _, g := range groupBy(all, func(sh *shard) layout { return layout{dtype: sh.dtype, rows: sh.rows, dim: sh.dim} }) {
		alike, err := groupByHash(ctx, g, workers, (*shard).hashSample)
		if err != nil {
			return nil, err
		}
		for _, g := range alike {
			same, err := sameRows(ctx, g, workers)
			if err != nil {
				return nil, err
			}
			groups = append(groups, same...)
		}
	}
	return groups, nil
}

// firstErrors returns the first errors, and one that counts the others.
func firstErrors(errs []error, most int) []error {
	if len(errs) <= most {
		return errs
	}
	more := fmt.Sprintf("%d more shards have copies", len(errs)-most)
	return append(errs[:most:most], &SourceError{Msg: more})
}

// sameRows returns the groups of shards with equal rows, among shards that have some.
// Two names of one file need not be read.
func sameRows(ctx context.Context, alike []*shard, workers int) ([][]*shard, error) {
	first := alike[0]
	names, others := []*shard{first}, []*shard{first}
	for _, sh := range alike[1:] {
		if sameFile(first, sh) {
			names = append(names, sh)
		} else {
			others = append(others, sh)
		}
	}
	same, err := groupByHash(ctx, others, workers, (*shard).hashRows)
	if err != nil || len(names) == 1 {
		return same, err
	}
	if len(same) > 0 && same[0][0] == first {
		same[0] = append(same[0], names[1:]...)
		return same, nil
	}
	return append([][]*shard{names}, same...), nil
}

// copyError says that shards are equal, and what comes of it.
func copyError(same []*shard, what string) error {
	var names []string
	for _, sh := range same[1:] {
		names = append(names, sh.name)
	}
	first := same[0]
	if sameFile(first, same[1]) {
		return &ShardError{first.name, fmt.Sprintf("is taken twice, as %s is the same file: "+
			"remove one of the names, or give a source that matches one", fewOf(names))}
	}
	return &ShardError{first.name, fmt.Sprintf("%s holds the same rows: %s: "+
		"remove all but one, or give a source that matches one", fewOf(names), what)}
}

// sameFile reports whether two shards are names of one file, by a link for example.
func sameFile(a, b *shard) bool {
	x, err := a.file.Stat()
	if err != nil {
		return false
	}
	y, err := b.file.Stat()
	return err == nil && os.SameFile(x, y)
}

// groupBy returns the groups of two and more shards that have equal keys, in the order of
// the shards.
func groupBy[K comparable](list []*shard, key func(*shard) K) (groups [][]*shard) {
	byKey := map[K][]*shard{}
	for _, sh := range list {
		byKey[key(sh)] = append(byKey[key(sh)], sh)
	}
	for _, sh := range list {
		if g := byKey[key(sh)]; len(g) > 1 && g[0] == sh {
			groups = append(groups, g)
		}
	}
	return groups
}

// groupByHash is groupBy for a hash of what shards hold. It reads each shard once. A
// single shard it does not read.
func groupByHash(ctx context.Context, list []*shard, workers int,
	hash func(*shard) (digest, error)) ([][]*shard, error) {
	if len(list) < 2 {
		return nil, nil
	}
	type result struct {
		shard *shard
		sum   digest
		err   error
	}
	sums := map[*shard]digest{}
	var errs []error
	err := inOrder(ctx, workers, int64(len(list)), 1, func(i, _ int64) (r result) {
		r.shard = list[i]
		r.sum, r.err = hash(r.shard)
		return r
	}, func(r result) {
		sums[r.shard] = r.sum
		if r.err != nil {
			errs = append(errs, r.err)
		}
	})
	if err == nil && len(errs) > 0 {
		err = joinErrors(errs)
	}
	if err != nil {
		return nil, err
	}
	return groupBy(list, func(sh *shard) digest { return sums[sh] }), nil
}

// hashSample hashes rows that are spread evenly over the shard, the first and the last
// among them.
func (sh *shard) hashSample() (digest, error) {
	if tag := sh.file.stamp().Tag; tag != "" { // it stands for the content
		return sha256.Sum256([]byte(tag)), nil
	}
	n := max(2, min(copyRows, copyBytes/sh.rowBytes()))
	h := sha256.New()
	buf := make([]byte, sh.rowBytes())
	for i := range n {
		row := (sh.rows - 1) / (n - 1) * i
		if i == n-1 {
			row = sh.rows - 1
		}
		if _, err := sh.ReadAt(buf, row*sh.rowBytes()); err != nil && err != io.EOF {
			return digest{}, err
		}
		h.Write(buf)
	}
	return digest(h.Sum(nil)), nil
}

// hashRows hashes all rows of the shard as they are stored.
func (sh *shard) hashRows() (digest, error) {
	if tag := sh.file.stamp().Tag; tag != "" {
		return sha256.Sum256([]byte(tag)), nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(sh, 0, sh.bytes())); err != nil {
		return digest{}, err
	}
	return digest(h.Sum(nil)), nil
}
