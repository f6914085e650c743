"""Write the files of this folder with the packages themselves. README.md has the versions.

    python -m venv venv && venv/bin/pip install numpy safetensors pyarrow datasets ml_dtypes
    venv/bin/python make.py

Every file holds the same 40 rows of 6 numbers, which all dtypes hold exactly: row r, column c is (7 r + 3 c) % 16 - 8.
"""

import os
import shutil

import ml_dtypes
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Array2D, Dataset, DatasetDict, Features, Sequence, Value
from safetensors.numpy import save_file

here = os.path.dirname(os.path.abspath(__file__))
rows, width = 40, 6
x = ((7 * np.arange(rows)[:, None] + 3 * np.arange(width)[None, :]) % 16 - 8).astype("<f4")
cube = x.reshape(5, 8, width)
ids = np.arange(rows).reshape(5, 8)


def at(*names):
    path = os.path.join(here, *names)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


for name, dtype in {"f16": "<f2", "f32": "<f4", "f64": "<f8", "bf16": ml_dtypes.bfloat16}.items():
    np.save(at(f"npy-{name}", "a.npy"), cube.astype(dtype))
    save_file({"acts": cube.astype(dtype), "token_ids": ids, "mask": ids > 3}, at(f"safetensors-{name}", "a.safetensors"))
    cube.astype(dtype).tofile(at(f"raw-{name}", "a.bin"))


def save(name, dataset, **options):
    folder = at(name, "x")[:-2]
    shutil.rmtree(folder, ignore_errors=True)
    dataset.save_to_disk(folder, **options)


hook = "blocks.3.hook_resid_post"
for dtype in ("float16", "float32", "float64"):
    features = Features({"token_ids": Sequence(Value("int32")), hook: Array2D(shape=(8, width), dtype=dtype)})
    save(f"datasets-{dtype}", Dataset.from_dict({"token_ids": ids, hook: list(cube.astype(dtype))}, features=features),
         num_shards=2)
vectors = Features({"text": Value("string"), "acts": Sequence(Value("float32"))})
per_row = Dataset.from_dict({"text": ["a"] * rows, "acts": list(x)}, features=vectors)
save("datasets-rows", per_row)
fixed = Features({"acts": Sequence(Value("float32"), length=width), "n": Value("int64")})
save("datasets-fixed", Dataset.from_dict({"acts": list(x), "n": list(range(rows))}, features=fixed))
ragged = Features({"acts": Sequence(Sequence(Value("float16")))})
parts = [x[:3], x[3:20], x[20:20], x[20:]]
save("datasets-ragged", Dataset.from_dict({"acts": [p.astype("<f2") for p in parts]}, features=ragged))
save("datasets-dict", DatasetDict({"train": per_row, "test": per_row.select(range(4))}))

# Arrow itself: a file with a footer, several record batches, lists of 64-bit offsets, nulls and compression.
lists = pa.array([r.tolist() for r in x], pa.large_list(pa.float32()))
other = [pa.array(["abc"] * rows, pa.string()), pa.array([None] * rows, pa.null()),
         pa.array([{"a": 1, "b": [1, 2]}] * rows), pa.array(["u", "v"] * (rows // 2)).dictionary_encode(),
         pa.array(["a long text of a view"] * rows, pa.string_view()), pa.array([True, False] * (rows // 2))]
table = pa.table([*other, lists], names=["s", "null", "struct", "dictionary", "view", "bool", "acts"])
with pa.ipc.new_file(at("arrow-file", "a.arrow"), table.schema) as f:
    f.write_table(table, max_chunksize=7)
with pa.ipc.new_stream(at("arrow-stream", "a.arrow"), table.schema) as f:
    f.write_table(table.slice(0, 11))
    f.write_table(table.slice(11, 0))
    f.write_table(table.slice(11))


def refused(name, column, **options):
    one = pa.table({"acts": column})
    with pa.ipc.new_stream(at("refused-" + name, "a.arrow"), one.schema, options=pa.ipc.IpcWriteOptions(**options)) as f:
        f.write_table(one)


plain = [r.tolist() for r in x]
refused("compressed", pa.array(plain, pa.list_(pa.float32())), compression="zstd")
refused("null-row", pa.array([None, *plain], pa.list_(pa.float32())))
refused("null-number", pa.array([[None, *plain[0][1:]], *plain[1:]], pa.list_(pa.float32())))
refused("ragged", pa.array([plain[0][1:], *plain[1:]], pa.list_(pa.float32())))
refused("integers", pa.array([[int(v) for v in r] for r in plain], pa.list_(pa.int32())))


def parquet(name, column, **options):
    table = pa.table({"acts": column, "n": list(range(len(column))), "ids": [[1, 2]] * len(column)})
    pq.write_table(table, at("parquet-" + name, "a.parquet"), **options)


parquet("f32", pa.array(plain, pa.list_(pa.float32())), row_group_size=16)
parquet("f16", pa.array(list(x.astype("<f2")), pa.list_(pa.float16())), compression="zstd")
parquet("f64", pa.array(plain, pa.list_(pa.float64(), width)), compression="none", data_page_version="2.0")
parquet("nested", pa.array([p.tolist() for p in parts if len(p)], pa.list_(pa.list_(pa.float32()))))
parquet("plain", pa.array(plain, pa.list_(pa.float32())), use_dictionary=False, data_page_size=64)
parquet("null", pa.array([None, *plain], pa.list_(pa.float32())))
parquet("nulls", pa.array([None] * 20 + plain[:20], pa.list_(pa.float32())), row_group_size=20, data_page_version="2.0")
parquet("ragged", pa.array([plain[0][1:], *plain[1:]], pa.list_(pa.float32())))
for codec in ("gzip", "brotli", "lz4"):
    parquet(codec, pa.array(plain, pa.list_(pa.float32())), compression=codec)
parquet("split", pa.array(plain, pa.list_(pa.float32())), use_dictionary=False, use_byte_stream_split=True)
parquet("checked", pa.array(plain, pa.large_list(pa.float32())), compression="zstd", data_page_version="2.0",
        write_page_checksum=True)

# Row groups without rows, first and last.
empty = pa.table({"acts": pa.array(plain, pa.list_(pa.float32()))})
for name, options in {"empty": {}, "empty2": {"data_page_version": "2.0", "compression": "none"}}.items():
    with pq.ParquetWriter(at("parquet-" + name, "a.parquet"), empty.schema, **options) as w:
        for part in (empty[:0], empty[:25], empty[:0], empty[25:], empty[:0]):
            w.write_table(part)
with pq.ParquetWriter(at("refused-no-rows", "a.parquet"), empty.schema) as w:
    w.write_table(empty[:0])

# Two columns that could be the rows, of which one has null rows.
two = pa.table({"l3": pa.array(plain, pa.list_(pa.float32())),
                "l5": pa.array([None, *plain[1:]], pa.list_(pa.float32()))})
pq.write_table(two, at("refused-two", "a.parquet"))
