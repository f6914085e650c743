"""Writes the rows that rows-262144.yaml trains on once more for chunks.yaml, in another order: in chunks of 1, 16 and
64 rows that stay together, permuted. A run with shuffle: blocks then has so many more chunks in each of its windows.

    python examples/shuffle/chunks.py

It needs numpy and safetensors, and 600 MB of disk beside the activations.
"""

import glob
import os

import numpy as np
from safetensors.numpy import load_file

acts = os.path.join(os.path.dirname(__file__), "../../activations")
shards = sorted(glob.glob(f"{acts}/minilm/l3_resid_post/activations-0000[0-3]*"))
rows = np.concatenate([load_file(s)["activations"] for s in shards])
random = np.random.default_rng(1)
for size in (1, 16, 64):
    chunks = rows.reshape(-1, size, rows.shape[1])
    folder = f"{acts}/minilm-chunks/{size}"
    os.makedirs(folder, exist_ok=True)
    np.save(f"{folder}/rows.npy", chunks[random.permutation(len(chunks))].reshape(rows.shape))
