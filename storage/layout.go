package storage

import (
	"fmt"
	"strconv"
	"strings"
)

// The keys of a checkpoint folder. docs/checkpoints.md lists all keys of a store.
//
//	stages/<folder>/claims/<attempt>.json              who may write the folder
//	stages/<folder>/data/<step>-<attempt>-<sha256>     a training state
//	stages/<folder>/forks/<step>.json                  a pin: other stages begin at this step
//	stages/<folder>/manifests/<step>-<attempt>.json    makes a state a checkpoint
//	stages/<folder>/renewals/<attempt>.json            whether the attempt is alive, or how it ended
//
// Steps have 12 digits and attempts 6, so that listings come in their order.

// allFolders is what the keys of all checkpoint folders begin with.
const allFolders = "stages/"

// folderPrefix names a checkpoint folder in errors. All of its keys begin with it.
func folderPrefix(folder string) string { return allFolders + folder }

// kindPrefix is what the keys of one kind begin with: claims, data, forks,
// manifests or renewals.
func kindPrefix(folder, kind string) string { return folderPrefix(folder) + "/" + kind + "/" }

func claimKey(folder string, attempt int) string {
	return fmt.Sprintf("%s%06d.json", kindPrefix(folder, "claims"), attempt)
}

func renewalKey(folder string, attempt int) string {
	return fmt.Sprintf("%s%06d.json", kindPrefix(folder, "renewals"), attempt)
}

func forkKey(folder string, step int64) string {
	return fmt.Sprintf("%s%012d.json", kindPrefix(folder, "forks"), step)
}

func manifestKey(folder string, at point) string {
	return kindPrefix(folder, "manifests") + at.String() + ".json"
}

func dataKey(folder string, at point, sha256 string) string {
	return kindPrefix(folder, "data") + at.String() + "-" + sha256
}

// A point names one checkpoint of a folder by its step and its attempt.
type point struct {
	step    int64
	attempt int
}

func (p point) String() string { return fmt.Sprintf("%012d-%06d", p.step, p.attempt) }

func parsePoint(s string) (point, bool) {
	step, attempt, _ := strings.Cut(s, "-")
	n, err1 := strconv.ParseInt(step, 10, 64)
	a, err2 := strconv.Atoi(attempt)
	p := point{n, a}
	return p, err1 == nil && err2 == nil && n >= 0 && a > 0 && p.String() == s
}

// parseClaim reads the last element of the key of a claim, or of its renewals.
func parseClaim(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, ".json")
	a, err := strconv.Atoi(digits)
	return a, ok && err == nil && a > 0 && fmt.Sprintf("%06d", a) == digits
}

func parseFork(name string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, ".json")
	step, err := strconv.ParseInt(digits, 10, 64)
	return step, ok && err == nil && step >= 0 && fmt.Sprintf("%012d", step) == digits
}

func parseManifestName(name string) (point, bool) {
	s, ok := strings.CutSuffix(name, ".json")
	if !ok {
		return point{}, false
	}
	return parsePoint(s)
}

func parseDataName(name string) (point, bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 0 || len(name)-i-1 != 64 {
		return point{}, false
	}
	return parsePoint(name[:i])
}
