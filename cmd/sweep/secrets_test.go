//go:build !noserver

package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/topksweep/sweep/deploy/local"
	"github.com/topksweep/sweep/storage/minio/miniotest"
)

// planted are secrets, by what holds them.
type planted map[string]string

// secretsOf plants a secret of its own in each of names.
func secretsOf(names ...string) planted {
	p := planted{}
	for i, name := range names {
		p[name] = "Planted" + strings.Repeat(string(rune('A'+i)), 29) // a word alone: parsers show that at which they stop
	}
	return p
}

// variables are the secrets as environment variables.
func (p planted) variables(also ...string) (v variables) {
	for name, secret := range p {
		v = append(v, name+"="+secret)
	}
	return append(v, also...)
}

// in returns what holds the secrets that are found in a text, in any of the forms that programs write.
func (p planted) in(text string) (found []string) {
	for name, secret := range p {
		for _, form := range formsOf(secret) {
			if strings.Contains(text, form) {
				found = append(found, name)
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

// formsOf returns a secret as it is, escaped for a URL, in hex, and in base64. In base64 a text looks different in each
// of three places, and its ends depend on what stands beside it.
func formsOf(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret))}
	for before := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte("###"[:before] + secret))
		forms = append(forms, text[4:len(text)-4])
	}
	return forms
}

func TestFormsOfSecrets(t *testing.T) {
	p := secretsOf("one", "two")
	for _, text := range []string{
		p["one"], "https://u:" + url.QueryEscape(p["one"]) + "@host", base64.StdEncoding.EncodeToString([]byte(p["one"])),
		base64.StdEncoding.EncodeToString([]byte(`{"a":"` + p["one"] + `"}`)), fmt.Sprintf("%x", p["one"]),
		base64.URLEncoding.EncodeToString([]byte("Authorization: Bearer " + p["one"] + "\n")),
	} {
		if got := p.in(text); len(got) != 1 || got[0] != "one" {
			t.Errorf("%s: found %q", text, got)
		}
	}
	if got := p.in("Planted"); got != nil {
		t.Errorf("found %q in nothing", got)
	}
}

// said checks what processes have written.
func (p planted) said(t *testing.T, programs ...*program) {
	t.Helper()
	for _, program := range programs {
		if got := p.in(program.out.String() + program.err.String()); got != nil {
			t.Errorf("%v shows what %v holds:\n%s%s", program.Args[1:], got, program.out.String(), program.err.String())
		}
	}
}

