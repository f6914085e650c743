"""Holds the program to the packages: each opens what it writes, and it opens what each of them saves.

    python check.py BINARY WORK [--record docs/interop.md]

`make interop` calls it. Every check is a line with its figure and its tolerance; the exit status is 1 if one fails, or
was to be made and was not. --record writes the lines between the markers of that document.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import logging
import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools import LOADERS, Tool, dense, saebench_of_dictionary_learning  # first: it sets what packages read

import numpy as np
import torch
from dictionary_learning.utils import load_dictionary
from sae_lens import SAE
from sparsify import SparseCoder

import metrics
import parity
from forward import Model, Output, apart, outputs_apart
from program import INIT, NORMALIZE, RECIPES, ROOT, Program, Trained
from report import Report
from saves import CASES, Saved, Setting, slug

TOLERANCE = 1e-5  # of every figure but those of first losses
SAEBENCH = "SAEBench load_dictionary_learning_topk_sae"
REFERENCE = "dictionary_learning 475fece from_pretrained(path, k)"
PACKAGES = [
    "torch", "dictionary-learning", "sae-lens", "eai-sparsify", "sae-bench", "transformer-lens", "safetensors", "numpy",
]


def difference(got: dict[str, float], want: dict[str, float]) -> float:
    """The largest relative difference of the figures that want has."""
    off = [abs(got[name] - v) / abs(v) if v else abs(got[name]) for name, v in want.items()]
    return max(off) if off and all(math.isfinite(v) for v in off) else math.nan


def readme(folder: Path) -> Tool:
    """The forward pass of the folder's README.md: its first block of Python, run in that folder."""
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S).group(1)

    def run(x: np.ndarray) -> Output:
        scope = {"x": torch.from_numpy(x)}
        here = Path.cwd()
        os.chdir(folder)
        try:
            exec(code, scope)  # noqa: S102: our own document
        finally:
            os.chdir(here)
        return scope["acts"].numpy(), scope["x_hat"].numpy()

    return run


def opens(report: Report, program: Program, models: dict[str, Trained]) -> None:
    """Each tool loads each folder and computes what the float64 pass over sae.safetensors computes."""
    for name, trained in models.items():
        folder = trained.exported
        model = Model.read(folder)
        x = program.held_out[model.clear(program.held_out)]
        want = model(x)
        left_out = len(program.held_out) - len(x)
        note = f"; {left_out} left out, whose top k float32 cannot tell" if left_out else ""
        report.section(f"Opens a model of recipe {name}", f"{len(x)} held-out rows{note}")

        def held(load: Callable[[Path], Tool]) -> Callable[[], float]:
            return lambda: outputs_apart(load(folder)(x), want)

        report.expect(len(LOADERS) + 8)
        for loader, load in LOADERS.items():
            report.check(loader, held(load), TOLERANCE)
        as_it_is = [load for loader, load in LOADERS.items() if loader != REFERENCE]
        report.check(
            f"the run's own folder, by {len(as_it_is)} of these loaders",
            lambda: max(outputs_apart(load(trained.left)(x), want) for load in as_it_is), TOLERANCE,
        )
        report.check("README.md, five lines of torch", held(readme), TOLERANCE)
        if name.startswith("upstream"):
            by_value = model(x, use_threshold=True)
            dictionary = load_dictionary(str(folder), "cpu")[0]
            report.expect(2)
            report.check(
                "dictionary_learning encode(use_threshold=True)",
                lambda: apart(dense(dictionary, use_threshold=True)(x)[0], by_value[0]), TOLERANCE,
            )
            report.check(
                "SAEBench with use_threshold",
                lambda: outputs_apart(dense(saebench_of_dictionary_learning(folder, True))(x), by_value), TOLERANCE,
            )

        def places() -> str:
            metadata = SAE.load_from_disk(trained.left).cfg.metadata
            found = [metadata.model_name, metadata.hook_name, metadata.context_size]
            config = json.loads((trained.left / "config.json").read_text())
            found += [config["trainer"]["lm_name"], config["trainer"]["layer"], config["buffer"]["ctx_len"]]
            # TransformerLens' name for what a block of a BERT puts out, behind its last layer norm.
            hook = "blocks.3.hook_normalized_resid_post"
            assert found == ["all-MiniLM-L6-v2", hook, 128, "all-MiniLM-L6-v2", 3, 128], found
            return f"{found[0]}, {found[1]}, context of {found[2]}, layer {found[4]}"

        report.holds("names of model and place, from harvest.json", places)
        ours, rows = {}, program.held_out

        def evaluated() -> float:
            ours.update(program.evaluate(folder))
            return difference(ours, metrics.by_definition(rows, model(rows)))

        report.check("sweep eval: 11 metrics, against the float64 pass", evaluated, TOLERANCE)
        report.check(
            "sweep eval: the metrics of result.json",
            lambda: difference(ours, result_metrics(folder, bool(name.endswith("none")))), TOLERANCE,
        )
        report.check(
            "dictionary_learning evaluate(): 7 metrics",
            lambda: difference(ours, metrics.of_dictionary_learning(load_dictionary(str(folder), "cpu")[0], rows)),
            TOLERANCE,
        )
        report.check(
            "sparsify: fvu",
            lambda: difference(ours, metrics.of_sparsify(SparseCoder.load_from_disk(folder), rows)), TOLERANCE,
        )
        report.check(
            "SAELens: mse_loss, our l2_loss",
            lambda: difference(ours, metrics.of_saelens(SAE.load_from_disk(folder), rows)), TOLERANCE,
        )


