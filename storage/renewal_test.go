package storage_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/storagetest"
)

func (r *rig) claimAs(by string) *storage.Claim {
	r.Helper()
	l, err := r.c.Claim(r.Context(), storage.Holder{By: by, Activity: "activity of " + by})
	if err != nil {
		r.Fatal(err)
	}
	return l
}

func (r *rig) attempts() []storage.Attempt {
	r.Helper()
	all, err := r.c.Attempts(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return all
}

// numbers are those of the attempts.
func (r *rig) numbers() (all []int) {
	for _, a := range r.attempts() {
		all = append(all, a.Number)
	}
	return all
}

func claimKey(n int) string   { return fmt.Sprintf("stages/ab12/claims/%06d.json", n) }
func renewalKey(n int) string { return fmt.Sprintf("stages/ab12/renewals/%06d.json", n) }

func TestRenewAndEnd(t *testing.T) {
	r := newRig(t)
	if a, err := r.c.NewestClaim(t.Context()); a != nil || err != nil {
		t.Errorf("newest of no claims: %+v, %v", a, err)
	}
	h := storage.Holder{By: "7@a|<&\"µ", Activity: "w/r/1", Alone: true}
	l, err := r.c.Claim(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	want := storage.Attempt{Number: 1, Holder: h}
	check := func(what string) {
		t.Helper()
		a, err := r.c.NewestClaim(t.Context())
		if err != nil || a == nil || !reflect.DeepEqual(*a, want) {
			t.Errorf("%s: %+v, %v, want %+v", what, a, err, want)
		}
		if all := r.attempts(); !reflect.DeepEqual(all, []storage.Attempt{want}) {
			t.Errorf("%s: attempts %+v, want %+v", what, all, want)
		}
	}
	check("claimed")
	for want.Renewals = 1; want.Renewals <= 3; want.Renewals++ {
		if err := l.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		check("renewed")
	}
	want.Renewals = 3
	want.Ended = &storage.End{Fault: "unknown", Why: "a panic"}
	if err := l.End(t.Context(), *want.Ended); err != nil {
		t.Fatal(err)
	}
	check("ended")
	// What is written later must not make a dead attempt look alive, nor change why it ended.
	if err := errors.Join(l.Renew(t.Context()), l.End(t.Context(), storage.End{})); err != nil {
		t.Error(err)
	}
	check("renewed after the end")
}

// A fenced attempt renews nothing, but says how it ended.
func TestRenewFenced(t *testing.T) {
	r := newRig(t)
	old := r.claimAs("old")
	r.claimAs("new")
	if err := old.Renew(t.Context()); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("renewed by a fenced attempt: %v, want ErrFenced", err)
	}
	if err := old.End(t.Context(), storage.End{Why: "fenced"}); err != nil {
		t.Error(err)
	}
	all := r.attempts()
	if len(all) != 2 || all[0].Ended == nil || all[0].Renewals != 0 || all[1].Ended != nil {
		t.Errorf("attempts %+v", all)
	}
}

// A fenced attempt whose folder has a newer checkpoint leaves nothing: nobody asks how it ended.
func TestEndAfterNewerCheckpoint(t *testing.T) {
	r := newRig(t)
	old := r.claimAs("old")
	r.save(r.claimAs("new"), 10, "ten")
	before := r.keys()
	if err := old.End(t.Context(), storage.End{Fault: "unknown"}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(r.keys(), before) {
		t.Errorf("left %q", r.keys())
	}
}

// Whoever wakes up after a folder was removed must leave nothing in it.
func TestRenewInRemovedFolder(t *testing.T) {
	r := newRig(t)
	l := r.claimAs("old")
	folder, err := storage.ListFolder(t.Context(), r.store, "ab12")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Remove(t.Context(), r.store, folder.Objects); err != nil {
		t.Fatal(err)
	}
	if err := l.Renew(t.Context()); !errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrFenced) {
		t.Errorf("renewed in a removed folder: %v, want ErrNotFound", err)
	}
	if err := l.End(t.Context(), storage.End{}); err != nil {
		t.Error(err)
	}
	if keys := r.keys(); len(keys) > 0 {
		t.Errorf("left %q", keys)
	}
}

// Of those that have looked at the same claim exactly one takes it over.
func TestClaimAfterRace(t *testing.T) {
	r := newRig(t)
	const rivals = 16
	won := make([]bool, rivals)
	for newest := range 3 {
		storagetest.Parallel(t, rivals, rivals, func(i int) error {
			l, err := r.c.ClaimAfter(t.Context(), newest, storage.Holder{By: fmt.Sprint(i)})
			if won[i] = err == nil; won[i] && l.Attempt() != newest+1 {
				return fmt.Errorf("claim %d after %d", l.Attempt(), newest)
			}
			if err != nil && !errors.Is(err, storage.ErrExists) {
				return err
			}
			return nil
		})
		if n := len(slices.DeleteFunc(slices.Clone(won), func(b bool) bool { return !b })); n != 1 {
			t.Errorf("%d rivals have claim %d, want 1", n, newest+1)
		}
	}
	for _, a := range r.attempts() {
		if a.Ended != nil {
			t.Errorf("a rival that lost has ended the claim of another: %+v", a)
		}
	}
}

// A claim that is written although its writer gets an error belongs to nobody. It must not look like a death.
func TestClaimOfLostAnswer(t *testing.T) {
	r := newRig(t)
	// The operations are a list and a conditional write.
	faulty := storagetest.NewFaulty(r.store, storagetest.After, 2)
	c, err := storage.NewCheckpoints(faulty, "ab12", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Claim(t.Context(), storage.Holder{By: "a", Activity: "b"}); !errors.Is(err, storagetest.ErrInjected) {
		t.Fatalf("error %v", err)
	}
	if all := r.attempts(); len(all) != 1 || all[0].Ended == nil || all[0].Ended.Fault != "" {
		t.Errorf("attempts %+v, want one that has ended", all)
	}
}

// Attempts tells of those since the newest checkpoint, and pruning removes what it does not need.
func TestAttemptsSinceCheckpoint(t *testing.T) {
	r := newRig(t)
	end := func(l *storage.Claim) {
		t.Helper()
		if err := l.End(t.Context(), storage.End{}); err != nil {
			t.Fatal(err)
		}
	}
	first := r.claimAs("first")
	end(first)
	second := r.claimAs("second")
	if got := r.numbers(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("attempts %v, want 1 and 2", got)
	}
	r.save(second, 10, "ten")
	end(second)
	if got := r.numbers(); len(got) > 0 {
		t.Errorf("attempts %v since the checkpoint, want none", got)
	}
	third := r.claimAs("third")
	end(third)
	fourth := r.claimAs("fourth")
	if err := fourth.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.numbers(); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("attempts %v, want 3 and 4", got)
	}
	before := r.attempts()
	if _, err := r.c.Prune(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, key := range r.keys() {
		if strings.Contains(key, "/renewals/") {
			left = append(left, key)
		}
	}
	if want := []string{renewalKey(2), renewalKey(3), renewalKey(4)}; !slices.Equal(left, want) {
		t.Errorf("pruning left %q, want %q", left, want)
	}
	if after := r.attempts(); !reflect.DeepEqual(after, before) {
		t.Errorf("attempts %+v after pruning, %+v before", after, before)
	}
}

// What is damaged, or of another version, tells nothing, and stops nobody.
func TestDamagedClaims(t *testing.T) {
	for _, text := range []string{
		"", "?", "null", "[]", "{}", `{"version":1}`, `"x"`, `{"version": 1, "stage": "ab12", "attempt": 2, "renewals": -1}`,
		`{"version": 1, "stage": "other", "attempt": 1, "renewals": 5, "by": "x"}`,
		`{"version": 1, "stage": "ab12", "attempt": 1, "renewals": 1e300, "by": 7}`,
		strings.Repeat(" ", 70_000) + `{}`,
	} {
		r := newRig(t)
		r.claimAs("a")
		r.put(claimKey(1), text)
		r.put(renewalKey(1), text)
		a, err := r.c.NewestClaim(t.Context())
		if err != nil || a == nil || !reflect.DeepEqual(*a, storage.Attempt{Number: 1}) {
			t.Errorf("%.40q: %+v, %v, want nothing but the number", text, a, err)
		}
		if l := r.claimAs("b"); l.Attempt() != 2 {
			t.Errorf("%.40q: claim %d", text, l.Attempt())
		}
	}
	r := newRig(t)
	r.claimAs("a")
	r.put(renewalKey(1), `{"version": 9, "stage": "ab12", "attempt": 1, "renewals": 5, "more": {"x": 1}}`)
	if a, err := r.c.NewestClaim(t.Context()); err != nil || a.Renewals != 5 {
		t.Errorf("a renewal of a newer version: %+v, %v, want 5 renewals", a, err)
	}
}

// A long text of a holder or an end is cut, so that the object can be read.
func TestLongTexts(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("µ\xff\x00", 100_000)
	l := r.claimAs(long)
	if err := l.End(t.Context(), storage.End{Fault: "unknown", Why: long}); err != nil {
		t.Fatal(err)
	}
	a, err := r.c.NewestClaim(t.Context())
	if err != nil || a.Holder.By == "" || a.Ended == nil || a.Ended.Why == "" || a.Ended.Fault != "unknown" {
		t.Errorf("%+.200v, %v", a, err)
	}
}

func FuzzClaim(f *testing.F) {
	f.Add([]byte(`{"version": 1, "stage": "ab12", "attempt": 1, "by": "7@a", "activity": "w/r/1", "alone": true}`),
		[]byte(`{"version": 1, "stage": "ab12", "attempt": 1, "renewals": 5, "ended": {"fault": "unknown", "why": "x"}}`))
	f.Add([]byte(`{"version": 1, "stage": "ab12", "attempt": 1}`), []byte("{"))
	f.Fuzz(func(t *testing.T, claim, renewal []byte) {
		r := newRig(t)
		r.put(claimKey(1), string(claim))
		r.put(renewalKey(1), string(renewal))
		a, err := r.c.NewestClaim(t.Context())
		if err != nil || a == nil || a.Number != 1 || a.Renewals < 0 {
			t.Fatalf("%+v, %v", a, err)
		}
		if all := r.attempts(); len(all) != 1 || !reflect.DeepEqual(all[0], *a) {
			t.Errorf("attempts %+v, newest %+v", all, a)
		}
	})
}
