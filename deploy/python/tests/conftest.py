import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import topksweep

GRID = """name: tiny
data:
  synthetic: {activation_dim: 16, directions: 32, tokens: 4000, active: 3}
  normalize: mean_square
  eval_tokens: 400
  lm_name: none-at-all
  layer: 3
parameters:
  k: [2, 4]
  seed: [0, 1]
train: {dict_size: 32, steps: 40, batch_size: 64, lr: 0.003, decay_start: 0.5}
"""


@pytest.fixture(scope="session", autouse=True)
def no_other_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the sweeps of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SWEEP_STORE", "TOPKSWEEP_BINARY"):
            patch.delenv(name, raising=False)
        patch.setenv("SWEEP_DIR", str(tmp_path_factory.mktemp("empty")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small grid of synthetic data."""
    path = tmp_path_factory.mktemp("grid") / "grid.yaml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, grid: Path) -> str:
    """The state directory in which the grid has run."""
    folder = str(tmp_path_factory.mktemp("state"))
    frame = topksweep.run(grid, dir=folder, progress=False)
    assert list(frame["status"]) == ["completed"] * 4
    return folder


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shell script in the place of the program, to be written by the test."""
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n")
    os.chmod(path, 0o755)
    monkeypatch.setenv("TOPKSWEEP_BINARY", str(path))
    return path
