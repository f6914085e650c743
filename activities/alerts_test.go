package activities

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The alert on faults of workers leaves out what a device lacks for a stage, and nothing else.
func TestAlertLeavesOutWhatDevicesLack(t *testing.T) {
	rules, err := os.ReadFile("../deploy/monitoring/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`sweep_faults_total\{fault="worker",type!~"([^"]*)"\}`).FindAllSubmatch(rules, -1)
	if len(m) != 1 {
		t.Fatalf("%d expressions", len(m))
	}
	var want []string
	for _, k := range errorKinds() {
		if k.lacks {
			want = append(want, k.name)
		}
	}
	got := strings.Split(string(m[0][1]), "|")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("it leaves out %q, and devices lack %q", got, want)
	}
}
