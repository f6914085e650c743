"""Each package trains a few steps on the rows given, and saves as it does: what `sweep import` is to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import Reference, Tool, dense, sparse  # first: it sets what sparsify reads when it is imported

import numpy as np
import torch
from dictionary_learning.trainers.top_k import AutoEncoderTopK, TopKTrainer
from dictionary_learning.training import trainSAE
from dictionary_learning.utils import load_dictionary
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.sae import SAEMetadata
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer
from sparsify import SparseCoder, SparseCoderConfig, TrainConfig, Trainer
from transformers import PretrainedConfig, PreTrainedModel


@dataclass
class Saved:
    path: Path  # what is imported
    model: Callable[[torch.dtype], Tool]  # the package's own forward pass, in float32 or float64
    unit: bool  # decoder rows are at unit norm once imported


@dataclass
class Setting:
    rows: np.ndarray  # [n, D] float32
    dict_size: int
    k: int
    steps: int
    batch: int = 64
    lr: float = 1e-3


class Batches:
    """Batches of rows in a fixed order, over and over; config is what dictionary_learning records as its buffer."""

    config = {"d_submodule": None, "io": "out", "ctx_len": 128, "refresh_batch_size": 32, "out_batch_size": 64}

    def __init__(self, s: Setting, seed: int = 0):
        self.s, self.seed = s, seed

    def __iter__(self) -> Iterator[torch.Tensor]:
        random = np.random.default_rng(self.seed)
        while True:
            yield torch.from_numpy(self.s.rows[random.integers(len(self.s.rows), size=self.s.batch)])


def dictionary_learning(folder: Path, s: Setting, normalize: bool, checkpoint: bool = False) -> Saved:
    config = dict(
        trainer=TopKTrainer, steps=s.steps, activation_dim=s.rows.shape[1], dict_size=s.dict_size, k=s.k, layer=3,
        lm_name="all-MiniLM-L6-v2", submodule_name="resid_post_layer_3", lr=s.lr, warmup_steps=2,
        threshold_start_step=2, seed=0, device="cpu",
    )
    trainSAE(
        data=Batches(s), trainer_configs=[config], steps=s.steps, save_steps=[s.steps - 3] if checkpoint else None,
        save_dir=str(folder), normalize_activations=normalize, device="cpu",
    )
    if checkpoint:
        path = folder / f"trainer_0/checkpoints/ae_{s.steps - 3}.pt"
        return Saved(path, lambda t: dense(AutoEncoderTopK.from_pretrained(path, k=s.k).to(t), t), True)
    path = folder / "trainer_0"
    return Saved(path, lambda t: dense(load_dictionary(str(path), "cpu")[0].to(t), t), True)


def reference(folder: Path, s: Setting) -> Saved:
    """Four tensors, as dictionary_learning saved them at 475fece; k stands in config.json."""
    torch.manual_seed(1)
    model = Reference(s.rows.shape[1], s.dict_size, s.k)
    model.decoder.weight.data /= model.decoder.weight.data.norm(dim=0, keepdim=True)
    model.b_dec.data = torch.from_numpy(s.rows.mean(0))
    adam = torch.optim.Adam(model.parameters(), lr=s.lr)
    for _, x in zip(range(s.steps), Batches(s), strict=False):
        loss = (model.decode(model.encode(x)) - x).pow(2).sum(-1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    folder.mkdir(parents=True)
    torch.save(model.state_dict(), folder / "ae.pt")
    (folder / "config.json").write_text(
        json.dumps({"trainer": {"trainer_class": "TrainerTopK", "dict_class": "AutoEncoderTopK", "k": s.k}})
    )
    return Saved(folder, lambda t: dense(Reference.from_pretrained(folder / "ae.pt", s.k).to(t), t), False)


def sparsify(folder: Path, s: Setting, dtype: torch.dtype = torch.float32) -> Saved:
    """As sparsify's Trainer goes with Adam: decoder rows to unit norm, then a step, so those saved have other norms."""
    torch.manual_seed(2)
    cfg = SparseCoderConfig(num_latents=s.dict_size, k=s.k)
    model = SparseCoder(s.rows.shape[1], cfg)
    model.b_dec.data = torch.from_numpy(s.rows.mean(0))
    adam = torch.optim.Adam(model.parameters(), lr=s.lr)
    for _, x in zip(range(s.steps), Batches(s), strict=False):
        model.set_decoder_norm_to_unit_norm()
        adam.zero_grad()
        model(x).fvu.backward()
        model.remove_gradient_parallel_to_decoder_directions()
        adam.step()
    hookpoint = folder / "encoder.layer.3"
    model.to(dtype).save_to_disk(hookpoint)
    return Saved(folder, lambda t: sparse(SparseCoder.load_from_disk(hookpoint).to(t), t), False)


