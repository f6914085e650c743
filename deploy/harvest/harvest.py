"""Writes the activations of layers of a transformer as shards for sweep."""

import argparse
import importlib.metadata
import json
import os
import sys
import time

from lm import check_length, load, pad, positive

EXAMPLES = """\
examples:
  # the residual stream after layer 6 of GPT-2, over some Markdown files
  python harvest.py --model gpt2 --layer 6 --text 'docs/**/*.md' --out acts/gpt2-l6

  # what the MLP of layer 3 puts out, at most a million tokens, on a card
  python harvest.py --model EleutherAI/pythia-70m --layer 3 --hook mlp_out \\
      --text 'corpus/*.txt' 'more/*.txt.gz' --max-tokens 1000000 --device cuda --out acts/pythia-mlp3

  # three layers in one pass, into acts/l3_resid_post and so on of a bucket
  python harvest.py --model gpt2 --layer 3 6 9 --text book.txt --out s3://bucket/acts

  # any module by its path
  python harvest.py --model gpt2 --module h.6.attn.c_proj --text book.txt --out acts/heads

then, in grid.yaml:
  data: {source: acts/gpt2-l6, normalize: mean_square}

A harvest that was stopped goes on when the same command is run again.
"""


def arguments(argv):
    p = argparse.ArgumentParser(prog="harvest.py", description=__doc__, epilog=EXAMPLES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="a folder with a Hugging Face model, or its name on the hub")
    p.add_argument("--model-name", help="recorded as the model's name (default: its name on the hub, or the folder's)")
    p.add_argument("--layer", type=int, nargs="+", metavar="N", help="blocks, counted from 0")
    p.add_argument("--hook", default=["resid_post"], nargs="+", choices=["resid_post", "mlp_out", "attn_out"],
                   help="what of the block: its output, or that of its MLP or attention before the residual is added "
                        "(default resid_post)")
    p.add_argument("--module", nargs="+", metavar="PATH",
                   help="instead of --layer and --hook: the paths of any modules that put out [batch, tokens, width]")
    p.add_argument("--text", required=True, nargs="+", metavar="GLOB",
                   help="text files, .gz or not, of which equal ones count once; ** crosses folders; quote it")
    p.add_argument("--exclude", default=[], nargs="+", metavar="GLOB", help="names of files to leave out")
    p.add_argument("--seed", type=int, help="shuffle the files by this seed (default: sorted by path)")
    p.add_argument("--out", required=True,
                   help="folder or s3://bucket/prefix for the shards: new, empty, or of the same harvest; of several "
                        "places each has a folder in it, such as l3_resid_post")
    p.add_argument("--dtype", default="f16", choices=["f16", "f32", "bf16"], help="as stored (default %(default)s)")
    p.add_argument("--shard-rows", type=positive, default=1 << 17, help="rows per shard (default %(default)s)")
    p.add_argument("--max-tokens", type=positive, help="stop after so many rows")
    p.add_argument("--context-length", type=positive, default=256,
                   help="tokens the model sees at once, special ones included (default %(default)s)")
    p.add_argument("--batch-size", type=positive, default=32, help="contexts per forward pass (default %(default)s)")
    p.add_argument("--drop-special", action="store_true", help="leave out the rows of special tokens ([CLS], <bos>, …)")
    p.add_argument("--no-tokens", dest="tokens", action="store_false",
                   help="write no token IDs, documents and positions beside the rows")
    p.add_argument("--max-norm-multiple", type=float, metavar="X",
                   help="leave out rows whose norm is over X times their batch's median")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default %(default)s)")
    p.add_argument("--compute-dtype", default="f32", choices=["f32", "bf16", "f16"],
                   help="of the forward pass (default %(default)s)")
    p.add_argument("--threads", type=positive, help="of the CPU (default: PyTorch's choice)")
    a = p.parse_args(argv)
    for option in ("layer", "hook", "module"):  # each once
        setattr(a, option, getattr(a, option) and list(dict.fromkeys(getattr(a, option))))
    if (a.layer is None) == (a.module is None):
        p.error("give either --layer or --module")
    if a.max_norm_multiple is not None and not a.max_norm_multiple > 1:
        p.error(f"--max-norm-multiple {a.max_norm_multiple}: give a number over 1")
    return a


