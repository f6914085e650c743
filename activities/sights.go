package activities

import (
	"sync"
	"time"

	"github.com/topksweep/sweep/storage"
)

// sights is what the attempts of one worker have seen of who holds checkpoint folders, so that the next attempt need
// not wait again. It goes by this process's own looks: a holder is alive if its renewals differ between two looks, and
// dead if looks saw no change for three renewals. Time in which nobody looked counts only as far as two looks lie
// apart: the store may have been silent, or this process may have stood still, and then the holder could not be seen.
type sights struct {
	mu   sync.Mutex
	seen map[string]sight        // by folder
	held map[string]map[int]bool // claims of this process by folder and number; false once they are given up
}

type sight struct {
	attempt  int
	renewals int64
	at       time.Time     // of the last look
	quiet    time.Duration // for which looks have seen no change
}

type liveness int

const (
	unknown liveness = iota
	alive
	dead
)

// see notes a look at a claim that has not ended, and says what is known of its holder. renew is the time between two
// renewals.
func (s *sights) see(folder string, rival *storage.Attempt, renew time.Duration) liveness {
	s.mu.Lock()
	defer s.mu.Unlock()
	if holds, own := s.held[folder][rival.Number]; own {
		if holds {
			return alive
		}
		return dead // its end is not stored yet
	}
	now, before := time.Now(), s.seen[folder]
	if before.attempt != rival.Number {
		s.put(folder, sight{rival.Number, rival.Renewals, now, 0})
		return unknown
	}
	if before.renewals != rival.Renewals {
		s.put(folder, sight{rival.Number, rival.Renewals, now, 0})
		return alive
	}
	quiet := before.quiet + min(max(0, now.Sub(before.at)), 2*renew/looksPerRenew)
	s.put(folder, sight{rival.Number, rival.Renewals, now, quiet})
	if quiet >= missingRenewal*renew {
		return dead
	}
	return unknown
}

func (s *sights) put(folder string, v sight) {
	if s.seen == nil {
		s.seen = map[string]sight{}
	}
	s.seen[folder] = v
}

// hold notes that an attempt of this process has claimed a folder.
func (s *sights) hold(folder string, attempt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, folder)
	if s.held == nil {
		s.held = map[string]map[int]bool{}
	}
	if s.held[folder] == nil {
		s.held[folder] = map[int]bool{}
	}
	s.held[folder][attempt] = true
}

// release notes that the attempt has ended.
func (s *sights) release(folder string, attempt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, held := s.held[folder][attempt]; held {
		s.held[folder][attempt] = false
	}
}

// forget notes that the end of the attempt is stored.
func (s *sights) forget(folder string, attempt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held[folder], attempt)
	if len(s.held[folder]) == 0 {
		delete(s.held, folder)
	}
}
