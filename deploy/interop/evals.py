"""Runs the evaluations of SAELens and SAEBench on exported models, in the language model that their activations come
from, and prints their metrics beside those of deploy/harvest/loss.py on the same tokens."""

import argparse
import io
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import ExitStack, redirect_stderr, redirect_stdout

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harvest"))

NOTES = """\
Nothing is downloaded: the model is a folder with a GPT-2, whose weights are copied into TransformerLens' form, and the
text is tokenised here. What these tools do by themselves needs the Hugging Face hub: SAELens' and SAEBench's command
lines load the model by its name on the hub and a data set (Skylion007/openwebtext), and SAEBench's other evaluations
load data sets and, for some, ask a paid API.
"""

# What is compared: our name, the group and the name of SAELens and SAEBench, whose of the two, and the largest
# difference allowed, as a share of the value: their sums have another order.
BOTH, LENS, BENCH = ("SAELens", "SAEBench"), ("SAELens",), ("SAEBench",)
METRICS = [
    ("ce_loss", "model_performance_preservation", "ce_loss_without_sae", BOTH, 1e-5),
    ("ce_loss_sae", "model_performance_preservation", "ce_loss_with_sae", BOTH, 1e-5),
    ("ce_loss_zero", "model_performance_preservation", "ce_loss_with_ablation", BOTH, 1e-5),
    ("loss_recovered_zero", "model_performance_preservation", "ce_loss_score", BOTH, 1e-5),
    # Theirs counts the last position of each context too, which nothing follows.
    ("kl, all positions", "model_behavior_preservation", "kl_div_with_sae", BOTH, 1e-4),
    ("explained_variance", "reconstruction_quality", "explained_variance", LENS, 1e-5),
    # SAEBench 0.6.0 takes for the variance mean ‖x‖² − (mean ‖x‖² ÷ D)², which is no variance,
    ("  as SAEBench has it", "reconstruction_quality", "explained_variance", BENCH, 1e-5),
    ("mse", "reconstruction_quality", "mse", LENS, 1e-5),
    # and divides the squared error of a token by the number of tokens in the batch.
    ("  ÷ tokens of a batch", "reconstruction_quality", "mse", BENCH, 1e-5),
    ("cosine", "reconstruction_quality", "cossim", BOTH, 1e-5),
    ("l0", "sparsity", "l0", BOTH, 1e-5),
    ("l2_ratio", "shrinkage", "l2_ratio", BOTH, 1e-5),
]


def main():
    p = argparse.ArgumentParser(prog="evals.py", description=__doc__, epilog=NOTES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="a folder with a GPT-2 of Hugging Face")
    p.add_argument("--sae", required=True, nargs="+", metavar="DIR", help="folders that sweep has exported")
    p.add_argument("--text", required=True, nargs="+", metavar="GLOB", help="text files; quote it")
    p.add_argument("--context-length", type=int, default=128, help="(default %(default)s)")
    p.add_argument("--batch-size", type=int, default=8, help="contexts (default %(default)s)")
    p.add_argument("--batches", type=int, default=25, help="(default %(default)s)")
    a = p.parse_args()
    warnings.simplefilter("ignore")
    import datasets
    import torch

    import lm as loading
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    # datasets 3.6 looks for a class that torchvision has no more, if torchvision is there.
    datasets.config.TORCHVISION_AVAILABLE = False
    torch.manual_seed(0)
    hf, tokenizer, device = loading.load(a.model, "cpu", causal=True)
    tokens = whole_contexts(a, tokenizer)
    data = datasets.Dataset.from_dict({"input_ids": tokens.tolist()})
    hooked = transformer_lens_model(hf, tokenizer)
    print(f"{tokens.numel():,} tokens in {len(tokens)} contexts of {a.context_length}")
    with torch.inference_mode():
        apart = (hooked(tokens[:4]) - hf(tokens[:4]).logits).abs().max().item()
    print(f"logits of TransformerLens' model and of Hugging Face's differ by at most {apart:.1e}\n")
    worst = []
    for folder in a.sae:
        ours = our_metrics(folder, hf, tokens, tokenizer, device, a)
        theirs = {
            "SAELens": saelens(folder, hooked, data, a), "SAELens, HF": saelens(folder, None, data, a, hf, tokenizer),
            "SAEBench": saebench(folder, hooked, data, a), "SAEBench, ae.pt": saebench(folder, hooked, data, a, True),
        }
        worst.append(show(folder, ours, theirs))
    print(f"{'agree' if all(worst) else 'DIFFER'}: {len(worst)} models")
    return 0 if all(worst) else 1


