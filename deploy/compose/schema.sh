#!/bin/sh
# Creates Temporal's two databases and brings them to the schema of the tool's own
# version; run again, it changes nothing. Where PostgreSQL is comes from
# SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD, which the tool reads.
set -eu

# name of the database, name of the schema in the tool
prepare() {
	temporal-sql-tool --database "$1" create-database
	temporal-sql-tool --database "$1" setup-schema --version 0.0
	temporal-sql-tool --database "$1" update-schema --schema-name "$2"
}

prepare temporal postgresql/v12/temporal
prepare temporal_visibility postgresql/v12/visibility
