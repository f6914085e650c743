package ledger

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/topksweep/sweep/storage/storagetest"
	"github.com/topksweep/sweep/sweep/plan"
)

// Of the folders whose runs have results, those go that were not written to for a time, the
// oldest first, until there is enough room. All others stay.
func TestRemoveFinished(t *testing.T) {
	s, root := openDir(t)
	p := planOf(t, tinyGrid)
	l := storePlan(t, s, p)
	storeResult(t, s, p, 0, 1)
	now := time.Now()
	save := func(folder string, days int) {
		t.Helper()
		storagetest.SaveCheckpoints(t, s, folder, []int64{7}, 7)
		for _, key := range keys(t, s, "stages/"+folder+"/") {
			setTime(t, root, key, now.AddDate(0, 0, -days))
		}
	}
	trunk := func(cell int) string { return p.CheckpointFolder(p.Cells[cell], plan.LevelTrunk) }
	done := func(suffix string) string { return p.Trajectory(p.Cells[0], plan.LevelTrunk) + suffix }
	save(trunk(0), 20)          // finished
	save(done("-aaaaaaaa"), 30) // of another sweep, finished too
	save(done("-bbbbbbbb"), 2)  // younger
	save(trunk(1), 40)          // its run has no result
	save("nobody", 50)          // of no plan

	remove := func(before time.Time, enough func() bool) (gone []string) {
		t.Helper()
		err := l.RemoveFinished(t.Context(), before, enough, func(f GarbageFolder) {
			if f.Why != FolderFinished || f.Objects == 0 || f.Bytes == 0 {
				t.Errorf("%+v", f)
			}
			gone = append(gone, f.Folder)
		})
		if err != nil {
			t.Fatal(err)
		}
		return gone
	}
	never := func() bool { return false }
	week := now.AddDate(0, 0, -7)
	all := snapshot(t, s)
	if gone := remove(now.AddDate(0, 0, -60), never); gone != nil {
		t.Errorf("%v are gone, of which none is so old", gone)
	}
	if gone := remove(week, func() bool { return true }); gone != nil {
		t.Errorf("%v are gone, though there is room", gone)
	}
	wantUnchanged(t, s, all)

	// A manifest that is damaged may be one that names what is needed.
	manifests, err := filepath.Glob(filepath.Join(root, "stages", "nobody", "manifests", "*"))
	if err != nil || len(manifests) != 1 {
		t.Fatal(manifests, err)
	}
	sound, err := os.ReadFile(manifests[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifests[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = l.RemoveFinished(t.Context(), week, never, func(f GarbageFolder) { t.Errorf("%+v is gone", f) })
	if err == nil {
		t.Error("a damaged manifest is no error")
	}
	if err := os.WriteFile(manifests[0], sound, 0o600); err != nil {
		t.Fatal(err)
	}
	setTime(t, root, "stages/nobody/manifests/"+filepath.Base(manifests[0]), now.AddDate(0, 0, -50))

	asked := 0
	if gone := remove(week, func() bool { asked++; return asked > 1 }); !slices.Equal(gone, []string{done("-aaaaaaaa")}) {
		t.Errorf("until there is room: %v are gone", gone)
	}
	if gone := remove(week, never); !slices.Equal(gone, []string{trunk(0)}) {
		t.Errorf("after a week: %v are gone", gone)
	}
	if gone := remove(now.Add(time.Hour), never); !slices.Equal(gone, []string{done("-bbbbbbbb")}) {
		t.Errorf("of any age: %v are gone", gone)
	}
	for _, folder := range []string{trunk(1), "nobody"} {
		wantHeld(t, s, folder, 7)
	}
}