def whole_contexts(a, tokenizer):
    """Returns token ids [N, T]: SAELens cuts no context short, and so none is here."""
    import torch

    import texts
    found = [c for c in texts.Contexts(texts.find(a.text), tokenizer, a.context_length) if len(c) == a.context_length]
    need = a.batches * a.batch_size
    if len(found) < need:
        raise SystemExit(f"evals: the text has {len(found)} contexts of {a.context_length} tokens, {need} are needed")
    return torch.tensor(found[:need])


def transformer_lens_model(hf, tokenizer):
    """Returns a HookedTransformer with the weights of a GPT-2, without any folding. Its own loader takes names on the
    hub alone."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
    c = hf.config
    cfg = HookedTransformerConfig(
        n_layers=c.n_layer, d_model=c.n_embd, n_ctx=c.n_positions, d_head=c.n_embd // c.n_head, n_heads=c.n_head,
        d_vocab=c.vocab_size, act_fn=c.activation_function, eps=c.layer_norm_epsilon, normalization_type="LN",
        default_prepend_bos=False, device="cpu", model_name=c.name_or_path)
    model = HookedTransformer(cfg, tokenizer)
    model.load_state_dict(convert_gpt2_weights(hf, cfg), strict=False)
    return model.eval()


def our_metrics(folder, hf, tokens, tokenizer, device, a):
    """Returns the losses of loss.py, and the metrics of docs/results.md, on the same tokens."""
    import torch

    import hooks
    import loss
    import sae
    s = sae.Sae(folder, device)
    path = sae.place(hf, s)
    splice = hooks.Splice(hf, path)
    lm = loss.Passes(hf, [t.tolist() for t in tokens.split(a.batch_size)], tokenizer.pad_token_id, device)
    site = loss.Site(lm, splice, path, (0, 0), None)
    n = lm.predictions
    with torch.inference_mode(), redirect_stderr(io.StringIO()):
        (orig, _), (spliced, _), (zero, _) = loss.compare(lm, [(site, s), (site, torch.zeros_like)])
        rows = []
        site.apply(lambda x: (rows.append(x), x)[1])
        for batch in lm.batches:
            lm.forward(batch)
        site.apply(None)
        x = torch.cat(rows)
        x_hat = torch.cat([s(part) for part in x.split(4096)])
        pre = torch.relu((x - s.b_dec) @ s.W_enc.T + s.b_enc)
        l0 = (pre.topk(s.k, dim=-1).values > 0).sum(-1).double().mean().item()
        kl = all_positions_kl(hf, splice, s, tokens, a.batch_size)
        x, x_hat = x.double(), x_hat.double()
    error, squares = (x - x_hat).square().sum(-1), x.square().sum(-1).mean()
    splice.change = None
    return {
        "ce_loss": orig / n, "ce_loss_sae": spliced / n, "ce_loss_zero": zero / n,
        "loss_recovered_zero": (zero - spliced) / (zero - orig), "kl, all positions": kl,
        "explained_variance": 1 - (error.sum() / (x - x.mean(0)).square().sum()).item(), "mse": error.mean().item(),
        "  as SAEBench has it": 1 - (error.mean() / (squares - (squares / x.shape[1]) ** 2)).item(),
        "  ÷ tokens of a batch": error.mean().item() / (a.batch_size * a.context_length),
        "cosine": torch.cosine_similarity(x, x_hat, dim=-1).mean().item(), "l0": l0,
        "l2_ratio": (x_hat.norm(dim=-1) / x.norm(dim=-1)).mean().item(),
    }


def all_positions_kl(hf, splice, s, tokens, size):
    total = 0.0
    for ids in tokens.split(size):
        splice.change = None
        p = hf(ids).logits.log_softmax(-1)
        splice.change = lambda x: s(x.flatten(0, 1)).reshape(x.shape)
        q = hf(ids).logits.log_softmax(-1)
        total += (p.exp() * (p - q)).sum().item()
    splice.change = None
    return total / tokens.numel()


def saelens(folder, model, data, a, hf=None, tokenizer=None):
    """Returns what SAELens' run_evals measures, with TransformerLens' model or, given hf, with its proxy of Hugging
    Face's, in which a hook is the path of a module."""
    from sae_lens import SAE
    from sae_lens.evals import get_eval_everything_config, run_evals
    from sae_lens.load_model import HookedProxyLM
    from sae_lens.training.activation_scaler import ActivationScaler
    from sae_lens.training.activations_store import ActivationsStore

    import hooks
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        sae = SAE.load_from_disk(folder, device="cpu")
        if hf is not None:
            sae.cfg.metadata.hook_name = hooks.resolve(hf, sae.cfg.metadata.hf_hook_name)
            model = HookedProxyLM(hf, tokenizer, hook_names=[sae.cfg.metadata.hook_name])
        store = ActivationsStore.from_sae(model, sae, data, streaming=False, store_batch_size_prompts=a.batch_size,
                                          context_size=a.context_length)
        everything = get_eval_everything_config(a.batch_size, a.batches, a.batches)
        metrics, _ = run_evals(sae, store, model, ActivationScaler(), everything, exclude_special_tokens=False)
    if hf is not None:  # its hooks stay in the model otherwise
        hf.get_submodule(sae.cfg.metadata.hook_name)._forward_hooks.popitem()
    return metrics


