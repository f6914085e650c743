"""What the tools measure of a model, by their own code, under the names of this program's metrics."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import torch
from dictionary_learning.evaluation import evaluate
from sae_lens.saes.sae import TrainStepInput
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sparsify import SparseCoder

from forward import Output


@torch.no_grad()
def of_dictionary_learning(model, x: np.ndarray) -> dict[str, float]:
    """evaluate() on all rows as one batch. Its l2_loss, the mean of norms that are not squared, has no name here."""
    rows = torch.from_numpy(x)
    with contextlib.redirect_stdout(io.StringIO()):
        out = evaluate(model, iter([rows]), n_batches=1, device="cpu")
    return {
        "frac_variance_explained": out["frac_variance_explained"],
        "l0": out["l0"],
        "l1": out["l1_loss"],
        "cosine": out["cossim"],
        "l2_ratio": out["l2_ratio"],
        "relative_reconstruction_bias": out["relative_reconstruction_bias"],
        "alive_fraction": out["frac_alive"],
    }


@torch.no_grad()
def of_sparsify(model: SparseCoder, x: np.ndarray) -> dict[str, float]:
    return {"fvu": float(model(torch.from_numpy(x)).fvu)}


@torch.no_grad()
def of_saelens(sae, x: np.ndarray) -> dict[str, float]:
    """mse_loss of a training step: the sum over dimensions, averaged over rows."""
    if not isinstance(sae, TopKTrainingSAE):
        cfg = sae.cfg
        training = TopKTrainingSAE(
            TopKTrainingSAEConfig(
                d_in=cfg.d_in, d_sae=cfg.d_sae, k=cfg.k, apply_b_dec_to_input=cfg.apply_b_dec_to_input,
                rescale_acts_by_decoder_norm=cfg.rescale_acts_by_decoder_norm,
            )
        )
        training.load_state_dict(sae.state_dict())
        sae = training
    step = TrainStepInput(
        sae_in=torch.from_numpy(x), coefficients={}, dead_neuron_mask=None, n_training_steps=0, is_logging_step=False
    )
    return {"l2_loss": float(sae.training_forward_pass(step).losses["mse_loss"])}


def by_definition(x: np.ndarray, output: Output) -> dict[str, float]:
    """The definitions of docs/results.md, in float64, of what a tool put out: latents [n, F] and x̂ [n, D]."""
    x, latents, y = (v.astype(np.float64) for v in (x, *output))
    e2, around = ((x - y) ** 2).sum(), ((x - x.mean(0)) ** 2).sum()
    norms, y_norms = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    return {
        "l2_loss": e2 / len(x),
        "nmse": e2 / around,
        "fvu": e2 / around,
        "explained_variance": 1 - e2 / around,  # SAELens: 1 − E‖x−x̂‖² ÷ (E‖x‖² − ‖E x‖²)
        "cosine": ((x * y).sum(1) / norms / y_norms).mean(),
        "l2_ratio": (y_norms / norms).mean(),
        "relative_reconstruction_bias": (y**2).sum() / (x * y).sum(),
        "l0": (latents > 0).sum(1).mean(),
        "l1": latents.sum(1).mean(),
        "alive_fraction": (latents > 0).any(0).mean(),
        "frac_variance_explained": 1 - (x - y).var(0).sum() / x.var(0).sum(),
    }
