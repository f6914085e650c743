"""Reads the files of a folder that TestPython has written, checks their values, and writes some of pandas' own."""

import json
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]
names = ["cell", "k", "lr", "nmse", "l2_loss^2", "density", "error"]
cells = ["00112233445566778899", "007", "true", "NaN", "[1]"]
ks = [8, 2**63 - 1, -(2**63), None, 0]
lrs = [0.1, 0.10000000000000002, 3e-5, None, -0.5]
nmses = [0.25, 0.5, None, 1.0, 5e-324]
losses = [1e300, -1e-7, None, 0.0, sys.float_info.max]
densities = [[3, 0, -1], [], None, [2**63 - 1], [0]]
errors = [
    None,
    'a,b "c"\nand \'d\'',
    "100% of {x} & $y$ #1 _~^ \\ <b> |p| *s* `q`",
    "x̂ − x … ‖ 日本 é --- [1]",
    "1e5",
]
want = dict(zip(names, [cells, ks, lrs, nmses, losses, densities, errors]))


def same(what, got):
    for name in names:
        assert list(got[name]) == want[name], (what, name, list(got[name]), want[name])


# Parquet, by pyarrow: types, values and what the columns are.
table = pq.read_table(folder + "/awkward.parquet")
assert table.column_names == names, table.column_names
types = [pa.string(), pa.int64(), pa.float64(), pa.float64(), pa.float64(), None, pa.string()]
for field, kind in zip(table.schema, types):
    assert field.nullable, field
    if kind is None:
        assert pa.types.is_list(field.type) and field.type.value_type == pa.int64(), field
    else:
        assert field.type == kind, field
same("pyarrow", table.to_pydict())
about = json.loads(table.schema.metadata[b"sweep.columns"])
assert about[1] == {"name": "k", "unit": "latents", "doc": "kept"}, about
meta = pq.read_metadata(folder + "/awkward.parquet")
assert meta.num_rows == 5 and meta.created_by.startswith("sweep"), meta

# Parquet, CSV and JSON, by pandas.
frame = pd.read_parquet(folder + "/awkward.parquet", dtype_backend="pyarrow")
assert list(frame.columns) == names
for name in ["cell", "k", "lr", "nmse", "l2_loss^2", "error"]:
    got = [None if pd.isna(x) else x for x in frame[name]]
    assert got == want[name], ("read_parquet", name, got)
plain = pd.read_parquet(folder + "/awkward.parquet")
assert plain["nmse"].isna().tolist() == [x is None for x in nmses]

text = pd.read_csv(folder + "/awkward.csv", dtype=str, keep_default_na=False)
assert list(text.columns) == names
assert text["cell"].tolist() == cells
assert [None if x == "" else int(x) for x in text["k"]] == ks
for name in ["lr", "nmse", "l2_loss^2"]:
    assert [None if x == "" else float(x) for x in text[name]] == want[name], name
assert [None if x == "" else json.loads(x) for x in text["density"]] == densities
assert [x or None for x in text["error"]] == errors
numbers = pd.read_csv(folder + "/awkward.csv", float_precision="round_trip")
assert [None if pd.isna(x) else x for x in numbers["lr"]] == lrs
assert numbers["nmse"].dtype == float

same("json", {name: [row[name] for row in json.load(open(folder + "/awkward.json"))] for name in names})
lines = [json.loads(line) for line in open(folder + "/awkward.jsonl", encoding="utf-8")]
same("jsonl", {name: [row[name] for row in lines] for name in names})
assert len(pd.read_json(folder + "/awkward.jsonl", lines=True, dtype=False)) == 5

# What pandas writes.
small = plain.drop(columns=["density", "error"])
small.to_csv(folder + "/pandas.csv", index=False)
small.to_parquet(folder + "/pandas.parquet")
pq.write_table(pa.Table.from_pandas(small), folder + "/zstd.parquet", compression="zstd", data_page_version="2.0")
small.loc[4, "l2_loss^2"] = 1.0  # the largest float64, rounded to 15 digits, is beyond it
small.to_json(folder + "/pandas.json", orient="records")
small.to_json(folder + "/pandas.jsonl", orient="records", lines=True)
