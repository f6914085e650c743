package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// monitoringDir has what is checked here.
const monitoringDir = "../../deploy/monitoring"

// ofPrometheus returns the path of one of its programs. Without it the test is skipped, or fails if SWEEP_TEST_MUST_RUN
// is set.
func ofPrometheus(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("SWEEP_TEST_MUST_RUN") != "":
		t.Fatalf("no %s in PATH; apt-get install prometheus", name)
	}
	t.Skipf("no %s in PATH", name)
	return ""
}

// A promServer is a real Prometheus, which scrapes programs every second.
type promServer struct{ url string }

// startPrometheus starts one with the example of a configuration and with the rules, where targets are those of the job
// sweep. What would take minutes takes seconds: rules fire without waiting, and look back less.
func startPrometheus(t *testing.T, targets ...string) *promServer {
	t.Helper()
	path := ofPrometheus(t, "prometheus")
	dir := t.TempDir()
	shorter := func(file string, pairs ...string) {
		b, err := os.ReadFile(filepath.Join(monitoringDir, file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for i := 0; i < len(pairs); i += 2 {
			re := regexp.MustCompile(pairs[i])
			if !re.MatchString(text) {
				t.Fatalf("%s has no %s", file, pairs[i])
			}
			text = re.ReplaceAllString(text, pairs[i+1])
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shorter("prometheus.yml", `_interval: 15s`, "_interval: 1s", `targets: \[gpu[^]]*\]`,
		"targets: ['"+strings.Join(targets, "', '")+"']")
	shorter("rules.yml", `for: \d+m`, "for: 0s", `\[(2|5|10)m\]`, "[10s]", `\[(30m|1h)(:?)\]`, "[2m$2]")
	var said written
	for range 5 { // somebody else may take the port first
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().String()
		l.Close()
		p := &promServer{"http://" + at}
		cmd := exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--web.listen-address="+at,
			"--storage.tsdb.path="+filepath.Join(dir, "data"))
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() {
			cmd.Process.Kill()
			<-ended
		})
		waitFor(t, "Prometheus", func() bool {
			code, _ := scrape(t, p.url+"/-/ready")
			return code == http.StatusOK || len(ended) > 0
		})
		if len(ended) == 0 {
			return p
		}
	}
	t.Fatalf("Prometheus does not start:\n%s", said.String())
	return nil
}

// get returns the data of an answer of the API.
func (p *promServer) get(t *testing.T, path string, query url.Values, to any) {
	t.Helper()
	code, body := scrape(t, p.url+"/api/v1/"+path+"?"+query.Encode())
	var answer struct {
		Data json.RawMessage
	}
	err := json.Unmarshal([]byte(body), &answer)
	if err == nil && code == http.StatusOK {
		err = json.Unmarshal(answer.Data, to)
	}
	if err != nil || code != http.StatusOK {
		t.Fatalf("%s %v: %d %v\n%s", path, query, code, err, body)
	}
}

// A promSample is one series of an answer.
type promSample struct {
	Metric map[string]string
	Value  [2]any // time, and the value as text
}

// query returns what an expression comes to now, without what is no number.
func (p *promServer) query(t *testing.T, expr string) (numbers []promSample) {
	t.Helper()
	var data struct{ Result []promSample }
	p.get(t, "query", url.Values{"query": {expr}}, &data)
	for _, s := range data.Result {
		if v, err := strconv.ParseFloat(fmt.Sprint(s.Value[1]), 64); err == nil && !math.IsNaN(v) {
			numbers = append(numbers, s)
		}
	}
	return numbers
}

// names returns the names of all metrics that were scraped.
func (p *promServer) names(t *testing.T) map[string]bool {
	t.Helper()
	var all []string
	p.get(t, "label/__name__/values", nil, &all)
	is := map[string]bool{}
	for _, name := range all {
		is[name] = true
	}
	return is
}

// firing returns what says each alert that fires now, by its name and the instance.
func (p *promServer) firing(t *testing.T) map[[2]string]string {
	t.Helper()
	var data struct {
		Alerts []struct {
			Labels, Annotations map[string]string
			State               string
		}
	}
	p.get(t, "alerts", nil, &data)
	out := map[[2]string]string{}
	for _, a := range data.Alerts {
		if a.State == "firing" {
			out[[2]string{a.Labels["alertname"], a.Labels["instance"]}] = a.Annotations["summary"]
		}
	}
	return out
}

// waitQuiet waits until no alerts fire but some that may. Others may fire too, for a moment: one scrape may come late.
func (p *promServer) waitQuiet(t *testing.T, may ...string) {
	t.Helper()
	var firing map[[2]string]string
	defer func() {
		if t.Failed() {
			t.Logf("while all is well, these fire: %v", firing)
		}
	}()
	waitFor(t, "quiet", func() bool {
		firing = p.firing(t)
		maps.DeleteFunc(firing, func(alert [2]string, _ string) bool { return slices.Contains(may, alert[0]) })
		return len(firing) == 0
	})
}

// waitFires waits until an alert fires, and checks what it says.
func (p *promServer) waitFires(t *testing.T, alert, instance, summary string) {
	t.Helper()
	var says string
	waitFor(t, alert+" of "+instance, func() (fires bool) {
		says, fires = p.firing(t)[[2]string{alert, instance}]
		return fires
	})
	if !strings.Contains(says, summary) {
		t.Errorf("%s says %q, want %q", alert, says, summary)
	}
}
