"""Records runs of dictionary_learning's TopKTrainer in float64, and has `recipe: upstream` train the same.

Both begin from the same weights and train on the same 200 batches of real activations, in the same order. Latents die
on the way. At every step the losses must agree to 1e-5 relative, and the numbers of dead latents must be equal.

The package runs as it is. Only its numbers are made float64 (model, batches), its dead_feature_threshold is set, which
has no argument, and its logging stays off: it calls the loss once more, which counts the batch twice
(docs/training.md). TestParity in this folder trains the same with packages trainer/plain (float64) and trainer/cpu
(float32), and leaves its losses in FOLDER/NAME.<backend>.json.

    python parity.py FOLDER        # records into FOLDER, runs the test, compares; exit status 1 if something differs

The records have the format of trainer/backendtest/testdata/goldens, so SWEEP_GOLDENS=FOLDER compares the CUDA backend
with them too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from dictionary_learning.trainers.top_k import TopKTrainer

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "trainer/data/testdata/minilm-l3/activations-00000.safetensors"
STEPS = 200
TOLERANCE = 1e-5

# What the runs have in common: 128 rows of 384 numbers a step, 1,024 latents.
COMMON = dict(recipe="upstream", activation_dim=384, dict_size=1024, batch_size=128, steps=STEPS, threshold_beta=0.99)

# decay_start == steps means none. Latents are dead after some tens of steps without a place in a top k.
RUNS = {
    "no_decay": dict(k=8, lr=1e-3, warmup_steps=20, decay_start=STEPS, auxk_alpha=1 / 32,
                     dead_feature_threshold=4000, threshold_start_step=50, scale=True),
    "decay": dict(k=32, lr=2e-3, warmup_steps=10, decay_start=120, auxk_alpha=1 / 32,
                  dead_feature_threshold=2500, threshold_start_step=20, scale=True),
    "as_stored": dict(k=16, lr=1e-3, warmup_steps=100, decay_start=150, auxk_alpha=1 / 8,
                      dead_feature_threshold=4000, threshold_start_step=100, scale=False),
    "no_auxk": dict(k=8, lr=1e-3, warmup_steps=20, decay_start=STEPS, auxk_alpha=0.0,
                    dead_feature_threshold=4000, threshold_start_step=50, scale=True),
}


def batches(seed: int, scale: bool) -> np.ndarray:
    """200 batches of real rows [steps, B, D] in float32: epoch after epoch, each in an order of its own."""
    rows = load_file(ROWS)["activations"].astype(np.float32)
    if scale:  # as `normalize: mean_square` does it: unit mean squared norm
        rows /= np.float32(np.sqrt((rows.astype(np.float64) ** 2).sum(1).mean()))
    order, random = [], np.random.default_rng(seed)
    while len(order) < STEPS * COMMON["batch_size"]:
        order.extend(random.permutation(len(rows)))
    picked = rows[order[: STEPS * COMMON["batch_size"]]]
    return picked.reshape(STEPS, COMMON["batch_size"], -1)


def record(folder: Path, name: str, seed: int, dtype: torch.dtype) -> dict[str, list[float]]:
    """Trains the package's model in dtype; writes its start and batches; returns a value a step."""
    run = dict(RUNS[name])
    x = batches(seed, run.pop("scale"))
    config = {**COMMON, **run}
    torch.set_default_dtype(torch.float32)
    trainer = TopKTrainer(
        steps=STEPS, activation_dim=384, dict_size=config["dict_size"], k=config["k"], layer=3, lm_name="all-MiniLM-L6-v2",
        lr=config["lr"], auxk_alpha=config["auxk_alpha"], warmup_steps=config["warmup_steps"],
        decay_start=None if config["decay_start"] == STEPS else config["decay_start"],
        threshold_beta=config["threshold_beta"], threshold_start_step=config["threshold_start_step"], seed=seed,
        device="cpu",
    )
    trainer.dead_feature_threshold = config["dead_feature_threshold"]
    start = {f"init.{k}": v.detach().numpy().copy() for k, v in trainer.ae.state_dict().items() if k not in ("k", "threshold")}
    trainer.ae.to(dtype)  # in place: the optimizer keeps its parameters
    trainer.ae.threshold = trainer.ae.threshold.to(torch.float32)
    out: dict[str, list[float]] = {"loss": [], "dead_features": [], "lr": [], "threshold": []}
    for step in range(STEPS):
        out["lr"].append(trainer.optimizer.param_groups[0]["lr"])
        out["loss"].append(trainer.update(step, torch.from_numpy(x[step]).to(dtype)))
        dead = trainer.num_tokens_since_fired >= trainer.dead_feature_threshold
        out["dead_features"].append(int(dead.sum()))
        out["threshold"].append(float(trainer.ae.threshold))
    config["k_aux"] = trainer.top_k_aux
    if dtype == torch.float64:
        save_file({"x": x, **start}, folder / f"{name}.safetensors")
        (folder / f"{name}.json").write_text(json.dumps({"config": config, "f64": out}))
    return out


def differences(got: dict, want: dict) -> tuple[float, int, int | None]:
    """The largest relative difference of the losses, its step, and the first step with another number of dead."""
    a, b = np.array(got["loss"]), np.array(want["loss"])
    relative = np.abs(a - b) / np.abs(b)
    relative[~np.isfinite(relative)] = np.inf
    other = [s for s, (m, n) in enumerate(zip(got["dead_features"], want["dead_features"], strict=True)) if m != n]
    return float(relative.max()), int(relative.argmax()), other[0] if other else None


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    single = {}
    for i, name in enumerate(RUNS):
        record(folder, name, i, torch.float64)
        single[name] = record(folder, name, i, torch.float32)
    env = {**os.environ, "SWEEP_PARITY": str(folder.resolve()), "CGO_ENABLED": "0"}
    test = ["go", "test", "-count=1", "-timeout", "60m", "-run", "^TestParity$", "./deploy/interop"]
    failed = subprocess.run(test, cwd=ROOT, env=env).returncode != 0
    print(f"{'run':10} {'trained by':28} {'largest difference':>18} {'at step':>7}  dead latents")
    for name in RUNS:
        want = json.loads((folder / f"{name}.json").read_text())["f64"]
        deaths = f"{want['dead_features'][-1]} at the end, {max(want['dead_features'])} at most"
        for who in ("plain", "cpu"):
            got = json.loads((folder / f"{name}.{who}.json").read_text())
            largest, at, other = differences(got, want)
            ok = largest <= TOLERANCE and other is None and max(want["dead_features"]) > 0
            failed |= not ok
            equal = f"equal at every step; {deaths}" if other is None else f"other ones from step {other} on"
            print(f"{name:10} {'trainer/' + who:28} {largest:18.2g} {at:7}  {equal}  {'ok' if ok else 'MISS'}")
        largest, at, other = differences(single[name], want)
        equal = "equal at every step" if other is None else f"other ones from step {other} on"
        print(f"{name:10} {'the package in float32':28} {largest:18.2g} {at:7}  {equal}")
    return int(failed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) != 2:
        sys.exit("usage: python parity.py FOLDER")
    sys.exit(main(Path(sys.argv[1])))
