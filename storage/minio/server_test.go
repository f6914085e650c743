package minio_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	client "github.com/minio/minio-go/v7"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/storage/minio"
	"github.com/topksweep/sweep/storage/minio/miniotest"
	"github.com/topksweep/sweep/storage/storagetest"
)

// TestServerKilled kills the server in the middle of a put and in the middle of a
// get, and starts it again: both go on as if nothing had happened.
func TestServerKilled(t *testing.T) {
	server := miniotest.Start(t)
	o := options(server)
	o.PartSize = 5 << 20
	s := open(t, "s3://killed", o)
	want := pattern(3, 40<<20)
	body := &hooked{ReaderAt: bytes.NewReader(want), at: 25 << 20, hook: func() { server.Kill(); server.Restart() }}
	if err := s.Put(t.Context(), "object", body, int64(len(want))); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), "object")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got[:10<<20]); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Restart()
	if _, err := io.ReadFull(r, got[10<<20:]); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if !bytes.Equal(got, want) {
		t.Error("got something else than was put")
	}

	// If the server stays away, an error comes when the time for retries is over.
	o.RetryFor = time.Millisecond
	s = open(t, "s3://killed", o)
	server.Kill()
	if err := storage.PutBytes(t.Context(), s, "object", nil); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("put without a server: %v", err)
	}
	if _, err := s.Get(t.Context(), "object"); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("get without a server: %v", err)
	}
}

// A hooked body calls hook once, when byte at is read.
type hooked struct {
	io.ReaderAt
	at   int64
	hook func()
	once sync.Once
}

func (h *hooked) ReadAt(p []byte, off int64) (int, error) {
	if off >= h.at {
		h.once.Do(h.hook)
	}
	return h.ReaderAt.ReadAt(p, off)
}

// TestTrainingOutlivesServer trains runs while the server is killed and started
// again, at random operations.
func TestTrainingOutlivesServer(t *testing.T) {
	const kills, stages = 10, 4
	server := miniotest.Start(t)
	o := options(server)
	o.RetryFor = 10 * time.Minute // a loaded machine starts the server slowly
	s := open(t, "s3://chaos", o)
	c := &chaos{Store: s, server: server, rnd: rand.New(rand.NewPCG(1, 1)), left: kills}
	storagetest.Parallel(t, 2, stages, func(i int) error {
		for n := 0; n == 0 || c.more(); n++ {
			storagetest.Train(t, c, fmt.Sprintf("stage-%d-%d", i, n))
		}
		return nil
	})
	t.Logf("survived %d kills of the server", kills-c.left)
	if c.left > 0 {
		t.Errorf("%d kills are left", c.left)
	}
}

// chaos kills the server before some operations and starts it again beside them.
type chaos struct {
	storage.Store
	server *miniotest.Server

	mu   sync.Mutex
	rnd  *rand.Rand
	left int
}

func (c *chaos) more() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left > 0
}

// strike returns what to wait for before the test may go on to the next kill.
func (c *chaos) strike() func() {
	c.mu.Lock()
	if c.left == 0 || c.rnd.IntN(10) > 0 {
		c.mu.Unlock()
		return func() {}
	}
	c.left--
	c.server.Kill()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer c.mu.Unlock()
		c.server.Restart()
	}()
	return func() { <-done }
}

func (c *chaos) Put(ctx ctx, key string, body io.ReaderAt, size int64) error {
	defer c.strike()()
	return c.Store.Put(ctx, key, body, size)
}

func (c *chaos) PutNew(ctx ctx, key string, data []byte) error {
	defer c.strike()()
	return storage.PutNew(ctx, c.Store, key, data)
}

func (c *chaos) List(ctx ctx, prefix string) ([]storage.Object, error) {
	defer c.strike()()
	return c.Store.List(ctx, prefix)
}

// TestWriterKilled kills a writing process again and again. The uploads that it
// leaves unfinished are removed.
func TestWriterKilled(t *testing.T) {
	server := miniotest.Start(t)
	s := open(t, "s3://writer/deep/down", options(server))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	storagetest.RunKill(t, 25, func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), writerVar+"="+server.Endpoint,
			"AWS_ACCESS_KEY_ID="+miniotest.User, "AWS_SECRET_ACCESS_KEY="+miniotest.Password)
		return cmd
	}, func() storage.Store { return s })
}

