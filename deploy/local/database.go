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

// pragmas returns SQLite's settings. With the write-ahead log and synchronous=normal, a
// killed process loses nothing that was committed. A machine that loses power may lose
// the last few transactions, but the file stays valid. Workflows then repeat activities,
// and the activities of a sweep may be repeated.
func pragmas() map[string]string {
	return map[string]string{
		"journal_mode": "wal",
		"synchronous":  "normal",
		"busy_timeout": "10000",  // ms
		"temp_store":   "memory", // a full /tmp must not stop the server
	}
}

// uriPath returns a file's path in the form that SQLite's URIs need: ?, # and % are
// escaped.
func uriPath(file string) string {
	p := filepath.ToSlash(file)
	if !strings.HasPrefix(p, "/") { // C:/…
		p = "/" + p
	}
	return (&url.URL{Path: p}).EscapedPath()
}

// sqlConfig returns the configuration with which the server opens the file. MaxConns is
// not set, which means one connection.
func sqlConfig(file string) *config.SQL {
	attrs := map[string]string{"mode": "rwc"}
	for k, v := range pragmas() {
		attrs[k] = v
	}
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      uriPath(file),
		ConnectAttributes: attrs,
	}
}

// openDatabase opens the file with the SQLite driver that the server uses too. The file
// must not be opened in any other way: when a process closes any descriptor of a file,
// it loses all locks that its SQLite holds on that file.
func openDatabase(file string) (*sql.DB, error) {
	q := url.Values{}
	for k, v := range pragmas() {
		q.Add("_pragma", k+"="+v)
	}
	db, err := sql.Open("sqlite", "file:"+uriPath(file)+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// prepareDatabase creates the file with the server's schema and writes the server's
// version to it, or checks the version of a file that exists. A file of another version
// is a VersionError: the server has no migrations for SQLite.
func prepareDatabase(ctx context.Context, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", file, err)
		}
	}()
	want, err := schemaVersion(headers.ServerVersion)
	if err != nil {
		return err
	}
	// SQLite would make it readable for everyone. The files -wal and -shm get its mode.
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
		return &VersionError{Have: serverVersion(have), Want: serverVersion(want)}
	case tables != 0:
		return &VersionError{Want: serverVersion(want)}
	}
	// It is one transaction, so that a kill leaves an empty file or a complete one.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := sqliteschema.SetupSchemaOnDB(schemaTx{exec: tx.Exec}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", want)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaTx lets the server create its schema in a transaction. Of AdminDB, the server
// calls only Exec for that.
type schemaTx struct {
	sqlplugin.AdminDB
	exec func(string, ...any) (sql.Result, error)
}

func (s schemaTx) Exec(stmt string, args ...any) error {
	_, err := s.exec(stmt, args...)
	return err
}

// schemaVersion returns the value of PRAGMA user_version for a server version, such as
// 1032 for 1.32.1. The schema and the data in it change only with the minor version.
func schemaVersion(version string) (int, error) {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d.", &major, &minor); n < 2 {
		return 0, fmt.Errorf("server version %q: %w", version, err)
	}
	return major*1000 + minor, nil
}

// serverVersion returns the server version of a schema version: 1.32 for 1032.
func serverVersion(schema int) string { return fmt.Sprintf("%d.%d", schema/1000, schema%1000) }

// checkpoint moves the write-ahead log into the database file. So after a clean stop
// temporal.db alone is complete, and may be copied.
func checkpoint(file string) error {
	db, err := openDatabase(file)
	if err != nil {
		return err
	}
	_, err = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, db.Close())
}
