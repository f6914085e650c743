package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

// A submission is a sweep whose workflow is to be started. Its plan is stored.
type submission struct {
	header   *plan.Header
	ledger   *ledger.Ledger    // that has the plan
	owner    string            // who submits it; "" if that is not known
	details  string            // what the Web UI shows of it
	backend  string            // that trains it
	priority protocol.Priority // "" is normal
	store    string            // where its results lie, for people

	mixClasses bool // the flag --mix-classes
	slots      int  // that train it; 0 if the server is to tell

	// resume is set if only some cells are trained; cells that failed before do then not count for the limit.
	resume       *protocol.Continuation
	failedBefore int
}

// addMixFlag adds the flag --mix-classes.
func addMixFlag(f *pflag.FlagSet, mix *bool) {
	f.BoolVar(mix, "mix-classes", false, "let runs go on on hardware of another class than they began on, with other "+
		"last bits; the results say so")
}

// submission returns how a verb that has these options starts a sweep: all but the sweep itself.
func (o *remoteOptions) submission(backend string, p protocol.Priority) (submission, error) {
	s, err := newSubmission(o.location, backend, o.owner, p)
	s.mixClasses = o.mixClasses
	return s, err
}

func newSubmission(at location, backend string, owner ownerFlag, p protocol.Priority) (submission, error) {
	name, err := owner.name()
	if err != nil {
		return submission{}, err
	}
	store, err := storeForPeople(at.storeURL())
	return submission{backend: backend, owner: name, priority: p, store: store}, err
}

// maxOwner is the greatest number of characters of an owner's name.
const maxOwner = 64

// An ownerFlag is the value of the flag --owner: who submits a sweep.
type ownerFlag string

func (o *ownerFlag) addFlag(f *pflag.FlagSet) {
	f.Var(o, "owner", "`name` of who the sweep is for, by which it is found and gets its share of the slots "+
		"(default: SWEEP_OWNER, else the user's name)")
}

// Set implements pflag.Value.
func (o *ownerFlag) Set(s string) error {
	s = strings.TrimSpace(s)
	if err := checkOwner(s); err != nil {
		return inputError{fmt.Errorf("--owner %q: %w", s, err)}
	}
	*o = ownerFlag(s)
	return nil
}

func (o *ownerFlag) Type() string   { return "string" }
func (o *ownerFlag) String() string { return string(*o) }

// name returns the flag, else SWEEP_OWNER, else the name of the user, or "" if that has none.
func (o ownerFlag) name() (string, error) {
	if o != "" {
		return string(o), nil
	}
	if v := strings.TrimSpace(os.Getenv("SWEEP_OWNER")); v != "" {
		if err := checkOwner(v); err != nil {
			return "", inputError{fmt.Errorf("SWEEP_OWNER=%q: %w", v, err)}
		}
		return v, nil
	}
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if checkOwner(name) != nil { // the system's name of the user is not for the user to mend
		return "", nil
	}
	return name, nil
}

// checkOwner refuses what is no name of an owner.
func checkOwner(s string) error {
	switch {
	case s == "":
		return errors.New("want a name")
	case !utf8.ValidString(s), strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("want printable characters only")
	case utf8.RuneCountInString(s) > maxOwner:
		return fmt.Errorf("want at most %d characters", maxOwner)
	}
	return nil
}

// priorities lists the priorities of sweeps, the highest first.
func priorities() []string {
	return []string{string(protocol.PriorityHigh), string(protocol.PriorityNormal), string(protocol.PriorityLow)}
}

// parsePriority reads a priority.
func parsePriority(s string) (protocol.Priority, error) {
	if !slices.Contains(priorities(), s) {
		return "", fmt.Errorf("priority %q: %s", s, meant(s, priorities(), "want high, normal or low"))
	}
	return protocol.Priority(s), nil
}

// A priorityFlag is the value of the flag --priority.
type priorityFlag struct{ is protocol.Priority }

func (p *priorityFlag) addFlag(f *pflag.FlagSet) {
	p.is = protocol.PriorityNormal
	f.Var(p, "priority", "`priority` of a sweep that this starts: high, normal or low; "+
		"sweep priority changes that of one that runs")
}

// Set implements pflag.Value.
func (p *priorityFlag) Set(s string) error {
	is, err := parsePriority(s)
	if err != nil {
		return inputError{fmt.Errorf("--%w", err)}
	}
	p.is = is
	return nil
}

func (p *priorityFlag) Type() string   { return "string" }
func (p *priorityFlag) String() string { return string(p.is) }

// storeForPeople returns where a store lies without what is not for everybody to read: a URL may hold credentials, also
// in its endpoint.
func storeForPeople(store string) (string, error) {
	path, err := folderOf(store)
	if err != nil || path != "" {
		return path, err
	}
	u, err := url.Parse(store)
	if err != nil { // the error of url.Parse shows the URL
		return "", inputError{errors.New("the URL of the store cannot be read: want s3://bucket/prefix")}
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), nil
}