def result_metrics(folder: Path, as_stored: bool) -> dict[str, float]:
    """Metrics of the run's result that do not depend on the unit of rows; with rows as stored, all that eval has."""
    found = json.loads((folder / "result.json").read_text())["metrics"]
    names = ["nmse", "fvu", "explained_variance", "cosine", "l2_ratio", "relative_reconstruction_bias", "l0"]
    names += ["alive_fraction", "frac_variance_explained", "eval_tokens"] + (["l2_loss", "l1"] if as_stored else [])
    return {name: found[name] for name in names}


def saves(report: Report, program: Program) -> dict[str, tuple[Saved, Path]]:
    """The program imports what each package saved, computes what the package computes, and measures the same."""
    setting = Setting(program.train, dict_size=512, k=16, steps=60, lr=2e-3, batch=128)
    imported = {}
    for case, save in CASES.items():
        report.section(f"Saved by {case}")
        report.expect(4)
        folder = program.work / "saved" / slug(case)
        saved: list[Saved] = []
        into = program.work / "imported" / slug(case)

        def read() -> str:
            saved.append(save(folder, setting))
            program("import", saved[0].path, "--out", into, "--to", "all")
            model = Model.read(into)
            norms = np.linalg.norm(model.W_dec, axis=1)
            assert (np.abs(norms - 1).max() <= 1e-5) == saved[0].unit, f"norms of {norms.min()} to {norms.max()}"
            assert model.k == setting.k and model.W_dec.shape == (setting.dict_size, program.train.shape[1])
            imported[case] = (saved[0], into)
            return f"norms of decoder rows {norms.min():.4f} to {norms.max():.4f}"

        report.holds("sweep import", read)
        if not saved or case not in imported:
            continue
        model = Model.read(into)
        x = program.held_out[model.clear(program.held_out)]
        report.check(
            "latents and reconstructions, against the package",
            lambda: outputs_apart(saved[0].model(torch.float32)(x), model(x)), TOLERANCE,
        )
        report.check(
            "sweep eval of what was saved: 11 metrics of its output",
            lambda: difference(
                program.evaluate(saved[0].path),
                metrics.by_definition(program.held_out, saved[0].model(torch.float64)(program.held_out)),
            ),
            TOLERANCE,
        )
        loaders = {name: load for name, load in LOADERS.items() if name != SAEBENCH or saved[0].unit}

        def again() -> float:
            copy = named(into)
            return max(outputs_apart(load(copy)(x), model(x)) for load in loaders.values())

        report.check(f"what sweep import wrote, by {len(loaders)} loaders", again, TOLERANCE)
    return imported


def named(folder: Path) -> Path:
    """A copy of a folder with names in config.json where the model has none: two loaders ask for them."""
    copy = folder.parent / (folder.name + ", named")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    for key, value in (("lm_name", "all-MiniLM-L6-v2"), ("layer", 3)):
        if config["trainer"].get(key) is None:
            config["trainer"][key] = value
    if (config.get("buffer") or {}).get("ctx_len") is None:
        config["buffer"] = {"ctx_len": 128}
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def trains_on(
    report: Report, program: Program, imported: dict[str, tuple[Saved, Path]], models: dict[str, Trained]
) -> None:
    """`init: PATH` begins from a model: the loss of its first step is the model's, and then it falls."""
    report.section(
        "Trains on: init: PATH", "the loss of the first step, whose batch is all training rows, against the model's own"
    )
    starts = {case: (saved.path, into, saved.unit) for case, (saved, into) in imported.items()}
    starts.update({f"our own, {name}": (t.left, t.exported, True) for name, t in models.items()})
    report.expect(len(starts) + 1)
    for i, (case, (path, into, unit)) in enumerate(starts.items()):
        normalize = NORMALIZE[i % 2]

        def first() -> float:
            name = f"init-{i}"
            more = "" if unit else "normalize_init: true, "
            rows = program.train
            text = INIT.format(
                name=name, data=program.data, normalize=normalize, init=json.dumps(str(path)), more=more, steps=10,
                batch=len(rows),
            )
            program.run(name, text)
            model = Model.read(into)
            if not unit:
                norms = np.linalg.norm(model.W_dec, axis=1)
                model.W_enc, model.b_enc = model.W_enc * norms[:, None], model.b_enc * norms
                model.W_dec = model.W_dec / norms[:, None]
            want = metrics.by_definition(rows, model(rows))["l2_loss"]
            if normalize == "mean_square":
                want /= (rows.astype(np.float64) ** 2).sum(1).mean()
            losses = program.losses(name)
            assert losses[9] < losses[0], f"the loss does not fall: {losses}"
            return abs(losses[0] - want) / want

        report.check(case, first, TOLERANCE, f"relative, normalize {normalize}")

    def refused() -> str:
        path = next(saved.path for case, (saved, _) in imported.items() if not saved.unit)
        text = INIT.format(name="refused", data=program.data, normalize="none", init=json.dumps(str(path)), more="",
                           steps=10, batch=len(program.train))
        try:
            program.run("refused", text)
        except RuntimeError as error:
            assert "exit status 2" in str(error) and "normalize_init" in str(error), error
            return "refused, and normalize_init named"
        raise AssertionError("it was trained on without normalize_init")

    report.holds("rows of other norms, without normalize_init", refused)


