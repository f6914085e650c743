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
	seen map[string]sight                // by folder
	held map[string]map[int]*storage.End // claims of this process by folder and number, until their end is stored;
	// nil while the attempt has it
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
	if end, own := s.held[folder][rival.Number]; own {
		if end == nil {
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
		s.held = map[string]map[int]*storage.End{}
	}
	if s.held[folder] == nil {
		s.held[folder] = map[int]*storage.End{}
	}
	s.held[folder][attempt] = nil
}

// release notes how the attempt has ended. The first end counts.
func (s *sights) release(folder string, attempt int, end storage.End) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, held := s.held[folder][attempt]; held && before == nil {
		s.held[folder][attempt] = &end
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

// known returns the attempts of others and, of this process, those that have ended, with their ends where the store
// does not have them yet.
func (s *sights) known(folder string, attempts []storage.Attempt) (all []storage.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range attempts {
		if end, own := s.held[folder][at.Number]; own && at.Ended == nil {
			if end == nil {
				continue // it is alive
			}
			at.Ended = end
		}
		all = append(all, at)
	}
	return all
}