def saebench(folder, model, data, a, from_ae=False):
    """Returns what SAEBench's core evaluation measures, of the folder as SAELens loads it, or of ae.pt as SAEBench's
    loader of dictionary_learning does. That loader takes a file of a repository on the hub; one that lies in
    local_dir already is taken from there when the hub is not reached."""
    import torch
    from sae_bench.custom_saes.topk_sae import load_dictionary_learning_topk_sae
    from sae_bench.evals.core.eval_config import CoreEvalConfig
    from sae_bench.evals.core.main import run_evals
    from sae_bench.sae_bench_utils.general_utils import load_and_format_sae
    from sae_lens import SAE
    from sae_lens.training.activations_store import ActivationsStore
    with ExitStack() as stack, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        if from_ae:  # from a copy, since the hub's client leaves files beside it
            local = stack.enter_context(tempfile.TemporaryDirectory())
            for name in "ae.pt", "config.json":
                shutil.copy(os.path.join(folder, name), local)
            config = json.load(open(os.path.join(folder, "config.json"), encoding="utf-8"))
            sae = load_dictionary_learning_topk_sae(
                repo_id="local/exported", filename="ae.pt", model_name=config["trainer"]["lm_name"],
                device=torch.device("cpu"), dtype=torch.float32, layer=config["trainer"]["layer"], local_dir=local)
        else:
            sae = SAE.load_from_disk(folder, device="cpu")
        _, sae, _ = load_and_format_sae("exported", sae, "cpu")  # asserts unit norms
        if from_ae:
            sae.cfg.metadata.prepend_bos = False
        store = ActivationsStore.from_sae(model, sae, data, streaming=False, store_batch_size_prompts=a.batch_size,
                                          context_size=a.context_length)
        config = CoreEvalConfig(
            batch_size_prompts=a.batch_size, n_eval_reconstruction_batches=a.batches,
            n_eval_sparsity_variance_batches=a.batches, context_size=a.context_length, compute_kl=True,
            compute_ce_loss=True, compute_l2_norms=True, compute_sparsity_metrics=True, compute_variance_metrics=True,
            compute_featurewise_density_statistics=True, compute_featurewise_weight_based_metrics=True)
        return run_evals(sae, store, model, config)[0]


def show(folder, ours, theirs):
    """Prints a table. Reports whether all differences are allowed."""
    print(os.path.basename(os.path.normpath(folder)))
    print(f"  {'':22}{'ours':>12}" + "".join(f"{name:>17}" for name in theirs))
    fine = True
    for name, group, key, whose, allowed in METRICS:
        line = f"  {name:22}{ours[name]:12.6f}"
        for tool, metrics in theirs.items():
            if not tool.startswith(whose):
                line += " " * 17
                continue
            v = metrics[group][key]
            ok = abs(v - ours[name]) <= allowed * abs(ours[name])
            fine = fine and ok
            line += f"{v:16.6f}{' ' if ok else '!'}"
        print(line.rstrip())
    print()
    return fine


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception as error:
        import hooks
        import sae
        import texts
        if not isinstance(error, (hooks.HookError, sae.SaeError, texts.TextError)):
            raise
        print(f"evals: {error}", file=sys.stderr)  # wrong input, as loss.py says it
        sys.exit(2)