def bytes_of(report: Report, work: Path) -> None:
    """The packages load the small files whose bytes TestLoadedBytes compares; loaded.json is their list."""
    folder = work / "bytes"
    env = {**os.environ, "SWEEP_INTEROP_FILES": str(folder), "CGO_ENABLED": "0"}
    test = ["go", "test", "-count=1", "-run", "^TestLoadedBytes$", "./deploy/interop"]
    made = subprocess.run(test, cwd=ROOT, env=env, capture_output=True, text=True)
    report.section("Small files, whose bytes CI compares with those that the packages have loaded here (two models)")
    report.expect(1)
    report.holds("written", lambda: "yes" if folder.is_dir() else (_ for _ in ()).throw(AssertionError(made.stdout)))
    x = np.random.default_rng(5).normal(size=(64, 8)).astype(np.float32)
    hashes = {}
    for sub in sorted(folder.iterdir()):
        model = Model.read(sub)
        rows = x[model.clear(x)]
        loaders = {n: f for n, f in LOADERS.items() if n != SAEBENCH or "unit" in sub.name}
        report.expect(len(loaders) + 1)
        report.section(f"  a model with {sub.name}")
        for name, load in loaders.items():
            at = sub if ", with names" in sub.name else named(sub)
            report.check(name, lambda: outputs_apart(load(at)(rows), model(rows)), TOLERANCE)
        report.check("README.md", lambda: outputs_apart(readme(sub)(rows), model(rows)), TOLERANCE)
        for file in sorted(sub.rglob("*")):
            if file.is_file():
                hashes[str(file.relative_to(folder))] = hashlib.sha256(file.read_bytes()).hexdigest()
    if not report.failed:
        (ROOT / "deploy/interop/loaded.json").write_text(json.dumps(hashes, indent=2) + "\n")


def record(document: Path, lines: list[str]) -> None:
    """Puts the lines between the markers of a document."""
    text = document.read_text()
    begin, end = "<!-- begin: make interop -->\n", "<!-- end: make interop -->"
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    body = "\n".join(line.rstrip() for line in lines)
    document.write_text(f"{head}{begin}\n```text\n{body}\n```\n\n{end}{tail}")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("work", type=Path)
    arguments.add_argument("--record", type=Path)
    arguments.add_argument("--only", default="opens,saves,bytes,parity", help="parts, for a quick look")
    a = arguments.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("simple_parsing").setLevel(logging.ERROR)  # the keys of cfg.json that sparsify passes over
    os.environ.update(WANDB_MODE="disabled", TQDM_DISABLE="1")
    report = Report()
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in PACKAGES)
    report._print(f"{datetime.date.today()}, Python {platform.python_version()}, {platform.machine()}")
    report._print(versions)
    only = a.only.split(",")
    program = Program(a.binary, a.work.resolve())
    if "opens" in only or "saves" in only:
        models = program.trained()
        assert len(models) == len(RECIPES) * len(NORMALIZE)
        if "opens" in only:
            opens(report, program, models)
        if "saves" in only:
            trains_on(report, program, saves(report, program), models)
    if "bytes" in only:
        bytes_of(report, a.work.resolve())
    if "parity" in only:
        report.section("Parity: TopKTrainer in float64, and recipe upstream, 200 batches of 128 real rows")
        parity.compare(report, a.work.resolve() / "parity")
    passed = report.close()
    if a.record and passed:
        record(a.record, report.lines)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
