package storage

import (
	"fmt"
	"strconv"
	"strings"
)

// The layout of a store, as docs/checkpoints.md specifies it:
//
//	results/<cell>.json                                      what a run came to
//	sweeps/<sweep>/<file>                                    the plan, the tables, the exports
//	stages/<stage>/claims/<attempt>.json                     who may write the stage
//	stages/<stage>/data/<step>-<attempt>-<sha256>            a training state
//	stages/<stage>/forks/<step>.json                         a step at which other stages begin
//	stages/<stage>/manifests/<step>-<attempt>.json           what makes it a checkpoint
//
// Steps have 12 digits and attempts 6, so that listings come in their order.

func stageDir(stage, kind string) string { return "stages/" + stage + "/" + kind + "/" }

func claimKey(stage string, attempt int) string {
	return fmt.Sprintf("%s%06d.json", stageDir(stage, "claims"), attempt)
}

func forkKey(stage string, step int64) string {
	return fmt.Sprintf("%s%012d.json", stageDir(stage, "forks"), step)
}

func manifestKey(stage string, at point) string {
	return stageDir(stage, "manifests") + at.String() + ".json"
}

func dataKey(stage string, at point, sha256 string) string {
	return stageDir(stage, "data") + at.String() + "-" + sha256
}

// A point is where in a stage a checkpoint stands: after which step, and by which
// attempt.
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
