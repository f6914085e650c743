// Package monitoring has what watches machines that train: a dashboard for Grafana, rules and an example of a
// configuration for Prometheus. cmd/sweep tests them with a real Prometheus and a real sweep.
package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promtool runs Prometheus' tool. Without it the test is skipped, or fails if SWEEP_TEST_MUST_RUN is set.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
		t.Fatal("no promtool in PATH; apt-get install prometheus")
	} else if err != nil {
		t.Skip("no promtool in PATH")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	promtool(t, "check", "config", "prometheus.yml") // and the rules
	promtool(t, "test", "rules", "rules_test.yml")
}

// Each rule is tested on series that make it fire, and on some that do not. It says how bad it is and what to do.
func TestRules(t *testing.T) {
	rules, tests := read(t, "rules.yml"), read(t, "rules_test.yml")
	blocks := strings.Split(rules, "- alert: ")[1:]
	if len(blocks) < 15 {
		t.Fatalf("%d rules", len(blocks))
	}
	for _, b := range blocks {
		name, _, _ := strings.Cut(b, "\n")
		for _, want := range []string{name + " fires\n", name + " is quiet\n"} {
			if !strings.Contains(tests, "- name: "+want) {
				t.Errorf("rules_test.yml has no test: %s", want)
			}
		}
		if !regexp.MustCompile(`labels: \{severity: (critical|warning|info)\}`).MatchString(b) ||
			!strings.Contains(b, "summary: ") || !strings.Contains(b, "description: ") {
			t.Errorf("%s lacks a severity, a summary or a description", name)
		}
		page := regexp.MustCompile(`runbook: (docs/[a-z]+\.md)#([a-z0-9-]+)\n`).FindStringSubmatch(b)
		if page == nil {
			t.Errorf("%s has no runbook", name)
			continue
		}
		if !slices.Contains(anchors(read(t, filepath.Join("../..", page[1]))), page[2]) {
			t.Errorf("%s: %s has no section %s", name, page[1], page[2])
		}
	}
}

// anchors returns the anchors of a document's headings, as GitHub makes them of plain words.
func anchors(text string) (out []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		words := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out = append(out, strings.ReplaceAll(words, " ", "-"))
	}
	return out
}

type source struct{ Type, UID string }

// A target is one query of a panel.
type target struct {
	RefID      string
	Expr       string
	Datasource source
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               source
	Targets                  []target
	FieldConfig              struct{ Defaults struct{ Unit string } }
}

// units are those of Grafana that the dashboard uses.
var units = []string{
	"short", "none", "percentunit", "s", "bytes", "Bps", "ops", "reqps", "celsius", "watt",
}

// The dashboard has the form that Grafana expects: panels with IDs of their own that do not overlap, known units, and
// the data source that its user chooses.
func TestDashboard(t *testing.T) {
	var d struct {
		UID, Title    string
		SchemaVersion int
		Panels        []panel
		Templating    struct{ List []struct{ Name, Type string } }
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || len(d.Panels) < 20 {
		t.Fatalf("%q %q %d, %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	known := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		known[v.Name] = true
	}
	if len(d.Templating.List) < 4 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("variables: %v", d.Templating.List)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	var expressions strings.Builder
	expressions.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("%q: ID %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		at := p.GridPos
		if at.W < 1 || at.H < 1 || at.X < 0 || at.X+at.W > 24 {
			t.Errorf("%s: %+v", p.Title, at)
		}
		for y := at.Y; y < at.Y+at.H; y++ {
			for x := at.X; x < at.X+at.W; x++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		own := source{"prometheus", "${datasource}"}
		if !slices.Contains([]string{"stat", "timeseries"}, p.Type) || p.Description == "" || p.Datasource != own ||
			len(p.Targets) == 0 || !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%s: type %s, unit %q, source %v, %d queries", p.Title, p.Type, p.FieldConfig.Defaults.Unit,
				p.Datasource, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.RefID == "" || q.Datasource != own || !strings.Contains(q.Expr, `job=~"$job"`) {
				t.Errorf("%s: query %+v", p.Title, q)
			}
			refs[q.RefID] = true
			for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				if !known[m[1]] {
					t.Errorf("%s: no variable %s", p.Title, m[1])
				}
			}
			fmt.Fprintf(&expressions, "      - record: x:%d%s\n        expr: %q\n", p.ID, strings.ToLower(q.RefID),
				strings.ReplaceAll(q.Expr, "$__rate_interval", "1m"))
		}
	}
	file := filepath.Join(t.TempDir(), "expressions.yml")
	if err := os.WriteFile(file, []byte(expressions.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
