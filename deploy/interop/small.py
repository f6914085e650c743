"""Writes trainer/models/testdata/packages: small models that each package trained and saved, and what it computes.

    python small.py FOLDER

One folder a case of saves.py: what the package wrote, and expected.json with rows, latents and reconstructions, which
the package itself computed in float64 from the weights that it had saved. packages_test.go reads each, and computes the
same. Everything is drawn from fixed seeds; other versions of the packages may give other weights.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path

from saves import CASES, Setting, slug

import numpy as np
import torch

KEPT = {"ae.pt", "config.json", "cfg.json", "sae.safetensors", "sae_weights.safetensors"}  # and ae_STEP.pt
PACKAGES = ["torch", "dictionary-learning", "sae-lens", "eai-sparsify"]


def rows(n: int, d: int, seed: int) -> np.ndarray:
    """Sparse sums of 24 directions, so that there is something to train on."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(size=(24, d))
    some = random.random((n, 24)) < 0.15
    return (some * random.exponential(size=(n, 24)) @ directions + 0.5).astype(np.float32)


def main(out: Path) -> None:
    torch.set_num_threads(1)
    shutil.rmtree(out, ignore_errors=True)
    setting = Setting(rows(2000, 8, 1), dict_size=32, k=4, steps=12, lr=1e-2)
    held_out = rows(8, 8, 2)
    for name, save in CASES.items():
        folder = out / slug(name)
        saved = save(folder, setting)
        latents, x_hat = saved.model(torch.float64)(held_out)
        expected = {
            "case": name,
            "packages": {p: importlib.metadata.version(p) for p in PACKAGES},
            "path": str(saved.path.relative_to(folder)),
            "unit_norms": saved.unit,
            "k": setting.k,
            "rows": held_out.tolist(),
            "latents": latents.tolist(),
            "reconstructions": x_hat.tolist(),
        }
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")
        for file in folder.rglob("*"):
            if file.is_file() and file.name not in KEPT | {"expected.json"} and not file.name.startswith("ae_"):
                file.unlink()
        print(f"{name}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
