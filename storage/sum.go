package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// A sum is the SHA-256 of what is written to it. It is computed on a goroutine of its own, so that the writer gets the
// next bytes meanwhile: one core hashes 1 to 2 GB/s. Whoever makes a sum calls hex or stop.
type sum struct {
	h       hash.Hash
	full    chan []byte // blocks to hash; nil after stop
	free    chan []byte // blocks to fill
	stopped chan struct{}
}

// sumBlocks and sumBlock bound the memory of a sum: so many blocks, of so many bytes at most.
const (
	sumBlocks = 4
	sumBlock  = 256 << 10
)

func newSum() *sum {
	s := &sum{
		h: sha256.New(), full: make(chan []byte, sumBlocks), free: make(chan []byte, sumBlocks),
		stopped: make(chan struct{}),
	}
	for range sumBlocks {
		s.free <- nil
	}
	go func(full <-chan []byte) {
		defer close(s.stopped)
		for b := range full {
			s.h.Write(b)
			s.free <- b
		}
	}(s.full)
	return s
}

// Write implements io.Writer. It copies p, and waits while all blocks are full.
func (s *sum) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		b := append((<-s.free)[:0], rest[:min(len(rest), sumBlock)]...)
		rest = rest[len(b):]
		s.full <- b
	}
	return len(p), nil
}

// hex returns the sum of all that was written, in lower-case hex. Nothing can be written after it.
func (s *sum) hex() string {
	s.stop()
	return hex.EncodeToString(s.h.Sum(nil))
}

// stop ends the goroutine. A second call does nothing.
func (s *sum) stop() {
	if s.full != nil {
		close(s.full)
		s.full = nil
	}
	<-s.stopped
}
