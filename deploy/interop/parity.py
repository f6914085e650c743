"""Records runs of dictionary_learning's TopKTrainer in float64, and has `recipe: upstream` train the same.

Both begin from the same weights and train on the same 200 batches of real activations, in the same order. Latents die
on the way. At every step the losses must agree to 1e-5 relative, and the numbers of dead latents must be equal: those
of trainer/plain, which computes in float64 too, always; those of trainer/cpu, in float32, until two activations at the
edge of a top k are nearer to each other than float32 tells apart (TIE). There a float32 program may keep the other
latent, whoever wrote it, and the package's own float32 is shown beside it.

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

from report import Report

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "trainer/data/testdata/minilm-l3/activations-00000.safetensors"
STEPS = 200
TOLERANCE = 1e-5
TIE = 2e-6  # relative; float32's rounding of a sum of 384 products, and what 200 steps add to it

# What the runs have in common: 128 rows of 384 numbers a step, 1,024 latents.
COMMON = dict(recipe="upstream", activation_dim=384, dict_size=1024, batch_size=128, steps=STEPS, threshold_beta=0.99)

# decay_start == steps means none. Latents are dead after some tens of steps without a place in a top k.
RUNS = {
    "no_decay": dict(k=8, lr=1e-3, warmup_steps=20, decay_start=STEPS, auxk_alpha=1 / 32,
                     dead_feature_threshold=4000, threshold_start_step=50, scale=True),
    "decay": dict(k=32, lr=2e-3, warmup_steps=10, decay_start=120, auxk_alpha=1 / 32,
                  dead_feature_threshold=1000, threshold_start_step=20, scale=True),
    "as_stored": dict(k=16, lr=1e-3, warmup_steps=100, decay_start=150, auxk_alpha=1 / 8,
                      dead_feature_threshold=1500, threshold_start_step=100, scale=False),
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
        steps=STEPS, activation_dim=384, dict_size=config["dict_size"], k=config["k"], layer=3, lm_name="MiniLM",
        lr=config["lr"], auxk_alpha=config["auxk_alpha"], warmup_steps=config["warmup_steps"],
        decay_start=None if config["decay_start"] == STEPS else config["decay_start"],
        threshold_beta=config["threshold_beta"], threshold_start_step=config["threshold_start_step"], seed=seed,
        device="cpu",
    )
    trainer.dead_feature_threshold = config["dead_feature_threshold"]
    weights = {n: v for n, v in trainer.ae.state_dict().items() if n not in ("k", "threshold")}
    start = {f"init.{n}": v.detach().numpy().copy() for n, v in weights.items()}
    trainer.ae.to(dtype)  # in place: the optimizer keeps its parameters
    trainer.ae.threshold = trainer.ae.threshold.to(torch.float32)
    out: dict[str, list[float]] = {"loss": [], "dead_features": [], "lr": [], "threshold": [], "gap": []}
    for step in range(STEPS):
        out["gap"].append(gap(trainer, torch.from_numpy(x[step]).to(dtype)))
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


@torch.no_grad()
def gap(trainer: TopKTrainer, x: torch.Tensor) -> float:
    """The smallest relative distance of the k-th and the next pre-activation of a row: 0 is a tie."""
    values = torch.relu(trainer.ae.encoder(x - trainer.ae.b_dec)).topk(trainer.k + 1, dim=-1).values
    return float(((values[:, -2] - values[:, -1]) / values[:, -2]).min())


class Comparison:
    """Losses and numbers of dead latents of a run, beside those of the package in float64."""

    def __init__(self, got: dict, want: dict):
        relative = np.abs(np.array(got["loss"]) - want["loss"]) / np.abs(want["loss"])
        relative[~np.isfinite(relative)] = np.inf
        dead = np.array(got["dead_features"]) == want["dead_features"]
        misses = np.flatnonzero(~((relative <= TOLERANCE) & dead))
        self.equal = len(misses) == 0
        self.step = int(misses[0]) if len(misses) else len(relative)  # steps that agree
        self.gap = want["gap"][self.step] if len(misses) else None
        self.tie = self.gap is not None and self.gap <= TIE
        self.largest = float(relative[: max(self.step, 1)].max())

    def text(self) -> str:
        if self.equal:
            return "dead latents equal at every step"
        where = f"parts at step {self.step}, where two activations are {self.gap:.1g} apart"
        return where + (": a tie" if self.tie else "")


def describe(name: str) -> str:
    r = RUNS[name]
    decay = "no decay" if r["decay_start"] == STEPS else f"decay from step {r['decay_start']}"
    aux = f"AuxK {r['auxk_alpha']:g}" if r["auxk_alpha"] else "no AuxK"
    rows = "unit mean square" if r["scale"] else "rows as stored"
    return f"k {r['k']}, warm-up {r['warmup_steps']}, {decay}, {aux}, {rows}"


def compare(report: Report, folder: Path) -> None:
    """Records the package, trains the same with TestParity, and reports how far apart they are."""
    folder.mkdir(parents=True, exist_ok=True)
    single = {}
    for i, name in enumerate(RUNS):
        record(folder, name, i, torch.float64)
        single[name] = record(folder, name, i, torch.float32)
    env = {**os.environ, "SWEEP_PARITY": str(folder.resolve()), "CGO_ENABLED": "0"}
    test = ["go", "test", "-count=1", "-timeout", "60m", "-run", "^TestParity$", "./deploy/interop"]
    done = subprocess.run(test, cwd=ROOT, env=env, capture_output=True, text=True)
    report.expect(1 + 3 * len(RUNS))

    def passed() -> str:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return "passes"

    report.holds("go test -run TestParity ./deploy/interop", passed)
    for name in RUNS:
        want = json.loads((folder / f"{name}.json").read_text())["f64"]

        def deaths() -> str:
            most = max(want["dead_features"])
            assert most > 0, "no latent dies"
            beside = Comparison(single[name], want)
            last = want["dead_features"][-1]
            return f"{most} dead at most, {last} at the end; the package in float32: {beside.text()}"

        report.section(f"  {name}: {describe(name)}")
        report.holds("latents die", deaths)
        for who, title in (("plain", "trainer/plain, float64"), ("cpu", "trainer/cpu, float32")):

            def agrees() -> str:
                c = Comparison(json.loads((folder / f"{name}.{who}.json").read_text()), want)
                assert c.equal or (who == "cpu" and c.tie), f"{c.text()}; {c.largest:.1e} before it"
                return f"{c.largest:.1e}, at most {TOLERANCE:.0e} relative in {c.step} steps; {c.text()}"

            report.holds(title, agrees)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) != 2:
        sys.exit("usage: python parity.py FOLDER")
    lines = Report()
    compare(lines, Path(sys.argv[1]))
    sys.exit(0 if lines.close() else 1)
