package stack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/topksweep/sweep/storage/minio/miniotest"
)

const root = "../.."

// A composeFile holds the parts of docker-compose.yml that the tests check.
type composeFile struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
}

type service struct {
	Image     string `yaml:"image"`
	Build     *build `yaml:"build"`
	DependsOn map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Restart     string         `yaml:"restart"`
	Healthcheck map[string]any `yaml:"healthcheck"`
	Environment map[string]any `yaml:"environment"`
	Ports       []string       `yaml:"ports"`
	Volumes     []string       `yaml:"volumes"`
	Profiles    []string       `yaml:"profiles"`
	Entrypoint  []string       `yaml:"entrypoint"`
	Command     []string       `yaml:"command"`

	User        string   `yaml:"user"`
	CapAdd      []string `yaml:"cap_add"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	ReadOnly    bool     `yaml:"read_only"`
	Privileged  bool     `yaml:"privileged"`
	PIDsLimit   string   `yaml:"pids_limit"`
	CPUs        string   `yaml:"cpus"`
	MemLimit    string   `yaml:"mem_limit"`
	NetworkMode string   `yaml:"network_mode"`
	Networks    []string `yaml:"networks"`
	Logging     struct {
		Options map[string]string `yaml:"options"`
	} `yaml:"logging"`
}

type build struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
}

// readCompose parses docker-compose.yml.
func readCompose(t *testing.T) composeFile {
	t.Helper()
	var f composeFile
	// A key beside a merge (<<) overrides the same key of the merge.
	if err := yaml.UnmarshalWithOptions(read(t, "docker-compose.yml"), &f, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	return f
}

// read returns the content of a file of the repository.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCompose checks what a container engine would find only at its start: services,
// files and variables that are named must exist. Images without a fixed version and ports
// that are open to other machines are errors.
func TestCompose(t *testing.T) {
	f := readCompose(t)
	for _, name := range []string{
		"secrets", "postgresql", "schema", "temporal", "namespace", "temporal-ui", "minio", "bucket",
		"worker", "worker-gpu", "sweep",
	} {
		if _, ok := f.Services[name]; !ok {
			t.Errorf("no service %s", name)
		}
	}
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.?\d*(-[a-z0-9.]+)?$`)
	port := regexp.MustCompile(`^127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+$`)
	for name, s := range f.Services {
		switch {
		case s.Build == nil && !pinned.MatchString(s.Image):
			t.Errorf("%s: image %s is not pinned", name, s.Image)
		case s.Build != nil:
			exists(t, name, s.Build.Context, s.Build.Dockerfile)
		}
		for on, d := range s.DependsOn {
			other, ok := f.Services[on]
			switch {
			case !ok:
				t.Errorf("%s depends on %s, which is no service", name, on)
			case d.Condition == "service_healthy" && other.Healthcheck["test"] == nil:
				t.Errorf("%s waits for the health of %s, which has no check", name, on)
			case d.Condition == "service_completed_successfully" && !strings.HasPrefix(other.Restart, "on-failure"):
				t.Errorf("%s waits for the end of %s, which restarts %q", name, on, other.Restart)
			case d.Condition != "service_healthy" && d.Condition != "service_completed_successfully":
				t.Errorf("%s depends on %s: condition %q", name, on, d.Condition)
			}
			if len(other.Profiles) > 0 {
				t.Errorf("%s depends on %s, which only a profile starts", name, on)
			}
		}
		for _, p := range s.Ports {
			if !port.MatchString(p) {
				t.Errorf("%s: port %s: want 127.0.0.1:${NAME:-port}:port", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := f.Volumes[from]; !named && !strings.HasPrefix(from, "${") {
				exists(t, name, ".", from)
			}
		}
	}
	// Submitting and training must use the same store.
	for _, name := range []string{"bucket", "worker", "worker-gpu", "sweep"} { // the job creates its bucket
		if got := f.Services[name].Environment["SWEEP_STORE"]; got != "${SWEEP_STORE:-s3://sweep}" {
			t.Errorf("%s has the store %v", name, got)
		}
	}
	for _, waits := range []string{"worker", "worker-gpu"} {
		for _, on := range []string{"namespace", "bucket"} {
			if f.Services[waits].DependsOn[on].Condition != "service_completed_successfully" {
				t.Errorf("%s does not wait for %s", waits, on)
			}
		}
	}
	// A worker is asked for its health where it serves it.
	for _, name := range []string{"worker", "worker-gpu"} {
		s := f.Services[name]
		i := slices.Index(s.Command, "--metrics-addr") + 1
		_, port, _ := strings.Cut(s.Command[i], ":")
		if test := fmt.Sprint(s.Healthcheck["test"]); i == 0 || !strings.Contains(test, "127.0.0.1:"+port+"/healthz") {
			t.Errorf("%s: the command %q, the health check %s", name, s.Command, test)
		}
	}
	if !slices.Equal(f.Services["worker-gpu"].Profiles, []string{"gpu"}) {
		t.Error("the GPU worker is not under the profile gpu")
	}
}

// TestComposeClosed checks that no container has more rights than it needs, that each that
// keeps running says whether it is well, and that nobody sees a secret of others.
func TestComposeClosed(t *testing.T) {
	f := readCompose(t)
	secrets := map[string][]string{ // and who may see them
		"database-secret": {"postgresql", "schema", "temporal"},
		"minio-secret":    {"bucket", "minio"},
		"store-secret":    {"bucket", "sweep", "worker", "worker-gpu"},
	}
	limit := regexp.MustCompile(`^\$\{[A-Z_]+:-\d+[mg]?\}$`)
	for name, s := range f.Services {
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || s.CapAdd != nil || s.Privileged || !s.ReadOnly ||
			!slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s has rights: %+v", name, s)
		}
		for what, is := range map[string]string{"memory": s.MemLimit, "processes": s.PIDsLimit, "cores": s.CPUs} {
			if !limit.MatchString(is) {
				t.Errorf("%s: the limit of %s is %q", name, what, is)
			}
		}
		if s.Restart == "unless-stopped" && s.Healthcheck["test"] == nil {
			t.Errorf("%s has no health check", name)
		}
		if s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("%s: its log has no bound: %v", name, s.Logging)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if who, secret := secrets[from]; secret && name != "secrets" &&
				(!slices.Contains(who, name) || !strings.HasSuffix(v, ":ro")) {
				t.Errorf("%s has %s", name, v)
			}
		}
		for key, value := range s.Environment {
			secret := regexp.MustCompile(`(PASSWORD|PWD|SECRET|KEY|USER)$`).MatchString(key)
			if secret && name != "secrets" && fmt.Sprint(value) != "temporal" {
				t.Errorf("%s has %s=%v in its environment", name, key, value)
			}
		}
		if s.User == "0:0" && (name != "secrets" || s.NetworkMode != "none") {
			t.Errorf("%s is root", name)
		}
	}
	if !f.Networks["database"].Internal {
		t.Error("the network of the database is not internal")
	}
	for _, name := range []string{"postgresql", "schema"} {
		if !slices.Equal(f.Services[name].Networks, []string{"database"}) {
			t.Errorf("%s is in the networks %v", name, f.Services[name].Networks)
		}
	}
	for _, file := range []string{"docker-compose.yml", "deploy/compose/env.example"} {
		if strings.Contains(string(read(t, file)), "sweep-local") {
			t.Errorf("%s has a password by default", file)
		}
	}
}

