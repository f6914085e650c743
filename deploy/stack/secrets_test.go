//go:build unix

package stack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	client "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/storage/storagetest"
)

// secrets is the folder in which the job secrets of docker-compose.yml has made the secrets.
type secrets string

func (s secrets) file(name string) string { return filepath.Join(string(s), filepath.FromSlash(name)) }

func (s secrets) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(s.file(name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// run runs a script of the containers with the variables, and returns what it says.
func (s secrets) run(t *testing.T, script string, variables ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("sh", filepath.Join(root, "deploy", "compose", script))
	cmd.Env = environment(append(variables, "SECRETS="+string(s))...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s secrets) mustRun(t *testing.T, script string, variables ...string) {
	t.Helper()
	if out, err := s.run(t, script, variables...); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// makeSecrets makes the secrets of one stack.
func makeSecrets(t *testing.T) secrets {
	t.Helper()
	s := secrets(t.TempDir())
	s.mustRun(t, "secrets.sh")
	return s
}

// startMinIO starts MinIO with its administrator, and creates the bucket and the workers' user.
func (s secrets) startMinIO(t *testing.T) *miniotest.Server {
	t.Helper()
	server := miniotest.Start(t,
		"MINIO_ROOT_USER_FILE="+s.file("minio/user"), "MINIO_ROOT_PASSWORD_FILE="+s.file("minio/password"))
	mc := filepath.Dir(miniotest.FindClient(t))
	for range 2 { // the containers run it at every start: it must change nothing
		s.mustRun(t, "bucket.sh", "SWEEP_STORE="+url(""), "AWS_ENDPOINT_URL_S3="+server.Endpoint,
			"PATH="+mc+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	return server
}

// open opens a store in the bucket as the workers do. Its calls fail at once during an outage.
func (s secrets) open(t *testing.T, server *miniotest.Server, prefix string) storage.Store {
	t.Helper()
	store, err := minio.Open(t.Context(), url(prefix), minio.Options{
		Endpoint: server.Endpoint, Region: "us-east-1", RetryFor: -1,
		Credentials: credentials.NewFileAWSCredentials(s.file("store/credentials"), ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestSecrets makes secrets as the containers do: once, each another one, and those of .env.
func TestSecrets(t *testing.T) {
	s := makeSecrets(t)
	names := []string{"database/password", "minio/user", "minio/password", "store/credentials"}
	made, seen := map[string]string{}, map[string]bool{}
	for _, name := range names {
		made[name] = s.read(t, name)
		if len(made[name]) < 32 || seen[made[name]] {
			t.Errorf("%s is %q", name, made[name])
		}
		seen[made[name]] = true
	}
	s.mustRun(t, "secrets.sh")
	for _, name := range names {
		if got := s.read(t, name); got != made[name] {
			t.Errorf("%s is now %q, was %q", name, got, made[name])
		}
	}
	if other := makeSecrets(t); other.read(t, "database/password") == made["database/password"] {
		t.Error("two installations have one password")
	}
	s.mustRun(t, "secrets.sh", "POSTGRES_PASSWORD=given", "STORE_USER=me", "STORE_PASSWORD=a b")
	if got := s.read(t, "database/password"); got != "given" {
		t.Errorf("the password is %q", got)
	}
	if got := s.read(t, "store/credentials"); !strings.Contains(got, "= me\n") || !strings.HasSuffix(got, "= a b") {
		t.Errorf("the credentials are %q", got)
	}
	if got := s.read(t, "minio/password"); got != made["minio/password"] {
		t.Errorf("a password that is not given is now %q", got)
	}
	if out, err := s.run(t, "secrets.sh", "STORE_USER=me"); err == nil {
		t.Errorf("a user without a password is no error: %s", out)
	}
	left, err := filepath.Glob(filepath.Join(string(s), "*", "*"))
	if err != nil || len(left) != len(names) {
		t.Errorf("%v, %v", left, err)
	}
}

// TestWorkersUser has the workers' user of MinIO do all that a store must do, and try all else.
func TestWorkersUser(t *testing.T) {
	s := makeSecrets(t)
	server := s.startMinIO(t)
	t.Run("Store", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) storage.Store {
			return s.open(t, server, "store/"+strings.ReplaceAll(t.Name(), "/", "-"))
		})
	})
	endpoint := strings.TrimPrefix(server.Endpoint, "http://")
	connect := func(c *credentials.Credentials) *client.Client {
		t.Helper()
		m, err := client.New(endpoint, &client.Options{Creds: c, Region: "us-east-1"})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	ctx := t.Context()
	admin := connect(credentials.NewStaticV4(s.read(t, "minio/user"), s.read(t, "minio/password"), ""))
	put := func(m *client.Client, bucket string) error {
		_, err := m.PutObject(ctx, bucket, "secret", strings.NewReader("x"), 1, client.PutObjectOptions{})
		return err
	}
	if err := admin.MakeBucket(ctx, "other", client.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := put(admin, "other"); err != nil {
		t.Fatal(err)
	}
	worker := connect(credentials.NewFileAWSCredentials(s.file("store/credentials"), ""))
	if err := put(worker, bucket); err != nil {
		t.Errorf("in its own bucket: %v", err)
	}
	list := func(m *client.Client) error {
		for o := range m.ListObjects(ctx, "other", client.ListObjectsOptions{}) {
			return o.Err
		}
		return nil
	}
	get := func(m *client.Client) error {
		_, err := m.StatObject(ctx, "other", "secret", client.StatObjectOptions{})
		return err
	}
	for what, try := range map[string]func(*client.Client) error{
		"list another bucket":     list,
		"read in another bucket":  get,
		"write to another bucket": func(m *client.Client) error { return put(m, "other") },
		"create a bucket": func(m *client.Client) error {
			return m.MakeBucket(ctx, "third", client.MakeBucketOptions{})
		},
		"remove its bucket":      func(m *client.Client) error { return m.RemoveBucket(ctx, bucket) },
		"open its bucket to all": func(m *client.Client) error { return m.SetBucketPolicy(ctx, bucket, openToAll) },
		"remove in another bucket": func(m *client.Client) error {
			return m.RemoveObject(ctx, "other", "secret", client.RemoveObjectOptions{})
		},
	} {
		if err := try(worker); client.ToErrorResponse(err).Code != "AccessDenied" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := get(admin); err != nil {
		t.Errorf("the object in the other bucket: %v", err)
	}
	seen, err := worker.ListBuckets(ctx)
	for _, b := range seen {
		if b.Name != bucket {
			t.Errorf("it sees the bucket %s", b.Name)
		}
	}
	if err != nil && client.ToErrorResponse(err).Code != "AccessDenied" {
		t.Error(err)
	}
	s.noAdministrator(t, server)
}

// openToAll is a policy with which nobody needs credentials.
const openToAll = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]},
	"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::` + bucket + `/*"]}]}`

// noAdministrator has the workers' user try what only the administrator may, who can.
func (s secrets) noAdministrator(t *testing.T, server *miniotest.Server) {
	t.Helper()
	of := credentials.NewFileAWSCredentials(s.file("store/credentials"), "")
	worker, err := of.GetWithContext(&credentials.CredContext{})
	if err != nil {
		t.Fatal(err)
	}
	mc := func(user, password string, args ...string) (string, error) {
		cmd := exec.Command(miniotest.FindClient(t), append([]string{"--config-dir", t.TempDir()}, args...)...)
		endpoint := strings.Replace(server.Endpoint, "//", "//"+user+":"+password+"@", 1)
		cmd.Env = environment("MC_HOST_store=" + endpoint)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{
		{"admin", "user", "list", "store"},
		{"admin", "info", "store"},
		{"admin", "policy", "list", "store"},
	} {
		if out, err := mc(s.read(t, "minio/user"), s.read(t, "minio/password"), args...); err != nil {
			t.Errorf("the administrator, %v: %v\n%s", args, err, out)
		}
		if out, err := mc(worker.AccessKeyID, worker.SecretAccessKey, args...); err == nil {
			t.Errorf("a worker, %v:\n%s", args, out)
		}
	}
}
