//go:build !noserver

package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
)

// pragmas: with the write-ahead log and synchronous=normal a killed process loses
// nothing that was committed, and a machine that loses power at most the last few
// transactions, never the file. Workflows then repeat an activity, which ours bear.
var pragmas = map[string]string{
	"journal_mode": "wal",
	"synchronous":  "normal",
	"busy_timeout": "10000", // ms
}

// uriPath is the file as SQLite's URIs want it; a name may hold ?, # or %.
func uriPath(file string) string {
	p := filepath.ToSlash(file)
	if !strings.HasPrefix(p, "/") { // C:/…
		p = "/" + p
	}
	return (&url.URL{Path: p}).EscapedPath()
}

// sqlConfig is how the server opens the file. MaxConns stays unset: one connection.
func sqlConfig(file string) *config.SQL {
	attrs := map[string]string{"mode": "rwc"}
	for k, v := range pragmas {
		attrs[k] = v
	}
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      uriPath(file),
		ConnectAttributes: attrs,
	}
}

// openDatabase opens the file beside the server, through the driver that its plugin
// brings. Never open it otherwise: closing any descriptor of a file drops all locks
// that this process's SQLite holds on it.
func openDatabase(file string) (*sql.DB, error) {
	q := url.Values{}
	for k, v := range pragmas {
		q.Add("_pragma", k+"="+v)
	}
	db, err := sql.Open("sqlite", "file:"+uriPath(file)+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// prepareDatabase creates the file with the server's schema and stamps it, or checks
// that it was stamped by a server whose data this one reads. The server has no
// migrations for SQLite.
func prepareDatabase(ctx context.Context, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", file, err)
		}
	}()
	want, err := schemaStamp(headers.ServerVersion)
	if err != nil {
		return err
	}
	// SQLite would create it readable for all; its -wal and -shm take its mode.
	if f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	} else if !errors.Is(err, os.ErrExist) {
		return err
	}
	db, err := openDatabase(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	var have, tables int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	switch {
	case have == want:
		return nil
	case have != 0:
		return &VersionError{Have: stampVersion(have), Want: stampVersion(want)}
	case tables != 0:
		return &VersionError{Want: stampVersion(want)}
	}
	// All in one transaction: a kill leaves an empty file or a complete one.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	if err := sqliteschema.SetupSchemaOnDB(schemaTx{exec: tx.Exec}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", want)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaTx lets the server's schema set-up run in a transaction; it only ever calls Exec.
type schemaTx struct {
	sqlplugin.AdminDB
	exec func(string, ...any) (sql.Result, error)
}

func (s schemaTx) Exec(stmt string, args ...any) error {
	_, err := s.exec(stmt, args...)
	return err
}

// schemaStamp is what PRAGMA user_version holds: 1032 for 1.32.1. The schema and
// the data in it change with the minor version only.
func schemaStamp(version string) (int, error) {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d.", &major, &minor); n < 2 {
		return 0, fmt.Errorf("server version %q: %w", version, err)
	}
	return major*1000 + minor, nil
}

func stampVersion(stamp int) string { return fmt.Sprintf("%d.%d", stamp/1000, stamp%1000) }

// checkpoint moves what the write-ahead log holds into the database itself, so that
// temporal.db alone is complete, to be copied or looked at, after a clean stop.
func checkpoint(file string) error {
	db, err := openDatabase(file)
	if err != nil {
		return err
	}
	_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, db.Close())
}