class Rows(PreTrainedModel):
    """A language model to sparsify's Trainer: token t comes out of encoder.layer.3 as row t."""

    config_class = PretrainedConfig

    def __init__(self, rows: np.ndarray):
        super().__init__(PretrainedConfig(num_hidden_layers=4, vocab_size=len(rows)))
        self.encoder = torch.nn.Module()
        self.encoder.layer = torch.nn.ModuleList(torch.nn.Identity() for _ in range(3))
        self.encoder.layer.append(torch.nn.Embedding.from_pretrained(torch.from_numpy(rows)))

    def forward(self, input_ids: torch.Tensor, **_) -> torch.Tensor:
        return self.encoder.layer[3](input_ids)


def sparsify_trainer(folder: Path, s: Setting) -> Saved:
    """sparsify's own Trainer with its default optimizer: a run folder, in which a folder is named by the module."""
    random = np.random.default_rng(0)
    tokens = torch.from_numpy(random.integers(len(s.rows), size=(s.steps * 4, s.batch // 4)))
    cfg = TrainConfig(
        SparseCoderConfig(num_latents=s.dict_size, k=s.k), batch_size=4, hookpoints=["encoder.layer.3"],
        auxk_alpha=1 / 32, dead_feature_threshold=1000, log_to_wandb=False, save_dir=str(folder), run_name="run",
    )
    Trainer(cfg, [{"input_ids": t} for t in tokens], Rows(s.rows)).fit()
    hookpoint = folder / "run/encoder.layer.3"
    return Saved(folder / "run", lambda t: sparse(SparseCoder.load_from_disk(hookpoint).to(t), t), False)


def saelens(
    folder: Path, s: Setting, rescale: bool, inference: bool = False, normalize: str = "none",
    b_dec_to_input: bool = True,
) -> Saved:
    torch.manual_seed(3)
    cfg = TopKTrainingSAEConfig(
        d_in=s.rows.shape[1], d_sae=s.dict_size, k=s.k, rescale_acts_by_decoder_norm=rescale,
        normalize_activations=normalize, apply_b_dec_to_input=b_dec_to_input,
        metadata=SAEMetadata(
            model_name="all-MiniLM-L6-v2", hook_name="blocks.3.hook_resid_post", context_size=128, prepend_bos=True
        ),
    )
    sae = TopKTrainingSAE(cfg)
    SAETrainer(
        SAETrainerConfig(
            total_training_samples=s.steps * s.batch, train_batch_size_samples=s.batch, lr=s.lr, lr_end=s.lr,
            dead_feature_window=5, n_batches_for_norm_estimate=5,
        ),
        sae, iter(Batches(s)),
    ).fit()
    sae.eval()
    (sae.save_inference_model if inference else sae.save_model)(folder)
    unit = rescale  # import folds the norms, and save_inference_model has done so already

    def model(t: torch.dtype) -> Tool:
        # The saved inference model has folded weights: the training model computes the same from its own.
        return dense(sae.to(t), t)

    return Saved(folder, model, unit)


CASES: dict[str, Callable[[Path, Setting], Saved]] = {
    "dictionary_learning trainSAE": lambda f, s: dictionary_learning(f, s, False),
    "dictionary_learning trainSAE, normalize_activations": lambda f, s: dictionary_learning(f, s, True),
    "dictionary_learning checkpoints/ae_STEP.pt": lambda f, s: dictionary_learning(f, s, True, checkpoint=True),
    "dictionary_learning 475fece, four tensors": reference,
    "sparsify Trainer": sparsify_trainer,
    "sparsify save_to_disk": sparsify,
    "sparsify save_to_disk, bfloat16": lambda f, s: sparsify(f, s, torch.bfloat16),
    "SAELens save_model, rescale_acts_by_decoder_norm": lambda f, s: saelens(f, s, True),
    "SAELens save_model, without it": lambda f, s: saelens(f, s, False),
    "SAELens save_inference_model": lambda f, s: saelens(f, s, True, inference=True),
    "SAELens apply_b_dec_to_input false": lambda f, s: saelens(f, s, True, b_dec_to_input=False),
    "SAELens expected_average_only_in": lambda f, s: saelens(f, s, True, normalize="expected_average_only_in"),
}


def slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name).lower().split())
