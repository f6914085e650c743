//go:build unix

package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/topksweep/sweep/storage"
)

// maxDeaths are the processes that may die for a checkpoint folder without a new checkpoint. At the third death its
// cells fail, rightly.
const maxDeaths = 2

// A claimsByFolder knows who has claimed which checkpoint folder, as of one listing of the store.
type claimsByFolder struct {
	newest map[string]string // the key of the newest claim, by folder
	vain   map[string]int    // claims since the newest checkpoint, by folder
	pids   map[string]string // process of a claim's holder, by the claim's key: claims do not change
}

func newClaimsByFolder() claimsByFolder { return claimsByFolder{pids: map[string]string{}} }

// read takes the claims from a listing of all objects, and reads those that are new.
func (f *claimsByFolder) read(ctx context.Context, store storage.Store, objects []storage.Object) error {
	f.newest, f.vain = map[string]string{}, map[string]int{}
	claims, saved := map[string][]int{}, map[string]int{}
	for _, o := range objects {
		part := strings.Split(o.Key, "/")
		if len(part) != 4 || part[0] != "stages" {
			continue
		}
		name := strings.TrimSuffix(part[3], path.Ext(part[3]))
		switch part[2] {
		case "claims":
			n, err := strconv.Atoi(name)
			if err != nil {
				return err
			}
			claims[part[1]] = append(claims[part[1]], n)
			if n == slices.Max(claims[part[1]]) {
				f.newest[part[1]] = o.Key
			}
		case "manifests": // STEP-ATTEMPT
			_, attempt, _ := strings.Cut(name, "-")
			n, err := strconv.Atoi(attempt)
			if err != nil {
				return err
			}
			saved[part[1]] = max(saved[part[1]], n)
		}
	}
	for folder, key := range f.newest {
		for _, n := range claims[folder] {
			if n > saved[folder] {
				f.vain[folder]++
			}
		}
		if _, ok := f.pids[key]; ok {
			continue
		}
		pid, err := holder(ctx, store, key)
		if err != nil && !errors.Is(err, storage.ErrNotFound) { // removed since the listing
			return err
		}
		f.pids[key] = pid
	}
	return nil
}

// holder returns the process that made a claim.
func holder(ctx context.Context, store storage.Store, key string) (pid string, err error) {
	r, err := store.Get(ctx, key)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	var claim struct {
		By string `json:"by"`
	}
	if err := json.Unmarshal(b, &claim); err != nil {
		return "", err
	}
	pid, _, _ = strings.Cut(claim.By, "@")
	return pid, nil
}

// mayDie reports whether no cell fails for it if a worker is killed now.
func (c *chaos) mayDie(w *chaosWorker) bool {
	pid := strconv.Itoa(w.cmd.Process.Pid)
	for folder, key := range c.claims.newest {
		if c.claims.pids[key] == pid && c.claims.vain[folder] > maxDeaths {
			return false
		}
	}
	return true
}
