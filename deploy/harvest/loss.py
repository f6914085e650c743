"""Measures what a language model loses when exported autoencoders stand in for activations."""

import argparse
import csv
import io
import json
import math
import os
import sys
import time

from lm import check_length, load, pad, positive

EXAMPLES = """\
examples:
  # one exported model of a sweep's store, on text that the sweep has not seen
  python loss.py --model gpt2 --sae sweep-data/models/RUN --text 'held-out/*.txt' --out loss.csv

  # all models of a sweep; they share the passes of the language model as it is
  sweep export my-sweep --to sparsify --out exported
  python loss.py --model gpt2 --sae exported/* --text 'held-out/*.txt' --out loss.csv
  sweep results my-sweep --join loss.csv

  # a model whose folder does not name the place
  python loss.py --model gpt2 --sae my-sae --layer 6 --hook mlp_out --text book.txt

ablations: zero puts zeros in the place of the activations, mean their mean over the same tokens.
loss_recovered_zero = (ce_loss_zero - ce_loss_sae) / (ce_loss_zero - ce_loss).
"""

# The columns of the output. Losses are means over the predictions of all tokens that follow another in their context.
COLUMNS = ["cell", "sweep", "sae", "module", "ce_loss", "ce_loss_sae", "ce_loss_zero", "ce_loss_mean", "kl",
           "loss_recovered_zero", "loss_recovered_mean", "loss_tokens"]


class LossError(Exception):
    """Bad input; the message says what."""


def arguments(argv):
    p = argparse.ArgumentParser(prog="loss.py", description=__doc__, epilog=EXAMPLES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="a folder with a causal Hugging Face model, or its name on the hub")
    p.add_argument("--sae", required=True, nargs="+", metavar="DIR", help="folders of exported models")
    p.add_argument("--layer", type=int, help="block, counted from 0, for all --sae (default: what each folder says)")
    p.add_argument("--hook", choices=["resid_post", "mlp_out", "attn_out"], help="with --layer (default resid_post)")
    p.add_argument("--module", help="instead of --layer and --hook: the path of the module")
    p.add_argument("--harvest", metavar="DIR", help="the activations that the models were trained on: its harvest.json "
                                                    "goes before what the models' folders say")
    p.add_argument("--text", required=True, nargs="+", metavar="GLOB",
                   help="text files, .gz or not, of which equal ones count once; ** crosses folders; quote it")
    p.add_argument("--exclude", default=[], nargs="+", metavar="GLOB", help="names of files to leave out")
    p.add_argument("--seed", type=int, help="shuffle the files by this seed (default: sorted by path)")
    p.add_argument("--max-tokens", type=positive, default=100_000,
                   help="stop before more than so many tokens (default %(default)s)")
    p.add_argument("--context-length", type=positive,
                   help="tokens the model sees at once, special ones included (default: that of the activations that "
                        "the models were trained on, else 256)")
    p.add_argument("--batch-size", type=positive, default=8, help="contexts per forward pass (default %(default)s)")
    p.add_argument("--drop-special", action=argparse.BooleanOptionalAction,
                   help="leave the activations of special tokens as they are (default: as in training)")
    p.add_argument("--max-norm-multiple", type=float, metavar="X",
                   help="leave activations as they are whose norm is over X times their batch's median")
    p.add_argument("--out", metavar="FILE", help=".csv, .json or .jsonl (default: CSV on the standard output)")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default %(default)s)")
    p.add_argument("--threads", type=positive, help="of the CPU (default: PyTorch's choice)")
    a = p.parse_args(argv)
    if a.module is not None and (a.layer is not None or a.hook is not None):
        p.error("give either --module, or --layer and --hook")
    if a.hook is not None and a.layer is None:
        p.error("--hook goes with --layer")
    if a.max_norm_multiple is not None and not a.max_norm_multiple > 1:
        p.error(f"--max-norm-multiple {a.max_norm_multiple}: give a number over 1")
    if a.out is not None and os.path.splitext(a.out)[1].lower() not in FORMATS:
        p.error(f"--out {a.out}: want a name that ends with {', '.join(FORMATS)}")
    return a


