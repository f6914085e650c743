//go:build !noserver

package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/server/common/headers"
)

func execute(t *testing.T, file, stmt string) {
	t.Helper()
	db, err := openDatabase(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), stmt); err != nil {
		t.Fatal(err)
	}
}

// query returns the only value of a statement as text.
func query(t *testing.T, file, stmt string) (s string) {
	t.Helper()
	db, err := openDatabase(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), stmt).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPrepareDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), dbName)
	for range 2 { // first it creates the file, then it accepts it
		if err := prepareDatabase(t.Context(), file); err != nil {
			t.Fatal(err)
		}
	}
	if got := query(t, file, "PRAGMA journal_mode"); got != "wal" {
		t.Errorf("journal mode %s", got)
	}
	const tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('executions', 'executions_visibility')"
	if got := query(t, file, tables); got != "2" {
		t.Errorf("%s of 2 tables", got)
	}
}

// A file without tables, which a kill in the middle of the set-up leaves, is set up.
func TestPrepareEmptyDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), dbName)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := prepareDatabase(ctx, file); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if err := prepareDatabase(t.Context(), file); err != nil {
		t.Fatal(err)
	}
}

func TestOtherDatabases(t *testing.T) {
	for name, c := range map[string]struct {
		stmt, have, want string
	}{
		"older server":  {"PRAGMA user_version = 1031", "1.31", "server 1.31"},
		"newer server":  {"PRAGMA user_version = 2000", "2.0", "server 2.0"},
		"other program": {"CREATE TABLE notes (id INTEGER)", "", "another program"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, dbName)
		execute(t, file, c.stmt)
		_, err := Start(t.Context(), Options{Dir: dir, GRPCPort: -1, UIPort: -1})
		var version *VersionError
		if !errors.As(err, &version) || version.Have != c.have ||
			!strings.HasPrefix(headers.ServerVersion, version.Want+".") {
			t.Errorf("%s: %v; want a VersionError", name, err)
			continue
		}
		for _, want := range []string{file, c.want, version.Want, "move the file away"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
	}
}

func TestNotADatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), dbName)
	text := strings.Repeat("not a database\n", 1000)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepareDatabase(t.Context(), file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v; want an error that names the file", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != text {
		t.Errorf("the file was changed, %v", err)
	}
}

func TestSchemaVersion(t *testing.T) {
	for version, want := range map[string]int{
		"1.32.1": 1032, "1.32.9": 1032, "1.33.0-rc.1": 1033, "2.0.0": 2000, "": 0, "x": 0,
	} {
		got, err := schemaVersion(version)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("schemaVersion(%q) = %d, %v; want %d", version, got, err, want)
		}
	}
	if _, err := schemaVersion(headers.ServerVersion); err != nil {
		t.Error(err)
	}
}
