"""The program, as a person runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
SHARDS = ROOT / "trainer/data/testdata/minilm-l3"
HELD_OUT = 500

RECIPES = ["corrected", "reference", "upstream"]
NORMALIZE = ["none", "mean_square"]

# Small, and with deaths: latents die after 2,000 tokens without firing. The rows of this layer have norms of about 8,
# so the rate for them as they are stored is larger.
GRID = """name: {name}
data:
  source: {data}/train
  eval_source: {data}/held-out
  normalize: {normalize}
parameters:
  recipe: [corrected, reference, upstream]
train:
  k: 16
  dict_size: 512
  steps: 250
  batch_size: 128
  lr: {lr}
  dead_feature_threshold: 2000
  threshold_start_step: 100
  decay_start: {decay}
run: {{max_concurrent: 1}}
"""

INIT = """name: {name}
data: {{source: {data}/train, eval_source: {data}/held-out, normalize: {normalize}}}
train: {{init: {init}, {more}k: 16, steps: {steps}, batch_size: {batch}, lr: 2e-4, auxk_alpha: 0, decay_start: none}}
"""


@dataclass
class Trained:
    left: Path  # as the run left it in the store: three formats
    exported: Path  # by sweep export --to all: the reference's format too


class Program:
    """A program, its state and its data in one folder."""

    def __init__(self, binary: str, work: Path):
        self.binary, self.work, self.data = binary, work, work / "data"
        shutil.rmtree(work, ignore_errors=True)
        self.train, self.held_out = self._split()

    def __call__(self, *args: str | Path) -> str:
        command = [self.binary, *map(str, args)]
        done = subprocess.run(command, cwd=self.work, capture_output=True, text=True, env=os.environ)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def run(self, name: str, text: str) -> None:
        grid = self.work / f"{name}.yaml"
        grid.write_text(text)
        self("run", grid, "--dir", self.work / "state", "--no-ui", "--no-report")

    def trained(self) -> dict[str, Trained]:
        """Trains a model of each recipe on each kind of rows, and exports it in all formats."""
        out = {}
        for normalize in NORMALIZE:
            name = normalize.replace("_", "-")
            lr, decay = ("0.003", "0.8") if normalize == "none" else ("0.002", "none")
            self.run(name, GRID.format(name=name, data=self.data, normalize=normalize, lr=lr, decay=decay))
            self("export", name, "--dir", self.work / "state", "--to", "all", "--name", name + "/{recipe}",
                 "--out", self.work / "exports")
            for recipe in RECIPES:
                exported = self.work / "exports" / name / recipe
                out[f"{recipe}, normalize {normalize}"] = Trained(self._left(name, recipe), exported)
        return out

    def _left(self, sweep: str, recipe: str) -> Path:
        """The folder that a run has left in the store."""
        rows = json.loads(self("results", sweep, "--dir", self.work / "state", "-o", "json"))
        cell = next(r["cell"] for r in rows if r["recipe"] == recipe)
        return self.work / "state/store/models" / cell

    def evaluate(self, folder: Path, data: Path | None = None) -> dict[str, float]:
        """The metrics of a model on the held-out rows."""
        (row,) = json.loads(self("eval", folder, "--data", data or self.data / "held-out", "-o", "json"))
        return row

    def losses(self, name: str) -> dict[int, float]:
        """The losses of a sweep of one run, by step, in units of the rows as they are trained on."""
        rows = json.loads(self("curves", name, "--dir", self.work / "state", "-o", "json"))
        return {r["step"]: r["l2_loss"] for r in rows if r["l2_loss"] is not None}

    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        with safe_open(SHARDS / "activations-00000.safetensors", framework="np") as f:
            rows = f.get_tensor("activations")
        rows = rows[np.random.default_rng(0).permutation(len(rows))]
        parts = {"train": rows[HELD_OUT:], "held-out": rows[:HELD_OUT]}
        for part, values in parts.items():
            folder = self.data / part
            folder.mkdir(parents=True)
            save_file({"activations": np.ascontiguousarray(values)}, folder / "activations-00000.safetensors")
            shutil.copy(SHARDS / "harvest.json", folder)
        return parts["train"].astype(np.float32), parts["held-out"].astype(np.float32)
