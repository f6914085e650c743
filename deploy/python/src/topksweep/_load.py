"""Finds a model and loads it."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Union

from ._binary import StrPath, call, places

if TYPE_CHECKING:
    import torch

    from .model import TopKAutoencoder


def load(
    model: StrPath,
    *,
    sweep: str | None = None,
    dir: StrPath | None = None,
    store: StrPath | None = None,
    device: 'Union[str, "torch.device", None]' = None,
) -> "TopKAutoencoder":
    """Return a trained model as a PyTorch module; `topksweep.model.TopKAutoencoder` says what it computes.

    Args:
        model: a folder with a model of this program or of another tool, or the file of the weights in it; or a run in
            the store, by its ID or the beginning of it, as in the columns `run` and `cell` of `results`. A path that
            exists goes first.
        sweep: the name or the ID of the sweep that has the cell `model`, which then is no path.
        dir, store: as for `results`.
        device: where to put the parameters (default: the CPU).

    Raises:
        ImportError: PyTorch or safetensors is not installed.
        SweepError: there is no such run, or its model is missing or damaged.
        FileNotFoundError, ValueError: the folder is that of no such model. The message says why.
    """
    try:
        from .model import read_folder
    except ModuleNotFoundError as error:
        if error.name in ("torch", "safetensors"):
            raise ImportError(f"topksweep.load needs {error.name}: pip install torch safetensors") from error
        raise
    with tempfile.TemporaryDirectory(prefix="topksweep-") as scratch:
        sae = read_folder(_folder(model, sweep, places(dir, store), Path(scratch)))
    return sae.to(device) if device is not None else sae


def _folder(model: StrPath, sweep: str | None, flags: list[str], scratch: Path) -> Path:
    """Return a folder with sae.safetensors and cfg.json: that of a path, or one below scratch that the program writes.

    The program reads what the store has, and the files of other tools with what must be folded into the weights.
    """
    path = Path(os.path.expanduser(os.fspath(model)))
    if sweep is not None:
        return _written(scratch, ["export", *flags, f"--cell={model}", "--to=sparsify"], sweep)
    if path.name == "sae.safetensors" and path.is_file():
        path = path.parent
    if (path / "sae.safetensors").is_file() and (path / "cfg.json").is_file():
        return path
    if path.exists():
        return _written(scratch, ["import", "--to=sparsify"], str(path))
    if not isinstance(model, str) or path.name != model:
        raise FileNotFoundError(f"{path}: there is no such folder")
    return _written(scratch, ["export", *flags, "--to=sparsify"], model)


def _written(scratch: Path, command: list[str], of: str) -> Path:
    """Have the program write one model below scratch, and return its folder."""
    call([*command, f"--out={scratch}", "--", of])
    folders = [file.parent for file in scratch.rglob("sae.safetensors")]
    if len(folders) != 1:
        raise ValueError(f"{of}: {len(folders)} models: want one; give a run, or a sweep together with a cell")
    return folders[0]
