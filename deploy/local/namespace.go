//go:build !noserver

package local

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// prepareNamespace creates the namespace in the database, or changes it to agree with the
// options, before the server starts. So every service loads the final state. A change
// through the API takes seconds to reach all caches.
//
// leftOut says which search attributes the namespace lacks, and why.
func prepareNamespace(ctx context.Context, conf *config.SQL, o Options) (leftOut []error, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("namespace %s: %w", o.Namespace, err)
		}
	}()
	db, err := sql.NewSQLDB(
		sqlplugin.DbKindMain, conf, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &o.Namespace})
	if errors.Is(err, stdsql.ErrNoRows) {
		ns, err := sqliteschema.NewNamespaceConfig(clusterName, o.Namespace, false, nil)
		if err != nil {
			return nil, err
		}
		_, leftOut = configure(ns.Detail, o)
		return leftOut, sqliteschema.CreateNamespaces(conf, ns)
	}
	if err != nil {
		return nil, err
	}
	row, codec := rows[0], serialization.NewSerializer()
	detail, err := codec.NamespaceDetailFromBlob(persistence.NewDataBlob(row.Data, row.DataEncoding))
	if err != nil {
		return nil, err
	}
	changed, leftOut := configure(detail, o)
	if !changed {
		return leftOut, nil
	}
	blob, err := codec.NamespaceDetailToBlob(detail)
	if err != nil {
		return nil, err
	}
	row.Data, row.DataEncoding = blob.GetData(), blob.GetEncodingType().String()
	_, err = db.UpdateNamespace(ctx, &row)
	return leftOut, err
}

// configure sets the retention and adds missing search attributes, and reports whether
// that changed anything. What cannot be added is left out: leftOut says why.
func configure(ns *persistencespb.NamespaceDetail, o Options) (changed bool, leftOut []error) {
	if ns.Config.GetRetention().AsDuration() != o.Retention {
		ns.Config.Retention = durationpb.New(o.Retention)
		changed = true
	}
	if ns.Config.CustomSearchAttributeAliases == nil {
		ns.Config.CustomSearchAttributeAliases = map[string]string{}
	}
	names := ns.Config.CustomSearchAttributeAliases // by column
	columns := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	for _, name := range slices.Sorted(maps.Keys(o.SearchAttributes)) {
		added, err := addAttribute(names, columns, name, o.SearchAttributes[name])
		changed = changed || added
		if err != nil {
			leftOut = append(leftOut, fmt.Errorf("search attribute %s: %w", name, err))
		}
	}
	if changed {
		ns.ConfigVersion++
	}
	return changed, leftOut
}

// addAttribute gives name the first free column of its type, and reports whether it had
// none before. names has the name of each column that is in use, columns the type of
// every column. A column keeps its name for ever, since the data in it belong to it.
func addAttribute(
	names map[string]string, columns map[string]enums.IndexedValueType, name string, typ enums.IndexedValueType,
) (bool, error) {
	if name == "" || !sadefs.IsMappable(name) || sadefs.IsReserved(name) {
		return false, errors.New("the name belongs to Temporal")
	}
	var holders []string
	free := ""
	for _, col := range slices.Sorted(maps.Keys(columns)) {
		holder, used := names[col]
		switch {
		case holder == name && columns[col] != typ:
			return false, fmt.Errorf("exists with type %v, not %v", columns[col], typ)
		case holder == name:
			return false, nil
		case columns[col] != typ:
		case used:
			holders = append(holders, holder)
		default:
			free = cmp.Or(free, col)
		}
	}
	if free == "" && len(holders) == 0 {
		return false, fmt.Errorf("no such type: %v", typ)
	}
	if free == "" {
		return false, fmt.Errorf("all %d of type %v are taken: %s", len(holders), typ, strings.Join(holders, ", "))
	}
	names[free] = name
	return true, nil
}
