"""Writes the activations of one layer of a transformer as shards for sweep."""

import argparse
import importlib.metadata
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
    p.add_argument("--layer", type=int, help="block, counted from 0")
    p.add_argument("--hook", default="resid_post", choices=["resid_post", "mlp_out", "attn_out"],
                   help="what of the block: its output, or that of its MLP or attention before the residual is added "
                        "(default %(default)s)")
    p.add_argument("--module", help="instead of --layer and --hook: the path of any module that puts out "
                                    "[batch, tokens, width]")
    p.add_argument("--text", required=True, nargs="+", metavar="GLOB",
                   help="text files, .gz or not, of which equal ones count once; ** crosses folders; quote it")
    p.add_argument("--exclude", default=[], nargs="+", metavar="GLOB", help="names of files to leave out")
    p.add_argument("--seed", type=int, help="shuffle the files by this seed (default: sorted by path)")
    p.add_argument("--out", required=True, help="folder for the shards: new, empty, or of the same harvest")
    p.add_argument("--dtype", default="f16", choices=["f16", "f32", "bf16"], help="as stored (default %(default)s)")
    p.add_argument("--shard-rows", type=positive, default=1 << 17, help="rows per shard (default %(default)s)")
    p.add_argument("--max-tokens", type=positive, help="stop after so many rows")
    p.add_argument("--context-length", type=positive, default=256,
                   help="tokens the model sees at once, special ones included (default %(default)s)")
    p.add_argument("--batch-size", type=positive, default=32, help="contexts per forward pass (default %(default)s)")
    p.add_argument("--drop-special", action="store_true", help="leave out the rows of special tokens ([CLS], <bos>, …)")
    p.add_argument("--max-norm-multiple", type=float, metavar="X",
                   help="leave out rows whose norm is over X times their batch's median")
    p.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default %(default)s)")
    p.add_argument("--compute-dtype", default="f32", choices=["f32", "bf16", "f16"],
                   help="of the forward pass (default %(default)s)")
    p.add_argument("--threads", type=positive, help="of the CPU (default: PyTorch's choice)")
    a = p.parse_args(argv)
    if (a.layer is None) == (a.module is None):
        p.error("give either --layer or --module")
    if a.max_norm_multiple is not None and not a.max_norm_multiple > 1:
        p.error(f"--max-norm-multiple {a.max_norm_multiple}: give a number over 1")
    return a


