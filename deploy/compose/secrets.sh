#!/bin/sh
# Makes the secrets of the containers at their first start, and keeps them at later ones. Each
# lies in a volume of its own, which only the services see that need it, and so every user in
# them may read it:
#
#   database/password             of Temporal's user of PostgreSQL
#   minio/user, minio/password    of MinIO's administrator
#   store/credentials             of the workers' user of MinIO, as AWS's tools read it
#
# A variable of .env that is not empty takes the place of what would be made, and of what was.
# SECRETS is the folder that the volumes are mounted in.
set -eu
umask 022

# random prints 32 letters and digits.
random() { LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 32; }

# keep FILE GIVEN MADE writes GIVEN into a file of SECRETS, or, if it is empty, MADE, unless the
# file is there. The file appears whole or not at all. Of two that make it at the same time one
# wins, since a link does not replace a file.
keep() {
	file=$SECRETS/$1
	mkdir -p "${file%/*}"
	part=$(mktemp "$file.XXXXXX")
	printf '%s\n' "${2:-$3}" >"$part"
	chmod 444 "$part"
	if [ -n "$2" ]; then
		mv "$part" "$file"
	else
		ln "$part" "$file" 2>/dev/null || [ -s "$file" ]
		rm -f "$part"
	fi
}

# credentials NAME SECRET prints a file of credentials.
credentials() { printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s' "$1" "$2"; }

keep database/password "${POSTGRES_PASSWORD:-}" "$(random)"
keep minio/user "${MINIO_ROOT_USER:-}" "admin-$(random)"
keep minio/password "${MINIO_ROOT_PASSWORD:-}" "$(random)"
given=""
if [ -n "${STORE_USER:-}${STORE_PASSWORD:-}" ]; then
	[ -n "${STORE_USER:-}" ] && [ -n "${STORE_PASSWORD:-}" ] ||
		{ echo "STORE_USER and STORE_PASSWORD must be set together" >&2; exit 1; }
	given=$(credentials "$STORE_USER" "$STORE_PASSWORD")
fi
keep store/credentials "$given" "$(credentials sweep-worker "$(random)")"
