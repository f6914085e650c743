"""Makes a small GPT-2 and its tokenizer, and trains both on text files: a causal model of one's own, without a
download, in which activations can be harvested and the loss with autoencoders measured."""

import argparse
import math
import sys
import time

from lm import positive

EXAMPLES = """\
examples:
  # four layers of width 128 on Python's own sources: five minutes on two cores
  python train_model.py --text "$(python -c 'import os; print(os.path.dirname(os.__file__))')/*.py" --out my-gpt2

The loss is measured on every 20th context, which is not trained on. The training has failed, with status 1, if it does
not end below the unigram entropy of these contexts: what a model without any context could reach at best.
"""


def arguments(argv):
    p = argparse.ArgumentParser(prog="train_model.py", description=__doc__, epilog=EXAMPLES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--text", required=True, nargs="+", metavar="GLOB", help="text files, .gz or not; quote it")
    p.add_argument("--exclude", default=[], nargs="+", metavar="GLOB", help="names of files to leave out")
    p.add_argument("--out", required=True, help="folder for the model and its tokenizer")
    p.add_argument("--vocab", type=positive, default=1024, help="tokens (default %(default)s, at least 257)")
    p.add_argument("--layers", type=positive, default=4, help="(default %(default)s)")
    p.add_argument("--width", type=positive, default=128, help="of the residual stream (default %(default)s)")
    p.add_argument("--heads", type=positive, default=4, help="of each layer (default %(default)s)")
    p.add_argument("--context-length", type=positive, default=128, help="(default %(default)s)")
    p.add_argument("--batch-size", type=positive, default=16, help="contexts (default %(default)s)")
    p.add_argument("--steps", type=positive, default=600, help="(default %(default)s)")
    p.add_argument("--lr", type=float, default=2e-3, help="largest learning rate (default %(default)s)")
    p.add_argument("--seed", type=int, default=0, help="of weights and batches (default %(default)s)")
    p.add_argument("--threads", type=positive, help="of the CPU (default: PyTorch's choice)")
    a = p.parse_args(argv)
    if a.width % a.heads:
        p.error(f"--heads {a.heads}: does not divide --width {a.width}")
    if a.vocab < 257:
        p.error(f"--vocab {a.vocab}: want at least 257, a token for each byte and one for the end of a text")
    return a


def main(argv=None):
    a = arguments(argv)
    import texts
    try:
        before, after = train(a)
    except texts.TextError as e:
        print(f"train_model: {e}", file=sys.stderr)
        return 2
    print(f"loss {after:.3f} nats a token, unigram entropy {before:.3f}, of a uniform guess {math.log(a.vocab):.3f}")
    if not after < before:
        print("train_model: the loss is not below the unigram entropy: give more --steps or more text", file=sys.stderr)
        return 1
    return 0


def train(a):
    """Trains and saves the model. Returns the unigram entropy and the loss, in nats a token, of the held-out
    contexts."""
    import torch
    import transformers

    import texts
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True, warn_only=True)
    if a.threads:
        torch.set_num_threads(a.threads)
    files = texts.find(a.text, a.exclude)
    tokenizer = make_tokenizer(files, a.vocab)
    contexts = [c for c in texts.Contexts(files, tokenizer, a.context_length) if len(c) == a.context_length]
    held, rest = contexts[::20], [c for i, c in enumerate(contexts) if i % 20]
    if not rest:
        raise texts.TextError(f"the text has {len(contexts)} contexts of {a.context_length} tokens: give more")
    held, rest = torch.tensor(held), torch.tensor(rest)
    torch.manual_seed(a.seed)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=a.context_length, n_embd=a.width, n_layer=a.layers, n_head=a.heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id)
    model = transformers.GPT2LMHeadModel(config)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters:,} parameters, {len(rest) * a.context_length:,} tokens to train on, {held.numel():,} held out",
          file=sys.stderr)
    fit(a, model, rest)
    model.save_pretrained(a.out)
    tokenizer.save_pretrained(a.out)
    return unigram_entropy(held[:, 1:]), loss(model, held, a.batch_size)


def make_tokenizer(files, vocab):
    """Returns a byte-level BPE of the files, which has a token for every byte and so for every text."""
    import tokenizers
    import transformers

    import texts
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    bpe.train_from_iterator((t for t in map(texts.read, files) if t), trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<|endoftext|>",
                                                eos_token="<|endoftext|>", unk_token="<|endoftext|>")


def fit(a, model, contexts):
    """Trains with AdamW, a warm-up of a twentieth of the steps, and a cosine decay to a tenth."""
    import torch
    opt = torch.optim.AdamW(model.parameters(), lr=a.lr, betas=(0.9, 0.95), weight_decay=0.1)
    warm = max(1, a.steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(
        (s + 1) / warm, 0.55 + 0.45 * math.cos(math.pi * min(1, s / a.steps))))
    order = torch.Generator().manual_seed(a.seed)
    model.train()
    last = time.monotonic()
    for step in range(a.steps):
        batch = contexts[torch.randint(len(contexts), (a.batch_size,), generator=order)]
        value = model(input_ids=batch, labels=batch).loss
        opt.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        schedule.step()
        if time.monotonic() - last > 15 or step + 1 == a.steps:
            last = time.monotonic()
            print(f"step {step + 1} of {a.steps}, loss {value.item():.3f}", file=sys.stderr, flush=True)
    model.eval()


def loss(model, contexts, size):
    """Returns the mean loss of the tokens that follow another in their context."""
    import torch
    total = 0.0
    with torch.inference_mode():
        for part in contexts.split(size):
            total += model(input_ids=part, labels=part).loss.item() * len(part)
    return total / len(contexts)


def unigram_entropy(tokens):
    """Returns the entropy of the frequencies of tokens, in nats: the least loss without any context."""
    import torch
    p = torch.bincount(tokens.flatten()).double()
    p = p[p > 0] / p.sum()
    return -(p * p.log()).sum().item()


if __name__ == "__main__":
    sys.exit(main())
