"""Writes the .pt files beside it with torch.save. Recorded with torch 2.15.0 and Python 3.11:

    python make.py

Tensors hold 0, 1, 2, … so that tests can say what they expect. Files below refused/ are those that are not read,
pickles/ has data.pkl of such files (of many.pt its SHA-256).
"""

import hashlib
import pathlib
import sys
import tempfile
import zipfile
from collections import OrderedDict

import torch
from torch import nn

here = pathlib.Path(__file__).parent
(here / "refused").mkdir(exist_ok=True)


def save(name, obj, **options):
    torch.save(obj, here / f"{name}.pt", **options)


def up(*shape, dtype=torch.float32):
    n = 1
    for s in shape:
        n *= s
    return torch.arange(n).reshape(shape).to(dtype)


# What dictionary_learning writes: six tensors.
save(
    "ae",
    {
        "encoder.weight": up(4, 3),
        "encoder.bias": up(4),
        "decoder.weight": up(3, 4),
        "b_dec": up(3),
        "k": torch.tensor(2, dtype=torch.int32),
        "threshold": torch.tensor(-1.0),
    },
)
save("tensor", up(2, 3))
save("states", {"states": up(2, 3, 4, dtype=torch.float16)})  # a shard of activault

nested = {
    "text": "ü",
    "none": None,
    "true": True,
    "false": False,
    "ints": [0, 255, 65535, -1, 2**31 - 1, -(2**31), 2**40, -(2**40), 2**63 - 1, -(2**63)],
    "float": 1.5,
    "list": [1, [2, []], ()],
    "tuple": (1, (2, 3, 4, 5)),
    "set": {7},
    "frozenset": frozenset([8]),
    "dict": {1: "one", "ordered": OrderedDict(a=1)},
    "size": torch.Size([2, 3]),
    "dtype": torch.float32,
    "devices": [torch.device("cpu"), torch.device("cuda", 1)],
    "tensor": up(2),
}
nested["again"] = nested["list"]
save("nested", nested)
for protocol in (3, 4, 5):
    save(f"nested{protocol}", nested, pickle_protocol=protocol)

linear = nn.Linear(3, 2)
with torch.no_grad():
    linear.weight.copy_(up(2, 3))
    linear.bias.copy_(up(2))
save("state_dict", linear.state_dict())

with_attribute = up(2)
with_attribute.note = "left out"
save("parameter", {"p": nn.Parameter(up(3)), "attribute": with_attribute, "buffer": nn.Buffer(up(4))})

base = up(4, 6)
save(
    "views",
    {
        "base": base,
        "transposed": base.T,
        "row": base[2],
        "column": base[:, 1],
        "corner": base[1:3, 2:5],
        "steps": base[::2, ::3],
        "expanded": base[0, :1].expand(3, 4),
        "permuted": base.reshape(2, 2, 6).permute(2, 0, 1),
        "scalar": base[3, 5],
    },
)

names = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool uint16 uint32 uint64"
save("dtypes", {n: up(2, dtype=getattr(torch, n)) for n in names.split()})
save(
    "values",
    {
        "float16": torch.tensor([0, -0.0, 1, -2, 65504, 2**-14, 2**-24, 3 * 2**-24, float("inf"), 1 / 3]).half(),
        "bfloat16": torch.tensor([0, -0.0, 1, -2, 3e38, 1e-40, float("-inf"), 1 / 3]).bfloat16(),
        "float64": torch.tensor([1e300, 1 / 3], dtype=torch.float64),
        "negative": torch.tensor([-1, -128], dtype=torch.int8),
        "large": torch.tensor([2**63], dtype=torch.uint64),
    },
)
save("empty", {"none": torch.zeros(0), "shape": torch.zeros(2, 0, 3), "dict": {}, "list": []})

p = nn.Parameter(up(2))
adam = torch.optim.Adam([p], lr=0.5)
p.grad = torch.ones(2)
adam.step()
save("adam", adam.state_dict())

# Files that are refused.
save("refused/legacy", {"a": up(2)}, _use_new_zipfile_serialization=False)
save("refused/module", linear)
save("refused/bytes", {"a": b"bytes"})
save("refused/complex", up(2).to(torch.complex64))
save("refused/sparse", up(2, 2).to_sparse())
save("refused/quantized", torch.quantize_per_tensor(up(2), 1.0, 0, torch.qint8))
save("refused/negative", torch._neg_view(up(2)))
save("refused/overlapping", up(6).unfold(0, 3, 1))
save("refused/numpy", {"a": up(2).numpy()})
save("refused/meta", torch.zeros(2, device="meta"))
save("refused/tuple_key", {(1, 2): up(2)})
loop = []
loop.append(loop)
save("refused/loop", loop)
torch.jit.save(torch.jit.script(linear), str(here / "refused/script.pt"))

# Pickles alone, to compare with those that are written here.
(here / "pickles").mkdir(exist_ok=True)


def pickle_of(obj):
    with tempfile.TemporaryDirectory() as folder:
        torch.save(obj, f"{folder}/x.pt")
        return zipfile.ZipFile(f"{folder}/x.pt").read("x/data.pkl")


def save_pickle(name, obj):
    (here / "pickles" / f"{name}.pkl").write_bytes(pickle_of(obj))


save_pickle("one", {"one": torch.zeros(300, 70000)})
save_pickle("nothing", {})
save_pickle("zero", {"a": torch.zeros(0), "b": torch.zeros(2, 0, 3)})
save_pickle("all_dtypes", {n: up(2, dtype=getattr(torch, n)) for n in names.split()[:10]})
shapes = [(1, 1, 1, 2), (1, 1, 2), (1, 2), (2,)]
many = pickle_of({f"t{i}": torch.zeros(shapes[i % 4]) for i in range(1201)})
(here / "pickles" / "many.pkl").write_text(hashlib.sha256(many).hexdigest() + "\n")

print(f"torch {torch.__version__}, Python {sys.version.split()[0]}")