def main(argv=None):
    a = arguments(argv)
    import hooks  # here, since PyTorch takes seconds to load, which --help does not need
    import shards
    import texts
    try:
        harvest(a)
    except (texts.TextError, hooks.HookError, shards.OutError) as e:
        print(f"harvest: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("harvest: stopped; the same command goes on from the last whole shard", file=sys.stderr)
        return 130
    return 0


def harvest(a):
    """Writes the shards and harvest.json of one harvest."""
    import hooks
    import shards
    import texts
    files = texts.find(a.text, a.exclude, a.seed)
    model, tokenizer, device = load(a.model, a.device, a.compute_dtype, a.threads)
    contexts = texts.Contexts(files, tokenizer, check_length(a.context_length, model))
    path = a.module or hooks.find(model, a.layer, a.hook)
    tap = hooks.Tap(model, path)

    config = {
        "model": a.model_name or (os.path.basename(os.path.normpath(a.model)) if os.path.isdir(a.model) else a.model),
        "model_sha256": hooks.digest(model), "model_type": model.config.model_type,
        "layer": a.layer, "hook": a.hook if a.module is None else None, "module": path,
        "text": a.text, "exclude": a.exclude, "seed": a.seed,
        "files": len(files), "files_sha256": texts.files_digest(files),
        "context_length": a.context_length, "batch_size": a.batch_size, "drop_special": a.drop_special,
        "max_norm_multiple": a.max_norm_multiple, "max_tokens": a.max_tokens,
        "dtype": a.dtype, "compute_dtype": a.compute_dtype, "shard_rows": a.shard_rows, "device": device.type,
        "versions": {m: importlib.metadata.version(m) for m in ("torch", "transformers", "tokenizers", "safetensors")},
    }
    # The keys of the section data of grid.yaml. They are no part of config: shards of a harvest that was begun without
    # them go on as they are.
    hook = None if a.module else hooks.transformer_lens_name(config["model_type"], a.layer, a.hook)
    names = {
        "lm_name": config["model"], "layer": config["layer"], "submodule_name": config["hook"], "module_path": path,
        "hook_name": hook or hooks.causal_path(model, path),
        "context_length": a.context_length, "prepend_bos": bool(contexts.prefix), "drop_special": a.drop_special,
    }
    record = shards.prepare(a.out, config, names)
    if record is not None and record["complete"]:
        print(f"{a.out}: complete already, {record['result']['rows']:,} rows", file=sys.stderr)
        return
    writer = shards.Writer(a.out, config, a.shard_rows, a.dtype, a.max_tokens)
    writer.resume()
    if writer.shards:
        print(f"{a.out}: going on after {writer.shards} shards, {writer.rows:,} rows", file=sys.stderr)

    progress = Progress(writer, contexts, len(files), a.max_tokens)
    for i, batch in enumerate(texts.batches(contexts, a.batch_size)):
        if writer.full:
            break
        if i < writer.batch:
            continue  # all its rows are in shards that exist
        rows, dropped = select(a, tap, batch, contexts, tokenizer.pad_token_id, device, shards.DTYPES[a.dtype])
        writer.add(i, rows, dropped)
        progress.show()
    writer.flush()
    if writer.rows == 0:
        raise texts.TextError("the files hold no text that gives a row")
    result = {
        "rows": writer.rows, "activation_dim": writer.width, "shards": writer.shards, "dropped": writer.dropped,
        "files_read": contexts.files, "files_not_text": contexts.binary, "files_repeated": contexts.repeated,
        "characters": contexts.characters, "text_sha256": contexts.sha256,
    }
    shards.write_record(a.out, {"complete": True, "config": config, "names": names, "result": result})
    progress.end()
    if writer.dropped["non_finite"]:
        print(f"warning: {writer.dropped['non_finite']:,} rows that {a.dtype} cannot hold are left out; "
              "--dtype bf16 or f32 can", file=sys.stderr)


def select(a, tap, batch, contexts, pad_id, device, dtype):
    """Runs a batch of contexts. Returns the rows to write, [n, D], one context after the
    other, and the number of rows left out, by reason."""
    ids, size, position = pad(batch, pad_id, device)
    out = tap(ids, (position < size).long())
    wanted = position < size
    if a.drop_special:
        wanted = (position >= len(contexts.prefix)) & (position < size - len(contexts.suffix))
    rows = out[wanted].to(dtype)
    finite = rows.isfinite().all(dim=-1)
    dropped = {"non_finite": int((~finite).sum()), "high_norm": 0}
    rows = rows[finite]
    if a.max_norm_multiple is not None:
        norms = rows.float().norm(dim=-1)
        low = norms <= a.max_norm_multiple * norms.median()
        dropped["high_norm"] = int((~low).sum())
        rows = rows[low]
    return rows, dropped


class Progress:
    """Shows progress: on a terminal one line that changes, elsewhere a new line every 15
    seconds."""

    def __init__(self, writer, contexts, files, limit):
        self.writer, self.contexts, self.files, self.limit = writer, contexts, files, limit
        self.started = self.last = time.monotonic()
        self.first = writer.rows
        self.terminal = sys.stderr.isatty()

    def line(self):
        rows = self.writer.rows + self.writer.pending
        rate = (rows - self.first) / max(time.monotonic() - self.started, 1e-9)
        of = f" of {self.limit:,}" if self.limit else ""
        text = (f"{rows:,}{of} rows, {rate:,.0f} a second, {self.writer.shards} shards, "
                f"{self.contexts.files} of {self.files} files")
        if self.limit and rate:
            text += f", {max(0, self.limit - rows) / rate:,.0f} s to go at most"
        return text

    def show(self):
        now = time.monotonic()
        if now - self.last < (0.5 if self.terminal else 15):
            return
        self.last = now
        print(f"\r\033[K{self.line()}" if self.terminal else self.line(), end="" if self.terminal else "\n",
              file=sys.stderr, flush=True)

    def end(self):
        print(("\r\033[K" if self.terminal else "") + self.line().split(", 0 s to go")[0], file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