def main(argv=None):
    a = arguments(argv)
    import hooks  # here, since PyTorch takes seconds to load, which --help does not need
    import out
    import texts
    try:
        harvest(a)
    except (texts.TextError, hooks.HookError, out.OutError) as e:
        print(f"harvest: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("harvest: stopped; the same command goes on from the last whole shard", file=sys.stderr)
        return 130
    return 0


def harvest(a):
    """Writes the shards and harvest.json of each place."""
    import hooks
    import out
    import shards
    import texts
    files = texts.find(a.text, a.exclude, a.seed)
    model, tokenizer, device = load(a.model, a.device, a.compute_dtype, a.threads)
    contexts = texts.Contexts(files, tokenizer, check_length(a.context_length, model))
    paths = {name: module or hooks.find(model, layer, hook) for name, (layer, hook, module) in places(a).items()}
    if len(set(paths.values())) < len(paths):
        raise hooks.HookError(f"two places are one module: {', '.join(paths.values())}")
    tap = hooks.Tap(model, *paths.values())
    root = out.open_out(a.out)
    outs = {name: root if len(paths) == 1 else root.inner(name) for name in paths}
    if len(paths) > 1 and shards.RECORD in root.names():
        raise out.OutError(f"--out {a.out} holds a harvest of one place: give another folder")
    # A harvest that an earlier version began has no tokens beside its rows, and goes on as it is.
    begun = [r for r in map(shards.read_record, outs.values()) if r is not None]
    tokens = a.tokens and not any("tokens" not in r["config"] for r in begun)

    common = {
        "model": a.model_name or (os.path.basename(os.path.normpath(a.model)) if os.path.isdir(a.model) else a.model),
        "model_sha256": hooks.digest(model), "model_type": model.config.model_type,
        "text": a.text, "exclude": a.exclude, "seed": a.seed,
        "files": len(files), "files_sha256": texts.files_digest(files),
        "context_length": a.context_length, "batch_size": a.batch_size, "drop_special": a.drop_special,
        "max_norm_multiple": a.max_norm_multiple, "max_tokens": a.max_tokens,
        "dtype": a.dtype, "compute_dtype": a.compute_dtype, "shard_rows": a.shard_rows, "device": device.type,
        "versions": {m: importlib.metadata.version(m) for m in ("torch", "transformers", "tokenizers", "safetensors")},
    }
    if tokens:
        common["tokens"] = True
    if len(paths) > 1:  # a row is in all of them or in none
        common["places"] = list(paths)
    writers, names, complete = {}, {}, 0
    for name, (layer, hook, module) in places(a).items():
        config = {**common, "layer": layer, "hook": hook, "module": paths[name]}
        # The keys of the section data of grid.yaml. They are no part of config: shards of a harvest that was begun
        # without them go on as they are.
        known = None if module else hooks.transformer_lens_name(config["model_type"], layer, hook)
        names[name] = {
            "lm_name": config["model"], "layer": layer, "submodule_name": hook, "module_path": paths[name],
            "hook_name": known or hooks.causal_path(model, paths[name]),
            "context_length": a.context_length, "prepend_bos": bool(contexts.prefix), "drop_special": a.drop_special,
        }
        record = shards.prepare(outs[name], config, names[name])
        if record is not None and record["complete"]:
            complete += 1
            print(f"{outs[name]}: complete already, {record['result']['rows']:,} rows", file=sys.stderr)
        writers[name] = shards.Writer(outs[name], config, a.shard_rows, a.dtype, a.max_tokens)
    if complete == len(writers):
        return
    for w in writers.values():
        w.resume()
        if w.shards:
            print(f"{w.out}: going on after {w.shards} shards, {w.rows:,} rows", file=sys.stderr)

    # A kill can leave one place a shard ahead of another. The one behind sets where to begin, and the others pass over
    # the rows that they have.
    behind = min(writers.values(), key=lambda w: (w.batch, w.taken))
    progress = Progress(behind, contexts, len(writers), a.max_tokens)
    for i, batch in enumerate(texts.batches(contexts, a.batch_size)):
        if all(w.full for w in writers.values()):
            break
        if i < min(w.batch for w in writers.values()):
            progress.begin()
            continue  # all its rows are in shards that exist
        rows, of, dropped = select(a, tap, batch, contexts, tokenizer.pad_token_id, device, shards.DTYPES[a.dtype])
        for w, r in zip(writers.values(), rows):
            w.add(i, r, of if tokens else None, dropped)
        progress.show()
    for name, w in writers.items():
        w.flush()
        if w.rows == 0:
            raise texts.TextError("the files hold no text that gives a row")
        if tokens:
            lines = ",\n".join(map(json.dumps, contexts.documents))
            w.out.write("documents.json", f"[\n{lines}\n]\n".encode())
        result = {
            "rows": w.rows, "activation_dim": w.width, "shards": w.shards, "dropped": w.dropped,
            "files_read": contexts.files, "files_not_text": contexts.binary, "files_repeated": contexts.repeated,
            "characters": contexts.characters, "text_sha256": contexts.sha256,
        }
        shards.write_record(w.out, {"complete": True, "config": w.config, "names": names[name], "result": result})
    progress.end()
    if behind.dropped["non_finite"]:
        print(f"warning: {behind.dropped['non_finite']:,} rows that {a.dtype} cannot hold are left out; "
              "--dtype bf16 or f32 can", file=sys.stderr)


def places(a):
    """Returns layer, hook and module of each place, by the name of its folder: layer and hook, or module, are None."""
    if a.module:
        return {m: (None, None, m) for m in a.module}
    return {f"l{layer}_{hook}": (layer, hook, None) for layer in a.layer for hook in a.hook}


def select(a, tap, batch, contexts, pad_id, device, dtype):
    """Runs a batch of contexts. Returns the rows of each place to write, [n, D], one context
    after the other; token ID, document and position of each row, [n, 3]; and the number of
    rows left out, by reason. A row that is left out of one place is left out of all, so that
    their rows are of the same tokens."""
    import torch
    ids, size, position = pad(batch, pad_id, device)
    outs = tap(ids, (position < size).long())
    wanted = position < size
    special = (position < len(contexts.prefix)) | (position >= size - len(contexts.suffix))
    if a.drop_special:
        wanted = wanted & ~special
    start = torch.tensor([c.start - len(contexts.prefix) for c in batch], device=device)[:, None]
    document = torch.tensor([c.document for c in batch], device=device)[:, None].expand_as(ids)
    of = torch.stack([ids, document, (start + position).masked_fill(special, -1)], dim=-1)[wanted]
    rows = [out[wanted].to(dtype) for out in outs]
    finite = torch.stack([r.isfinite().all(dim=-1) for r in rows]).all(dim=0)
    dropped = {"non_finite": int((~finite).sum()), "high_norm": 0}
    rows, of = [r[finite] for r in rows], of[finite]
    if a.max_norm_multiple is not None:
        norms = [r.float().norm(dim=-1) for r in rows]
        low = torch.stack([n <= a.max_norm_multiple * n.median() for n in norms]).all(dim=0)
        dropped["high_norm"] = int((~low).sum())
        rows, of = [r[low] for r in rows], of[low]
    return rows, of, dropped


class Progress:
    """Shows progress: on a terminal one line that changes, elsewhere a new line every 15
    seconds."""

    def __init__(self, writer, contexts, places, limit):
        self.writer, self.contexts, self.places, self.limit = writer, contexts, places, limit
        self.last = time.monotonic()
        self.first = writer.rows
        self.terminal = sys.stderr.isatty()
        self.begin()

    def begin(self):
        """Counts time from now on: what was harvested before is no part of the rate."""
        self.started, self.before = time.monotonic(), self.contexts.done

    def line(self, end=False):
        w = self.writer
        rows, seconds = w.rows + w.pending, max(time.monotonic() - self.started, 1e-9)
        rate = (rows - self.first) / seconds
        of = f" of {self.limit:,}" if self.limit else ""
        where = f" in each of {self.places} places" if self.places > 1 else ""
        megabytes = rate * (w.width or 0) * w.dtype.itemsize * self.places / 1e6
        text = (f"{rows:,}{of} rows{where}, {rate:,.0f} tokens/s, {megabytes:,.1f} MB/s, {w.shards} shards, "
                f"{self.contexts.files} of {len(self.contexts.paths)} files")
        if end:
            return text + f", {seconds:,.0f} s"
        left = []  # until the rows are enough, and until the text has ended
        if self.limit and rate:
            left.append(max(0, self.limit - rows) / rate)
        if self.contexts.done > self.before:
            left.append(seconds * (1 - self.contexts.done) / (self.contexts.done - self.before))
        return text + (f", about {min(left):,.0f} s to go" if left else "")

    def show(self):
        now = time.monotonic()
        if now - self.last < (0.5 if self.terminal else 15):
            return
        self.last = now
        print(f"\r\033[K{self.line()}" if self.terminal else self.line(), end="" if self.terminal else "\n",
              file=sys.stderr, flush=True)

    def end(self):
        print(("\r\033[K" if self.terminal else "") + self.line(end=True), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
