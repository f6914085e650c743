"""Writes rows to shards: safetensors files with one tensor, `activations` [rows, width].
A file gets its name only when it is complete."""

import json
import os
import re

import torch
from safetensors import safe_open
from safetensors.torch import save_file

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
RECORD = "harvest.json"


class OutError(Exception):
    """The output folder cannot be used; the message says why."""


def shard_name(i):
    return f"activations-{i:05d}.safetensors"


def write_atomically(path, write):
    """Calls write with a temporary path, syncs the file to disk, and renames it to path."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.tmp")
    write(temporary)
    with open(temporary, "rb+") as f:
        os.fsync(f.fileno())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def write_record(out, record):
    """Writes harvest.json."""
    def write(path):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(record, f, indent=2, sort_keys=True)
            f.write("\n")
    write_atomically(os.path.join(out, RECORD), write)


def prepare(out, config, names):
    """Prepares the folder for a harvest with config. Returns None for a new folder, or the
    record of a harvest with the same config. Another config is an OutError. names go into
    the record, also into one of before."""
    os.makedirs(out, exist_ok=True)
    there = sorted(os.listdir(out))
    for name in there:
        if re.fullmatch(r"\..*\.tmp", name):
            os.remove(os.path.join(out, name))  # an incomplete file of a harvest that was stopped
    there = [n for n in there if not n.startswith(".")]
    if not there:
        write_record(out, {"complete": False, "config": config, "names": names})
        return None
    if RECORD not in there:
        raise OutError(f"--out {out} is not empty and holds no {RECORD}: give an empty folder")
    with open(os.path.join(out, RECORD), encoding="utf-8") as f:
        record = json.load(f)
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
        self._parts, self.pending = [], 0  # rows not written yet, and their number

    def resume(self):
        """Counts the shards that exist, and sets batch and taken to the end of the last."""
        while os.path.exists(path := os.path.join(self.out, shard_name(self.shards))):
            with safe_open(path, "pt") as f:
                at = json.loads(f.metadata()["harvest"])["at"]
                rows, self.width = f.get_slice("activations").get_shape()
                self.rows += rows
            self.batch, self.taken, self.dropped = at["batch"], at["taken"], at["dropped"]
            self.shards += 1

    @property
    def full(self):
        """Whether the limit of rows is reached."""
        return self.limit is not None and self.rows + self.pending >= self.limit

    def add(self, batch, rows, dropped):
        """Adds those rows of a batch that were not added before."""
        if batch > self.batch:
            self.batch, self.taken = batch, 0
        if self.taken == 0:
            for k, n in dropped.items():
                self.dropped[k] += n
        self.width = rows.shape[1]
        rows = rows[self.taken:]
        if self.limit is not None:
            rows = rows[:self.limit - self.rows - self.pending]
        while len(rows):
            part, rows = rows[:self.per_shard - self.pending], rows[self.per_shard - self.pending:]
            self._parts.append(part.to("cpu", self.dtype))
            self.pending += len(part)
            self.taken += len(part)
            if self.pending == self.per_shard:
                self.flush()

    def flush(self):
        """Writes the pending rows as a shard."""
        if self.pending == 0:
            return
        tensor = torch.cat(self._parts).contiguous()
        at = {"batch": self.batch, "taken": self.taken, "dropped": self.dropped, "shard": self.shards}
        # There is one key, since the library writes several keys in any order.
        metadata = {"harvest": json.dumps({**self.config, "at": at}, sort_keys=True)}
        write_atomically(os.path.join(self.out, shard_name(self.shards)),
                         lambda path: save_file({"activations": tensor}, path, metadata))
        self.shards += 1
        self.rows += self.pending
        self._parts, self.pending = [], 0
