#!/bin/sh
# Creates Temporal's two databases, or updates them to the schema of the tool's version. A
# second run changes nothing. The tool reads the address of PostgreSQL and the user from
# SQL_PLUGIN, SQL_HOST, SQL_PORT and SQL_USER. The password is in the file SQL_PASSWORD_FILE.
set -eu
SQL_PASSWORD=$(cat "$SQL_PASSWORD_FILE")
export SQL_PASSWORD

# prepare DATABASE SCHEMA: SCHEMA is the name that the tool has for the schema.
prepare() {
	temporal-sql-tool --database "$1" create-database
	temporal-sql-tool --database "$1" setup-schema --version 0.0
	temporal-sql-tool --database "$1" update-schema --schema-name "$2"
}

prepare temporal postgresql/v12/temporal
prepare temporal_visibility postgresql/v12/visibility
