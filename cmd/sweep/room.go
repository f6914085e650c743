package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/topksweep/sweep/storage/disk"
)

const (
	roomInterval = 5 * time.Second // between two looks whether disks have room
	roomReminder = time.Minute     // between two lines that say that a disk has none
	roomToRun    = 256 << 10       // bytes that the server needs to write something small
	roomToStart  = 4 << 20         // bytes that it needs to begin
)

// A folder is one on this machine that a sweep cannot do without.
type folder struct {
	path   string
	server bool                   // the Temporal server keeps its database on its disk, and is silent while that is full
	store  bool                   // the store is on its disk
	probe  func(size int64) error // says whether its disk takes so many bytes, as disk.Probe does
}

func newFolder(path string, server, store bool) folder {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return folder{path, server, store, func(size int64) error { return disk.Probe(path, size) }}
}

// foldersOf returns those of a server on a state directory, with a worker of this process on
// a store. A store on the same disk is no folder more.
func foldersOf(at location) []folder {
	store, err := folderOf(at.storeURL())
	isFolder := err == nil && store != ""
	one := isFolder && disk.Same(store, at.dir)
	all := []folder{newFolder(at.dir, true, one)}
	if isFolder && !one {
		all = append(all, newFolder(store, false, true))
	}
	return all
}

// A roomWatch looks from time to time whether the disks under some folders have room. It
// says so when one has none, now and then while that lasts, and when there is room again.
type roomWatch struct {
	folders []folder
	say     func(line string)

	looked  time.Time // the newest look
	outages []outage  // by folder
}

// An outage is a time in which a disk takes nothing.
type outage struct {
	err  error     // why; nil if there is room
	seen int       // looks in a row that have found no room
	said time.Time // when a line last said so; zero if none has
}

func newRoomWatch(folders []folder, say func(string)) *roomWatch {
	return &roomWatch{folders: folders, say: say, outages: make([]outage, len(folders))}
}

// look looks if it is time to. silent says that the server does not answer: then it looks
// in any case, and one look is enough. Else it takes two to say that a disk is full: a
// checkpoint that did not fit fills it for a moment only.
func (w *roomWatch) look(silent bool) {
	now := time.Now()
	if !silent && now.Sub(w.looked) < roomInterval {
		return
	}
	w.looked = now
	for i, f := range w.folders {
		w.outages[i].update(f, f.probe(roomToRun), now, silent, w.say)
	}
}

func (o *outage) update(f folder, err error, now time.Time, silent bool, say func(string)) {
	if err == nil {
		switch {
		case o.said.IsZero():
		case isFull(o.err):
			say("there is room again on the disk of " + f.path)
		default:
			say("the disk of " + f.path + " can be written again")
		}
		*o = outage{}
		return
	}
	o.err = err
	o.seen++
	switch {
	case o.said.IsZero() && (silent || o.seen > 1):
		say(err.Error() + "; " + f.consequence(err))
	case !o.said.IsZero() && now.Sub(o.said) >= roomReminder:
		say("still waiting: " + err.Error())
	default:
		return
	}
	o.said = now
}

// consequence says what it means that a folder's disk takes nothing, and what to do.
func (f folder) consequence(err error) string {
	switch full := isFull(err); {
	case f.server && full:
		return "the server waits for that and goes on by itself; nothing is lost"
	case f.server:
		return "until then the server cannot go on"
	case full:
		return "checkpoints and results wait for that; nothing is lost"
	}
	return "until then no checkpoint and no result is stored"
}

// full says that the disk of the server's database is full, as the newest look found it.
func (w *roomWatch) full() bool {
	for i, f := range w.folders {
		if f.server && isFull(w.outages[i].err) {
			return true
		}
	}
	return false
}

// watchRoom looks until ctx ends, and calls too at each look.
func watchRoom(ctx context.Context, w *roomWatch, too func()) {
	tick := time.NewTicker(roomInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(false)
			too()
		}
	}
}

// noRoom returns an error if the disk of a store takes nothing.
func noRoom(folders []folder) error {
	for _, f := range folders {
		if !f.store {
			continue
		}
		if err := f.probe(roomToRun); err != nil {
			return err
		}
	}
	return nil
}

// explain adds to an error that the disk of a folder takes nothing now, if that is so.
func explain(folders []folder, err error) error {
	if err == nil {
		return nil
	}
	for _, f := range folders {
		if full := f.probe(roomToRun); full != nil {
			return fmt.Errorf("%w: %w", full, err)
		}
	}
	return err
}

// serverFull says that the disk of a server's database is full now.
func serverFull(folders []folder) bool {
	for _, f := range folders {
		if f.server && isFull(f.probe(roomToRun)) {
			return true
		}
	}
	return false
}

// isFull tells a full disk from one with room, and from one that is read-only.
func isFull(err error) bool {
	var e *disk.Error
	return errors.As(err, &e) && e.Full()
}

// checkRoom returns an error if a server cannot begin on a state directory for lack of
// room.
func checkRoom(dir string) error {
	if err := disk.Probe(dir, roomToStart); err != nil {
		return fmt.Errorf("state directory: %w; or choose another directory with --dir", err)
	}
	return nil
}
