"""Loads transformers of Hugging Face, and what the scripts of this folder have in common.
PyTorch, which takes seconds to load, is imported when a model is loaded: --help needs none."""

import argparse


def positive(s):
    """The type of options that are whole numbers from 1 up."""
    n = int(s)
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n} is less than 1")
    return n


def load(name, device="auto", dtype="f32", threads=None, causal=False):
    """Returns a model, its tokenizer, and the device that it runs on. The model is without its
    head; with causal it has the head that predicts the next token. name is a folder or a name on
    the hub, dtype that of the forward pass. The error is a HookError."""
    import torch
    import transformers

    import hooks
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(device)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[dtype]
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        if causal:
            model = causal_model(name, dtype)
        else:
            model = transformers.AutoModel.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError) as e:
        raise hooks.HookError(f"--model {name}: {e}") from e
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    model.config.use_cache = False
    model = model.eval().to(device)
    if causal and not sees_only_the_past(model):
        raise hooks.HookError(f"--model {name}: a causal model is needed, which predicts each token from those before "
                              f"it; in this {model.config.model_type} a token changes what is predicted before it")
    return model, tokenizer, device


def causal_model(name, dtype):
    """Returns a model with its head. It refuses one that is not made to predict the next token,
    and one whose files lack weights, which would be random."""
    import transformers

    import hooks
    config = transformers.AutoConfig.from_pretrained(name)
    if config.is_encoder_decoder or type(config) not in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        raise hooks.HookError(f"--model {name}: a causal model is needed, which predicts each token from those before "
                              f"it, such as GPT-2; this is a {config.model_type}")
    model, info = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, output_loading_info=True)
    if missing := sorted(info["missing_keys"]):
        raise hooks.HookError(f"--model {name}: a causal model is needed, with the head that predicts tokens; its "
                              f"files have no {', '.join(missing[:3])}{' and others' if len(missing) > 3 else ''}")
    return model


def sees_only_the_past(model):
    """Reports whether the last token changes nothing that is predicted before it."""
    import torch
    ids = torch.zeros((2, 4), dtype=torch.long, device=model.device)
    ids[1, 3] = 1
    with torch.inference_mode():
        out = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, :3].float()
    return bool((out[0] - out[1]).abs().max() <= 1e-3 * out.abs().max())


def check_length(length, model):
    """Returns a context length, which must not be longer than the model allows."""
    import texts
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if most and length > most:
        raise texts.TextError(f"--context-length {length}: the model takes at most {most} tokens")
    return length


def pad(batch, pad_id, device):
    """Returns the token ids [B, T] of a batch of contexts, with padding behind the shorter ones,
    the lengths [B, 1] and the positions [1, T]."""
    import torch
    length = max(map(len, batch))
    ids = torch.tensor([c + [pad_id or 0] * (length - len(c)) for c in batch], device=device)
    size = torch.tensor([len(c) for c in batch], device=device)[:, None]
    return ids, size, torch.arange(length, device=device)[None, :]
