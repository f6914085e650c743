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
        model: a folder with a model, or the file of the weights in it; or a run in the store, by the column `run` of
            `results`. A path that exists goes first. Also a cell, or the beginning of its ID, together with sweep.
        sweep: the name or the ID of the sweep that has the cell.
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
    path = Path(os.path.expanduser(os.fspath(model)))
    if sweep is None and path.exists():
        sae = read_folder(path)
    else:
        sae = read_folder(path)
    return sae.to(device) if device is not None else sae
