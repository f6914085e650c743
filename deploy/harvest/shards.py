"""Writes rows to shards: safetensors files with a tensor `activations` [rows, width], and for each of these rows the
token it is of: `token_ids`, `documents` and `positions` [rows], of int32."""

import json

import torch
from safetensors.torch import save

from out import OutError

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
RECORD = "harvest.json"


def shard_name(i):
    return f"activations-{i:05d}.safetensors"


def write_record(out, record):
    """Writes harvest.json."""
    out.write(RECORD, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())


def read_record(out):
    """Returns harvest.json, or None where nothing is there."""
    there = out.names()
    if not there:
        return None
    if RECORD not in there:
        raise OutError(f"--out {out} is not empty and holds no {RECORD}: give an empty folder")
    return json.loads(out.read(RECORD))


def prepare(out, config, names):
    """Prepares a Folder or Bucket for a harvest with config. Returns None for a new one, or the record of a harvest
    with the same config. Another config is an OutError. names go into the record, also into one of before."""
    record = read_record(out)
    if record is None:
        write_record(out, {"complete": False, "config": config, "names": names})
        return None
    old, new = flat(record["config"]), flat(config)
    changed = [f"{k} was {old.get(k)!r} and is {new.get(k)!r}"
               for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
    if changed:
        raise OutError(f"--out {out} holds a harvest with other settings ({'; '.join(changed)}): "
                       "give another folder or the same settings")
    if record.get("names") != names:
        record["names"] = names
        write_record(out, record)
    return record


def flat(config):
    """Returns config with the keys of inner dictionaries as KEY.INNER."""
    out = {}
    for k, v in config.items():
        out.update({f"{k}.{i}": w for i, w in v.items()} if isinstance(v, dict) else {k: v})
    return out


class Writer:
    """Collects rows and writes a shard whenever there are enough.

    A shard's metadata says where it ends: the number of a `batch`, and how many rows of
    that batch are in this shard and those before. So a harvest that was stopped can
    continue after its last complete shard, and gives the same bytes."""

    def __init__(self, out, config, rows, dtype, limit=None):
        self.out, self.config, self.dtype, self.limit = out, config, DTYPES[dtype], limit
        self.per_shard = rows
        self.shards, self.rows, self.width = 0, 0, None
        self.dropped = {"non_finite": 0, "high_norm": 0}
        self.batch, self.taken = 0, 0  # the next row is row number taken of this batch
        self._parts, self._tokens, self.pending = [], [], 0  # rows not written yet, and their number

    def resume(self):
        """Counts the shards that exist, and sets batch and taken to the end of the last."""
        there = set(self.out.names())
        while (name := shard_name(self.shards)) in there:
            header = json.loads(self.out.read(name, 8, int.from_bytes(self.out.read(name, 0, 8), "little")))
            at = json.loads(header["__metadata__"]["harvest"])["at"]
            rows, self.width = header["activations"]["shape"]
            self.rows += rows
            self.batch, self.taken, self.dropped = at["batch"], at["taken"], at["dropped"]
            self.shards += 1

    @property
    def full(self):
        """Whether the limit of rows is reached."""
        return self.limit is not None and self.rows + self.pending >= self.limit

    def add(self, batch, rows, tokens, dropped):
        """Adds those rows of a batch that were not added before. tokens [n, 3] are of these rows, or None."""
        if batch < self.batch:
            return  # all its rows are in shards that exist
        if batch > self.batch:
            self.batch, self.taken = batch, 0
        if self.taken == 0:
            for k, n in dropped.items():
                self.dropped[k] += n
        self.width = rows.shape[1]
        end = len(rows) if self.limit is None else min(len(rows), self.taken + self.limit - self.rows - self.pending)
        while self.taken < end:
            part = slice(self.taken, min(end, self.taken + self.per_shard - self.pending))
            self._parts.append(rows[part].to("cpu", self.dtype))
            if tokens is not None:
                self._tokens.append(tokens[part])
            self.pending += part.stop - part.start
            self.taken = part.stop
            if self.pending == self.per_shard:
                self.flush()

    def flush(self):
        """Writes the pending rows as a shard."""
        if self.pending == 0:
            return
        tensors = {"activations": torch.cat(self._parts).contiguous()}
        if self._tokens:
            columns = torch.cat(self._tokens).to("cpu", torch.int32).T.contiguous()
            tensors.update(zip(("token_ids", "documents", "positions"), columns.unbind()))
        at = {"batch": self.batch, "taken": self.taken, "dropped": self.dropped, "shard": self.shards}
        # There is one key, since the library writes several keys in any order.
        metadata = {"harvest": json.dumps({**self.config, "at": at}, sort_keys=True)}
        self.out.write(shard_name(self.shards), save(tensors, metadata))
        self.shards += 1
        self.rows += self.pending
        self._parts, self._tokens, self.pending = [], [], 0