def main(argv=None):
    a = arguments(argv)
    import hooks  # here, since PyTorch takes seconds to load, which --help does not need
    import sae
    import texts
    try:
        write(measure(a), a.out)
    except (texts.TextError, hooks.HookError, sae.SaeError, LossError) as e:
        print(f"loss: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def measure(a):
    """Returns a row of the output for each autoencoder, in the order in which they are given."""
    import torch

    import hooks
    import sae
    import texts
    if a.out is not None and not os.path.isdir(os.path.dirname(a.out) or "."):
        raise LossError(f"--out {a.out}: there is no such folder")
    files = texts.find(a.text, a.exclude, a.seed)
    seen = set()
    for path in map(os.path.realpath, a.sae):
        if path in seen:
            raise LossError(f"--sae {path} is given twice")
        seen.add(path)
    model, tokenizer, device = load(a.model, a.device, threads=a.threads, causal=True)
    saes = [sae.Sae(path, device) for path in a.sae]
    harvested = harvest_config(a.harvest, model)
    for s in saes:
        s.names |= harvested
    contexts = texts.Contexts(files, tokenizer, check_length(context_length(a, saes), model))

    lm = Passes(model, choose(contexts, a.max_tokens, a.batch_size), tokenizer.pad_token_id, device)
    splices, sites, at = {}, {}, []
    for s in saes:
        path = sae.place(model, s, a.layer, a.hook, a.module)
        if path not in splices:
            splices[path] = hooks.Splice(model, path)
        special = s.names.get("drop_special", False) if a.drop_special is None else a.drop_special
        key = path, bool(special), a.max_norm_multiple or s.names.get("max_norm_multiple")
        if key not in sites:
            edges = (len(contexts.prefix), len(contexts.suffix)) if special else (0, 0)
            sites[key] = Site(lm, splices[path], path, edges, key[-1])
        at.append(sites[key])

    with torch.inference_mode():
        means(lm, sites.values())
        for s, site in zip(saes, at):
            if s.width != len(site.mean):
                raise LossError(f"{s.path}: takes activations of width {s.width}, and {site.path} puts out "
                                f"{len(site.mean)}")
        changes = [(site, f) for site in sites.values() for f in (torch.zeros_like, site.to_mean)] + list(zip(at, saes))
        sums = compare(lm, changes)
    orig, n = sums.pop(0)[0] / lm.predictions, lm.predictions
    ablated = {site: [sums.pop(0)[0] / n for _ in range(2)] for site in sites.values()}
    print(f"{n:,} predictions in {sum(map(len, lm.batches)):,} contexts", file=sys.stderr)
    return [row(s, site.path, orig, spliced / n, kl / n, *ablated[site], n)
            for s, site, (spliced, kl) in zip(saes, at, sums)]


def row(s, path, orig, spliced, kl, zero, mean, n):
    """Returns a row of the output. What is not finite, or would be divided by 0, is None."""
    def number(x):
        return x if math.isfinite(x) else None

    def recovered(ablated):
        return number((ablated - spliced) / (ablated - orig)) if ablated != orig else None
    values = [s.cell, s.sweep, s.path, path, *map(number, (orig, spliced, zero, mean, kl)), recovered(zero),
              recovered(mean), n]
    return dict(zip(COLUMNS, values))


def compare(lm, changes):
    """Returns the sums over all predictions of the loss and of KL(original ‖ changed): first for the model as it is,
    then for each change, which is a Site and a function of rows [n, D]."""
    import torch
    sums = [[0.0, 0.0] for _ in range(1 + len(changes))]

    def step(batch):
        logits, targets = lm.forward(batch)
        logp = logits.log_softmax(-1)
        p = logp.exp()
        sums[0][0] -= total(logp.gather(1, targets[:, None]))
        for out, (site, f) in zip(sums[1:], changes):
            site.apply(f)
            logq = lm.forward(batch)[0].log_softmax(-1)
            site.apply(None)
            out[0] -= total(logq.gather(1, targets[:, None]))
            # A token of probability 0 adds nothing, though its logarithm is -inf.
            out[1] += total(torch.where(p > 0, p * (logp - logq), 0).sum(-1))
    lm.run(f"the loss, with {len(changes)} changes", step)
    return sums


def total(x):
    """Returns the sum of a tensor, in float64: on the CPU, since not all devices have it."""
    return x.cpu().double().sum().item()


def means(lm, sites):
    """Sets each site's mean activation, over the positions that it changes."""
    import torch
    sums = {site: [0, 0] for site in sites}

    def step(batch):
        # Sites of one module, which differ in their positions, take turns.
        for site, out in sums.items():
            def add(x, out=out):
                out[0] = out[0] + x.cpu().double().sum(0)
                out[1] += len(x)
                return x
            site.apply(add)
            lm.forward(batch)
            site.apply(None)
    lm.run("the mean activations", step)
    for site, (summed, rows) in sums.items():
        if rows == 0:
            raise LossError(f"no activation of {site.path} is left to change")
        site.mean = (summed / rows).to(lm.device, torch.float32)


class Site:
    """A module of the model, and the positions at which its activations are changed: all but padding, without those
    whose rows a harvest with the same settings leaves out. edges are the numbers of special tokens at the beginning
    and at the end of a context that stay as they are."""

    def __init__(self, lm, splice, path, edges, max_norm_multiple):
        self.lm, self.splice, self.path, self.edges = lm, splice, path, edges
        self.max_norm_multiple = max_norm_multiple
        self.mean = None  # [D]

    def apply(self, f):
        """Passes the rows [n, D] of the changed positions through f from now on; None leaves all as they are."""
        self.splice.change = None if f is None else lambda x: self._changed(x, f)

    def to_mean(self, rows):
        return self.mean.expand_as(rows)

    def _changed(self, x, f):
        shape = self.lm.position.shape[-1], self.lm.size.shape[0]
        if x.numel() % (shape[0] * shape[1]) or x.dim() not in (2, 3):
            raise LossError(f"{self.path} puts out {list(x.shape)}, not {[shape[1], shape[0]]} and a width")
        flat = x.reshape(shape[1], shape[0], -1)  # some models flatten [B, T] for the MLP
        first, last = self.edges
        wanted = (self.lm.position >= first) & (self.lm.position < self.lm.size - last)
        if self.max_norm_multiple is not None:
            norms = flat.norm(dim=-1)
            wanted &= norms <= self.max_norm_multiple * norms[wanted].median()
        out = flat.clone()
        out[wanted] = f(flat[wanted])
        return out.reshape(x.shape)


class Passes:
    """Runs a model over batches of contexts. size [B, 1] and position [1, T] are those of the batch that runs."""

    def __init__(self, model, batches, pad_id, device):
        self.model, self.batches, self.pad_id, self.device = model, batches, pad_id, device
        self.predictions = sum(len(c) - 1 for b in batches for c in b)

    def forward(self, batch):
        """Returns the logits [n, V] of the tokens that follow another in their context, and these tokens [n]."""
        ids, self.size, self.position = pad(batch, self.pad_id, self.device)
        logits = self.model(input_ids=ids, attention_mask=(self.position < self.size).long()).logits
        followed = (self.position + 1 < self.size)[:, :-1]
        return logits[:, :-1][followed].float(), ids[:, 1:][followed]

    def run(self, what, step):
        """Calls step with each batch. On a terminal a line shows how far it is, elsewhere a new one every 15 s."""
        terminal = sys.stderr.isatty()
        started = last = time.monotonic()
        for i, batch in enumerate(self.batches):
            step(batch)
            now = time.monotonic()
            if now - last >= (0.5 if terminal else 15):
                last = now
                left = (now - started) / (i + 1) * (len(self.batches) - i - 1)
                text = f"{what}: {i + 1} of {len(self.batches)} batches, {left:,.0f} s to go"
                before, end = ("\r\033[K", "") if terminal else ("", "\n")
                print(before + text, end=end, file=sys.stderr, flush=True)
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def choose(contexts, most, size):
    """Returns batches of the first contexts with at most so many tokens together."""
    import texts
    chosen, tokens = [], 0
    for c in contexts:
        if len(c) < 2:
            continue  # nothing follows
        if tokens + len(c) > most:
            break
        tokens += len(c)
        chosen.append(c)
    if not chosen:
        raise LossError(f"no context of at most {most:,} tokens (--max-tokens), of which one follows another, is in "
                        "the text")
    return list(texts.batches(chosen, size))


def context_length(a, saes):
    """Returns the context length: the one that is given, else that of the autoencoders' activations."""
    if a.context_length is not None:
        return a.context_length
    lengths = {s.names["context_length"]: s.path for s in saes if s.names.get("context_length")}
    if len(lengths) > 1:
        told = ", ".join(f"{n} ({path})" for n, path in sorted(lengths.items()))
        raise LossError(f"the models were trained on activations of several context lengths, {told}: choose with "
                        "--context-length")
    return next(iter(lengths), 256)


def harvest_config(folder, model):
    """Returns what a harvest.json says, under the names of result.json; nothing without a folder."""
    import hooks
    import sae
    if folder is None:
        return {}
    if os.path.isfile(folder):
        folder = os.path.dirname(folder) or "."
    config = (sae.read_json(folder, "harvest.json") or {}).get("config")
    if not isinstance(config, dict):
        raise LossError(f"--harvest {folder}: holds no harvest.json, which harvest.py writes")
    if config.get("model_sha256") not in (None, hooks.digest(model.base_model)):
        print(f"warning: {folder} was harvested from other weights than those of --model, from {config.get('model')}",
              file=sys.stderr)
    out = {"layer": config.get("layer"), "submodule_name": config.get("hook"), "module_path": config.get("module")}
    out |= {k: config.get(k) for k in ("context_length", "drop_special", "max_norm_multiple")}
    return {k: v for k, v in out.items() if v is not None}


def to_csv(rows, columns):
    out = io.StringIO()
    w = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    w.writeheader()
    w.writerows(rows)
    return out.getvalue()


def to_json(rows, columns):
    return json.dumps([{c: r[c] for c in columns} for r in rows], indent=1, ensure_ascii=False) + "\n"


def to_jsonl(rows, columns):
    return "".join(json.dumps({c: r[c] for c in columns}, ensure_ascii=False) + "\n" for r in rows)


FORMATS = {".csv": to_csv, ".json": to_json, ".jsonl": to_jsonl}


def write(rows, out):
    """Writes the rows to a file, which is there whole or not at all, or as CSV to the standard output."""
    columns = [c for c in COLUMNS if c != "sweep" or any(r[c] is not None for r in rows)]
    if out is None:
        sys.stdout.write(to_csv(rows, columns))
        return
    text = FORMATS[os.path.splitext(out)[1].lower()](rows, columns)
    try:
        with open(out + ".part", "w", encoding="utf-8", newline="") as f:
            f.write(text)
        os.replace(out + ".part", out)
    except OSError as e:
        raise LossError(f"--out {out}: {e}") from e


if __name__ == "__main__":
    sys.exit(main())
