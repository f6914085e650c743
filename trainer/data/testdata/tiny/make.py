"""Writes the shards of this folder with NumPy and the safetensors library, so
that the readers are tested on files of other people's making. Run: python make.py
"""

import struct

import numpy as np
from safetensors.numpy import save_file


def rows(first, n, dim=4):
    """Row r holds r + 1/4, r + 2/4, ..., all exact in every dtype used here."""
    return np.arange(first, first + n)[:, None] + np.arange(1, dim + 1) / 4.0


save_file({"activations": rows(0, 7).astype("<f4"), "other": np.zeros((2, 2), "<f4")},
          "a.safetensors", {"layer": "3"})
save_file({"x": rows(7, 5).astype("<f2")}, "b.safetensors")
np.save("c.npy", rows(12, 6).astype("<f2"))
with open("d.npy", "wb") as f:
    np.lib.format.write_array(f, rows(18, 3).astype("<f4"), version=(2, 0))
with open("e.npy", "wb") as f:
    np.lib.format.write_array(f, rows(21, 4).astype("<f4"), version=(3, 0))

# NumPy has no bfloat16: the upper halves of float32 numbers, under a header of
# our own.
bits = (rows(25, 5).astype("<f4").view("<u4") >> 16).astype("<u2")
header = b'{"h":{"dtype":"BF16","shape":[5,4],"data_offsets":[0,40]}}'
with open("f.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(header)) + header + bits.tobytes())
