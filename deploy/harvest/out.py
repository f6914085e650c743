"""Where a harvest writes: a folder, or a prefix of a bucket. Both have whole files only."""

import contextlib
import os
import re


class OutError(Exception):
    """The output cannot be used; the message says why."""


def open_out(out):
    """Returns a Folder, or a Bucket for s3://bucket/prefix."""
    if not out.startswith("s3://"):
        return Folder(out)
    bucket, _, prefix = out.removeprefix("s3://").partition("/")
    if not bucket:
        raise OutError(f"--out {out}: want s3://bucket/prefix")
    return Bucket(connect(), bucket, prefix.strip("/"))


class Folder:
    """A folder on disk."""

    def __init__(self, path):
        self.path = path

    def __str__(self):
        return self.path

    def inner(self, name):
        return Folder(os.path.join(self.path, name))

    def names(self):
        """Lists what is there. Files that a harvest was writing when it was stopped are removed."""
        if not os.path.isdir(self.path):
            return []
        for name in os.listdir(self.path):
            if re.fullmatch(r"\..*\.tmp", name):
                os.remove(os.path.join(self.path, name))
        return sorted(n for n in os.listdir(self.path) if not n.startswith("."))

    def read(self, name, start=0, size=-1):
        """Returns size bytes from start on, or all."""
        with open(os.path.join(self.path, name), "rb") as f:
            f.seek(start)
            return f.read(size)

    def write(self, name, data):
        """Writes a file under a temporary name, syncs it to disk, and renames it."""
        os.makedirs(self.path, exist_ok=True)
        temporary = os.path.join(self.path, f".{name}.tmp")
        with open(temporary, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, os.path.join(self.path, name))


def connect():
    """Returns a client of S3, with the settings of the environment: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION,
    AWS_ACCESS_KEY_ID and so on."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as e:
        raise OutError("--out s3://… needs boto3: pip install boto3") from e
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(retries={"mode": "standard", "max_attempts": 8},
                    s3={"addressing_style": "path"} if endpoint else {})
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return boto3.client("s3", region_name=region, config=config, endpoint_url=endpoint)


# Bytes of a request. S3 takes 5 GiB in one, and 10,000 parts of an object: 2.5 TB.
PART = 256 << 20


class Bucket:
    """A prefix of a bucket. An object is there whole or not at all."""

    def __init__(self, client, bucket, prefix):
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def __str__(self):
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def _key(self, name):
        return f"{self.prefix}/{name}".lstrip("/")

    def _call(self, method, **more):
        from botocore.exceptions import BotoCoreError, ClientError
        try:
            return getattr(self.client, method)(Bucket=self.bucket, **more)
        except (BotoCoreError, ClientError) as e:
            raise OutError(f"--out {self}: {e}") from e

    def inner(self, name):
        return Bucket(self.client, self.bucket, self._key(name))

    def names(self):
        """Lists what is there. Of an object in a deeper folder it is the name of that folder."""
        prefix, out, more = self._key(""), [], {}
        while True:
            page = self._call("list_objects_v2", Prefix=prefix, Delimiter="/", **more)
            out += [o["Key"].removeprefix(prefix) for o in page.get("Contents", [])]
            out += [o["Prefix"].removeprefix(prefix).rstrip("/") for o in page.get("CommonPrefixes", [])]
            if not page.get("IsTruncated"):
                return sorted(n for n in out if n and not n.startswith("."))
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, name, start=0, size=-1):
        """Returns size bytes from start on, or all."""
        more = {"Range": f"bytes={start}-{start + size - 1}"} if size > 0 else {}
        return self._call("get_object", Key=self._key(name), **more)["Body"].read()

    def write(self, name, data):
        """Writes an object with one request, or a large one in parts, which the last request joins."""
        key = self._key(name)
        if len(data) <= PART:
            self._call("put_object", Key=key, Body=data)
            return
        upload = {"Key": key, "UploadId": self._call("create_multipart_upload", Key=key)["UploadId"]}
        try:
            parts = []
            for number, start in enumerate(range(0, len(data), PART), 1):
                body = data[start:start + PART]
                sent = self._call("upload_part", **upload, PartNumber=number, Body=body)
                parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            self._call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with contextlib.suppress(OutError):  # the first error counts
                self._call("abort_multipart_upload", **upload)
            raise