// files checks every file below some folders, and that one of them holds each of texts: else it looks in the wrong
// place. Files whose path ends with one of except may hold secrets.
func (p planted) files(t *testing.T, folders, texts, except []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if slices.ContainsFunc(except, func(e string) bool { return strings.HasSuffix(path, e) }) {
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if got := p.in(path + "\n" + string(b)); got != nil {
				t.Errorf("%s holds what %v holds", path, got)
			}
			for _, text := range texts {
				seen[text] = seen[text] || strings.Contains(string(b), text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range texts {
		if !seen[text] {
			t.Errorf("no file holds %q: this test looks in the wrong place", text)
		}
	}
}

// credentialVariables are all variables with credentials that the program, or a library in it, reads or is used beside.
var credentialVariables = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_ACCESS_KEY",
	"MINIO_SECRET_KEY", "TEMPORAL_API_KEY", "TEMPORAL_GRPC_META_AUTHORIZATION", "TEMPORAL_CODEC_AUTH",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "HF_TOKEN", "WANDB_API_KEY", "PGPASSWORD",
}

// A sweep trains from a real bucket while everything that could hold a credential does. Runs fail, the bucket refuses
// for a while, the process is made to crash with all its stacks, and the sweep goes on. Afterwards no credential, and
// no key of a link, is found in what the verbs have printed, in logs, in histories, in plans or in results.
func TestPlantedSecrets(t *testing.T) {
	t.Parallel()
	p := secretsOf(credentialVariables...)
	bucket := miniotest.Start(t, "MINIO_ROOT_USER="+p["AWS_ACCESS_KEY_ID"],
		"MINIO_ROOT_PASSWORD="+p["AWS_SECRET_ACCESS_KEY"])
	at, err := url.Parse(bucket.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var refuses atomic.Bool
	forward := httputil.NewSingleHostReverseProxy(at) // keeps the Host, which is signed
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>refused for a while</Message></Error>")
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	home := t.TempDir()
	around := []string{
		"HOME=" + home, "XDG_CACHE_HOME=" + filepath.Join(home, ".cache"), "AWS_REGION=us-east-1",
		"AWS_ENDPOINT_URL_S3=" + front.URL, createBucketVariable + "=true", "SWEEP_STORE=s3://planted-bucket/p",
	}
	v := p.variables(around...)
	dir := t.TempDir()
	grid := writeGrid(t, changed(t, smallGrid, "steps: 1500", "steps: 3000", "lr: 0.002, ", "",
		"auxk_alpha: [0, 0.03125]", "lr: [0.00271828, 1e37]"))

	up := v.start(t, dir, "up", "--slots", "2")
	var info local.Info
	waitFor(t, "the links", func() (linked bool) {
		if len(up.done) > 0 {
			t.Fatalf("up has ended:\n%s", up.err.String())
		}
		now, running, err := local.Running(dir)
		info = now
		return err == nil && running && info.UIURL != "" && info.ReportURL != ""
	})
	withoutLinks := maps.Clone(p) // status and up show the links
	for name, link := range map[string]string{"link of the Web UI": info.UIURL, "link of the report": info.ReportURL} {
		u, err := url.Parse(link)
		if err != nil || len(strings.Trim(u.Path, "/")) != 32 {
			t.Fatalf("%s: %q, %v", name, link, err)
		}
		p[name] = strings.Trim(u.Path, "/")
	}
	ends := func(verb ...string) *program {
		t.Helper()
		s := v.start(t, dir, verb...)
		if status := s.exitStatus(t); status != exitOK {
			t.Fatalf("%v: status %d\n%s", verb, status, s.err.String())
		}
		return s
	}
	id := strings.TrimSpace(ends("submit", grid).out.String())
	waitFor(t, "a run in training", func() bool {
		var s sweepState
		if err := json.Unmarshal(ends("status", id, "-o", "json").out.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return training(s) > 0
	})
	refuses.Store(true)
	refused := v.start(t, dir, "results", id)
	if status := refused.exitStatus(t); status != exitError {
		t.Errorf("results from a bucket that refuses: status %d\n%s", status, refused.err.String())
	}
	waitFor(t, "the refusal in worker.log", func() bool {
		b, err := os.ReadFile(filepath.Join(dir, "worker.log"))
		return err == nil && strings.Contains(string(b), "refused for a while")
	})
	refuses.Store(false)
	withoutLinks.said(t, refused, ends("list", "-o", "json"), ends("status", id, "-o", "json"), ends("status", id))

	up.Process.Signal(syscall.SIGQUIT) // the stacks of all goroutines
	up.exitStatus(t)
	if !strings.Contains(up.err.String(), "goroutine 1") {
		t.Errorf("no stacks after SIGQUIT:\n%s", up.err.String())
	}
	withoutLinks.said(t, up)
	run := v.start(t, dir, "run", grid, "--no-ui", "--slots", "2")
	if status := run.exitStatus(t); status != exitError || !strings.Contains(run.out.String(), "completed") {
		t.Errorf("run, of which half must fail: status %d\n%s%s", status, run.out.String(), run.err.String())
	}
	p.said(t, run, ends("results", id, "-o", "json"), ends("curves", id, "-o", "json"),
		ends("gc", "--dry-run"), ends("rm", id, "--dry-run"))

	p.files(t, []string{dir, home, bucket.Dir}, []string{id, "1e37", "0.00271828", "planted-bucket"},
		[]string{"/server.json"})
}

// Stores and servers that cannot be used, and files of credentials that cannot be read, end a verb with a message that
// holds no credential, and leave none in the state directory.
func TestSecretsInErrors(t *testing.T) {
	t.Parallel()
	p := secretsOf("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "TEMPORAL_API_KEY", "word",
		"key file")
	p["signs"] = "Planted+signs/%&=" + strings.Repeat("s", 20)
	p["payload key"] = base64.StdEncoding.EncodeToString([]byte(p["key file"])[:32])
	word, signs := p["word"], p["signs"]
	token := p["AWS_SESSION_TOKEN"]
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest) // as Amazon's S3 answers a token that has expired: with the token
		fmt.Fprintf(w, `<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>`+
			`<Token-0>%s</Token-0></Error>`, token)
	}))
	t.Cleanup(refusing.Close)
	bucket := miniotest.Start(t)
	grid := writeGrid(t, demoGrid)
	broken := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	at := func(endpoint string) variables {
		return variables{"AWS_ENDPOINT_URL_S3=" + endpoint, "AWS_REGION=us-east-1"}
	}
	withKeys := p.variables()[:0]
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		withKeys = append(withKeys, name+"="+p[name])
	}
	all := append(slices.Clone(withKeys), "AWS_SESSION_TOKEN="+token)
	const remote = "http://192.0.2.1" // nothing is there (RFC 5737), and a proxy is asked for it
	for name, c := range map[string]struct {
		v     variables
		store bool // the fault is one of the store
	}{
		"unknown user":     {append(at(bucket.Endpoint), withKeys...), true},
		"token of nobody":  {append(at(bucket.Endpoint), all...), true},
		"expired token":    {append(at(refusing.URL), all...), true},
		"user in endpoint": {append(at("http://u:"+url.PathEscape(signs)+"@127.0.0.1:1"), all...), true},
		"key in endpoint":  {append(at("http://127.0.0.1:1/?sig="+url.QueryEscape(signs)), all...), true},
		"broken endpoint":  {append(at("http://u:"+word+"@%zz"), all...), true},
		"endpoint alone":   {append(at(word), all...), true},
		"broken proxy":     {append(at(remote), append(slices.Clone(all), "HTTP_PROXY=http://u:"+word+"@%zz")...), true},
		"broken proxy of Temporal": {variables{"TEMPORAL_ADDRESS=192.0.2.1:1", "HTTPS_PROXY=http://u:" + word + "@%zz"},
			false},
		"proxy that is not there": {append(at(remote), append(slices.Clone(all),
			"HTTP_PROXY=http://u:"+url.PathEscape(signs)+"@127.0.0.1:1")...), true},
		"broken file of AWS": {append(at(bucket.Endpoint), "AWS_SHARED_CREDENTIALS_FILE="+
			broken("credentials", "[default\naws_secret_access_key "+word+"\n")), true},
		"broken file of MinIO": {append(at(bucket.Endpoint), "HOME="+filepath.Dir(filepath.Dir(
			broken(".mc/config.json", `{"aliases": {"s3": {"secretKey": "`+word+`}}`)))), true},
		"file of Temporal": {variables{"TEMPORAL_CONFIG_FILE=" +
			broken("temporal.toml", "[profile.default]\naddress = \"a:1\"\napi_key = "+word+"\n")}, false},
		"file of Temporal, unknown name": {variables{"TEMPORAL_CONFIG_FILE=" +
			broken("temporal.toml", "[profile.default]\naddress = \"a:1\"\n"+word+" = 1\n")}, false},
		"API key":    {variables{"TEMPORAL_API_KEY=" + p["TEMPORAL_API_KEY"], "TEMPORAL_ADDRESS=127.0.0.1:1"}, false},
		"header":     {variables{"TEMPORAL_GRPC_META_X_KEY=" + word, "TEMPORAL_ADDRESS=127.0.0.1:1"}, false},
		"client key": {variables{"TEMPORAL_TLS_CLIENT_KEY_DATA=" + word, "TEMPORAL_ADDRESS=127.0.0.1:1"}, false},
		"client certificate": {variables{"TEMPORAL_TLS_CLIENT_CERT_DATA=" + word, "TEMPORAL_TLS_CLIENT_KEY_DATA=" + word,
			"TEMPORAL_ADDRESS=127.0.0.1:1"}, false},
		"payload keys":            {variables{keysVariable + "=" + broken("keys", word+"\n")}, false},
		"payload keys as content": {variables{keysVariable + "=" + p["payload key"]}, false},
		"payload keys, two lines": {variables{keysVariable + "=" + word + "\n" + signs + "\n"}, false},
		"user in address":         {variables{"TEMPORAL_ADDRESS=u:" + word + "@127.0.0.1:1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verbs := [][]string{{"submit", grid}, {"list"}, {"status", "x", "-o", "json"}, {"worker", "--slots", "1"}}
			v := c.v
			if c.store {
				verbs = append(verbs, []string{"run", grid, "--no-ui"}, []string{"results", "x", "-o", "json"},
					[]string{"gc", "--dry-run"})
				v = append(slices.Clone(v), "SWEEP_STORE=s3://bucket/p", "TEMPORAL_ADDRESS=127.0.0.1:1")
			}
			failed, dirs, started := 0, []string(nil), []*program(nil)
			for _, verb := range verbs {
				dirs = append(dirs, t.TempDir())
				started = append(started, v.start(t, dirs[len(dirs)-1], verb...))
			}
			for _, s := range started {
				if s.exitStatus(t) != exitOK {
					failed++
				}
				if s.err.Len() == 0 {
					t.Errorf("%v says nothing", s.Args[1:])
				}
				t.Logf("%v: %s", s.Args[1:], s.err.String())
			}
			p.said(t, started...)
			p.files(t, dirs, nil, nil)
			if failed < 2 {
				t.Errorf("%d of %d verbs failed: there is nothing wrong", failed, len(verbs))
			}
		})
	}
}
