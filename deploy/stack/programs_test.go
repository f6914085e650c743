//go:build unix

package stack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/topksweep/sweep/storage/minio/miniotest"

	// What build.sh builds is made of these. Importing them makes go test compile
	// them before it starts the tests, outside of their time limit; build.sh then
	// takes them from the build cache and only links.
	_ "github.com/topksweep/sweep/activities"
	_ "github.com/topksweep/sweep/deploy/local"
	_ "github.com/topksweep/sweep/workflows"
)

// programs are the paths of the stack's programs but for MinIO, which package miniotest
// finds.
type programs struct {
	initdb, postgres        string
	temporalServer, sqlTool string
	sweep                   string // with the embedded server
	worker                  string // without it, as in the container
}

// findPrograms finds PostgreSQL and MinIO and builds the other programs, into the folder
// that SWEEP_STACK_BIN names, where the next test finds them, or else into a temporary
// one. If a server is missing, it skips the test, or fails it where SWEEP_TEST_MUST_RUN
// is set.
func findPrograms(t *testing.T) programs {
	t.Helper()
	postgres, ok := findPostgres()
	if !ok {
		const how = "no PostgreSQL server: apt-get install postgresql, or name the folder of initdb in SWEEP_POSTGRES"
		if os.Getenv("SWEEP_TEST_MUST_RUN") != "" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	miniotest.Find(t)
	miniotest.FindClient(t)
	dir := os.Getenv("SWEEP_STACK_BIN")
	if dir == "" {
		dir = t.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("./build.sh", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	return programs{
		initdb: filepath.Join(postgres, "initdb"), postgres: filepath.Join(postgres, "postgres"),
		temporalServer: in("temporal-server"), sqlTool: in("temporal-sql-tool"),
		sweep: in("sweep"), worker: in("sweep-worker"),
	}
}

// findPostgres returns the folder of PostgreSQL's programs. On Debian it is not in PATH.
func findPostgres() (dir string, ok bool) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Sort(dirs)
	if exe, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
	}
	if dir := os.Getenv("SWEEP_POSTGRES"); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, dir := range slices.Backward(dirs) {
		_, err := os.Stat(filepath.Join(dir, "initdb"))
		_, err2 := os.Stat(filepath.Join(dir, "postgres"))
		if err == nil && err2 == nil {
			return dir, true
		}
	}
	return "", false
}