// exists checks that a file that a service names is there.
func exists(t *testing.T, service string, path ...string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(append([]string{root}, path...)...)); err != nil {
		t.Errorf("%s: %v", service, err)
	}
}

// TestComposeVersions checks that the containers run the versions with which the rest of
// the repository is built and tested.
func TestComposeVersions(t *testing.T) {
	f := readCompose(t)
	mod := string(read(t, "go.mod"))
	version := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(mod)
		if m == nil {
			t.Fatalf("go.mod has no %s", pattern)
		}
		return m[1]
	}
	server := version(`go\.temporal\.io/server v(\S+)`)
	for name, want := range map[string]string{
		"temporal":    "temporalio/server:" + server,
		"schema":      "temporalio/admin-tools:" + server,
		"namespace":   "temporalio/admin-tools:" + server,
		"temporal-ui": "temporalio/ui:" + version(`github\.com/temporalio/ui-server/v2 v(\S+)`),
	} {
		if got := f.Services[name].Image; got != want {
			t.Errorf("%s runs %s, the module is that of %s", name, got, want)
		}
	}
	golang := "FROM golang:" + version(`(?m)^go (\S+)$`) + "-"
	for _, file := range []string{"minio.Dockerfile", "sweep.Dockerfile", "sweep-cuda.Dockerfile"} {
		text := string(read(t, "deploy/compose/"+file))
		if !strings.Contains(text, golang) {
			t.Errorf("%s does not build with %s…", file, golang)
		}
		if !regexp.MustCompile(`(?m)^USER [a-z]+$`).MatchString(text) {
			t.Errorf("%s runs as root", file)
		}
	}
	minio := string(read(t, "deploy/compose/minio.Dockerfile"))
	for _, arg := range []string{"MINIO_VERSION=" + miniotest.Version, "MC_VERSION=" + miniotest.ClientVersion} {
		if !strings.Contains(minio, arg+"\n") {
			t.Errorf("minio.Dockerfile does not build the version that is tested, %s", arg)
		}
	}
}

// TestComposeEnvironment checks that env.example lists exactly the variables of
// docker-compose.yml, with the same defaults.
func TestComposeEnvironment(t *testing.T) {
	used := map[string]string{}
	variable := regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)
	for _, m := range variable.FindAllStringSubmatch(string(read(t, "docker-compose.yml")), -1) {
		if before, ok := used[m[1]]; ok && before != m[2] {
			t.Errorf("%s defaults to %s and to %s", m[1], before, m[2])
		}
		used[m[1]] = m[2]
	}
	delete(used, "SWEEP_DATA") // defaults to the current folder
	listed := map[string]string{}
	for line := range strings.Lines(string(read(t, "deploy/compose/env.example"))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			listed[name] = value
		}
	}
	if fmt.Sprint(used) != fmt.Sprint(listed) {
		t.Errorf("docker-compose.yml has %v\nenv.example has %v", used, listed)
	}
}