const writerVar = "SWEEP_MINIO_TEST_WRITER"

func TestMain(m *testing.M) {
	endpoint := os.Getenv(writerVar)
	if endpoint == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, writer(endpoint))
	os.Exit(1)
}

func TestClean(t *testing.T) {
	server := miniotest.Start(t)
	o := options(server)
	s := open(t, "s3://clean/ours", o)
	raw, err := client.NewCore(server.Endpoint[len("http://"):], &client.Options{Creds: o.Credentials})
	if err != nil {
		t.Fatal(err)
	}
	begin := func(name string) {
		t.Helper()
		id, err := raw.NewMultipartUpload(t.Context(), "clean", name, client.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		part := bytes.NewReader(make([]byte, 100))
		var opts client.PutObjectPartOptions
		if _, err := raw.PutObjectPart(t.Context(), "clean", name, id, 1, part, 100, opts); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"ours/a", "ours/b/c", "ours/b/c", "others/a", "ours-not", "ours/c"} {
		begin(name)
	}
	prefixes := []string{"a", "b/", "short"}
	if n, err := s.Clean(t.Context(), prefixes, time.Now().Add(-time.Hour), false); n != 0 || err != nil {
		t.Errorf("of an hour ago: %d, %v, want none", n, err)
	}
	for _, test := range []struct {
		dry  bool
		want int
	}{{true, 3}, {false, 3}, {false, 0}, {true, 0}} {
		if n, err := s.Clean(t.Context(), prefixes, time.Now().Add(time.Hour), test.dry); n != test.want || err != nil {
			t.Errorf("removed (dry: %v) %d, %v, want %d", test.dry, n, err, test.want)
		}
	}
	left, err := raw.ListMultipartUploads(t.Context(), "clean", "", "", "", "", 100)
	if err != nil || len(left.Uploads) != 3 {
		t.Errorf("left %v, %v, want the three of others", left.Uploads, err)
	}

	// A put that fails removes its parts itself.
	bad := &hooked{ReaderAt: bytes.NewReader(make([]byte, 30<<20)), hook: func() {}}
	if err := s.Put(t.Context(), "short", bad, 40<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("put of a short body: %v", err)
	}
	if n, err := s.Clean(t.Context(), prefixes, time.Now().Add(time.Hour), false); n != 0 || err != nil {
		t.Errorf("after a failed put: %d, %v, want none", n, err)
	}
}

func TestFull(t *testing.T) {
	s := open(t, "s3://full", options(miniotest.StartSmall(t, 96)))
	old := pattern(1, 8<<20)
	if err := storage.PutBytes(t.Context(), s, "old", old); err != nil {
		t.Fatal(err)
	}
	var full int
	for i := range 12 { // small and large ones: the disk takes about eight
		err := storage.PutBytes(t.Context(), s, fmt.Sprint("new", i), pattern(i, 6<<20+i%2*12<<20))
		if err != nil && !errors.Is(err, storage.ErrNoSpace) {
			t.Errorf("put to a full server: %v, want ErrNoSpace", err)
		}
		if err != nil {
			full++
		}
	}
	if full == 0 {
		t.Error("the server did not get full")
	}
	if got, err := storage.ReadAll(t.Context(), s, "old", 1<<30); err != nil || !bytes.Equal(got, old) {
		t.Errorf("old: %d bytes, %v", len(got), err)
	}
	for i := range 12 {
		if err := s.Delete(t.Context(), fmt.Sprint("new", i)); err != nil {
			t.Errorf("delete on a full server: %v", err)
		}
	}
}

func TestDenied(t *testing.T) {
	server := miniotest.Start(t)
	open(t, "s3://denied", options(server))
	for _, o := range []minio.Options{wrongCredentials(server), noCredentials(server)} {
		_, err := minio.Open(t.Context(), "s3://denied", o)
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("open: %v, want permission denied", err)
		}
		t.Log(err)
	}
}
