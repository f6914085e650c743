package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// cacheHeader begins the file of an entry. The SHA-256 of what follows the line, and a
// line feed, come behind it. Its number is raised when an entry means something else.
const cacheHeader = "sweep data cache 1 "

// A cacheEntry holds what reading all bytes of a data set has found.
type cacheEntry struct {
	Sampled bool    `json:"sampled,omitempty"`
	Shards  []stamp `json:"shards"`            // of the files before they were read
	Began   int64   `json:"began"`             // when reading began, in nanoseconds since 1970
	Content string  `json:"content,omitempty"` // the digest, in hexadecimal digits

	// LeftOut has the rows that max_norm leaves out, by the norm, as leftOutKey and
	// encodeRows write them; Repeated the held-out rows that are training rows too, by
	// repeatedKey.
	LeftOut  map[string][]byte `json:"left_out,omitempty"`
	Repeated map[string]int64  `json:"repeated,omitempty"`
}

// maxDerived is how many settings an entry holds results of.
const maxDerived = 8

// A cache keeps one entry for a data set: for a list of paths, and what of them is hashed.
type cache struct {
	file  string // "" for none
	entry cacheEntry
	clock func() time.Time
}

// newCache returns the cache of shards, with what it holds of files that have these
// stamps. Whatever else there is, is ignored.
func newCache(s *shards, sampled bool, o Options) *cache {
	c := &cache{clock: o.clock}
	fresh := cacheEntry{Sampled: sampled, Shards: s.stamps(), Began: o.clock().UnixNano()}
	c.entry = fresh
	if o.Cache == "" {
		return c
	}
	h := sha256.New()
	fmt.Fprintf(h, "sampled %t\n", sampled)
	s.form.identify(h)
	for _, sh := range s.list {
		path, err := sh.name, error(nil)
		if !isRemote(path) {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return c
		}
		fmt.Fprintf(h, "%q\n", path)
	}
	c.file = filepath.Join(o.Cache, digest(h.Sum(nil)).String())
	if e, ok := readEntry(c.file); ok && e.Sampled == sampled && slices.Equal(e.Shards, fresh.Shards) && !e.racy() {
		c.entry = e
	}
	return c
}

// racy reports whether a file may have been written to after it was read, without a sign.
func (e *cacheEntry) racy() bool {
	return slices.ContainsFunc(e.Shards, func(s stamp) bool { return s.racy(time.Unix(0, e.Began)) })
}

// readEntry reads an entry. It returns false if there is none, or none that can be used.
func readEntry(file string) (e cacheEntry, ok bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return e, false
	}
	b, ok = bytes.CutPrefix(b, []byte(cacheHeader))
	sum, body, found := bytes.Cut(b, []byte("\n"))
	if !ok || !found || string(sum) != checksum(body) || json.Unmarshal(body, &e) != nil {
		return cacheEntry{}, false
	}
	return e, true
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// content returns the digest that the cache holds.
func (c *cache) content() (content, bool) {
	var d digest
	b, err := hex.DecodeString(c.entry.Content)
	if err != nil || copy(d[:], b) < len(d) {
		return content{}, false
	}
	return content{digest: d, sampled: c.entry.Sampled}, true
}

// put changes the entry and writes it, unless a file was changed so lately that it would
// not be trusted. It needs no lock against other processes: what one of them loses of
// another's entry is computed again.
func (c *cache) put(change func(e *cacheEntry)) {
	change(&c.entry)
	if c.file == "" || c.entry.racy() {
		return
	}
	body, err := json.Marshal(c.entry)
	if err != nil {
		return
	}
	_ = writeFile(c.file, slices.Concat([]byte(cacheHeader), []byte(checksum(body)), []byte("\n"), body))
}

// writeFile writes a file as a whole: whoever reads it at the same time sees the old one
// or the new one.
func writeFile(name string, b []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(name)+".tmp*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if close := f.Close(); err == nil {
		err = close
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// keep sets m[key], and forgets the others when they become many.
func keep[T any](m map[string]T, key string, value T) map[string]T {
	if m == nil || len(m) >= maxDerived {
		m = map[string]T{}
	}
	m[key] = value
	return m
}
