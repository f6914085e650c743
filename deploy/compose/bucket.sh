#!/bin/sh
# Creates the bucket of SWEEP_STORE, and the workers' user of MinIO, who may list the bucket and
# read, write and delete objects in it, and nothing else. A second run changes nothing, but for a
# password that has changed. SECRETS is the folder with the secrets (secrets.sh), and
# AWS_ENDPOINT_URL_S3 the server.
set -eu
umask 077

bucket=${SWEEP_STORE#s3://}
[ "$bucket" != "$SWEEP_STORE" ] || { echo "SWEEP_STORE=$SWEEP_STORE: want s3://bucket/prefix" >&2; exit 1; }
bucket=${bucket%%[/?]*}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The administrator's password goes by a file, and the user's by a pipe: arguments can be seen.
cat >"$folder/config.json" <<END
{"version": "10", "aliases": {"store": {"url": "$AWS_ENDPOINT_URL_S3", "api": "S3v4", "path": "on",
 "accessKey": "$(cat "$SECRETS/minio/user")", "secretKey": "$(cat "$SECRETS/minio/password")"}}}
END
cat >"$folder/policy.json" <<END
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
      "Resource": ["arn:aws:s3:::$bucket"]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject",
        "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"],
      "Resource": ["arn:aws:s3:::$bucket/*"]
    }
  ]
}
END
client() { mc --config-dir "$folder" --quiet "$@"; }
# value KEY prints a value of the workers' credentials.
value() { sed -n "s/^$1 = //p" "$SECRETS/store/credentials"; }

user=$(value aws_access_key_id)
client mb --ignore-existing "store/$bucket"
printf '%s\n%s\n' "$user" "$(value aws_secret_access_key)" | client admin user add store
client admin policy create store "sweep-$bucket" "$folder/policy.json"
client admin policy attach store "sweep-$bucket" --user "$user" 2>"$folder/why" ||
	grep -qi "already" "$folder/why" || { cat "$folder/why" >&2; exit 1; }
