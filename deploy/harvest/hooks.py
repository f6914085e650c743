"""Reads the output of one module inside a Hugging Face model."""

import hashlib

import torch

# Where the parts of a block are in the families of models, the first that a
# block has. BERT's block has no module for its feed-forward part alone: its last
# linear layer, before the residual is added, gives that part's output.
PLACES = {
    "resid_post": [""],
    "mlp_out": ["mlp", "feed_forward", "ffn", "output.dense", "fc2", "layer.1.DenseReluDense"],
    "attn_out": ["attention.output.dense", "self_attn", "self_attention", "attn", "attention", "layer.0.SelfAttention"],
}


class HookError(Exception):
    """The model has no such place; the message says what it has."""


class _Done(Exception):
    """Ends the forward pass once the module has run."""


def find(model, layer, hook):
    """The path of the module for a hook of a block, counted from 0."""
    count = model.config.get_text_config().num_hidden_layers
    lists = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList)}
    blocks = next((n for n, m in lists.items() if len(m) == count), None)
    if blocks is None:
        raise HookError(f"cannot tell which of {', '.join(lists) or 'no lists'} are the {count} blocks: give --module")
    if not 0 <= layer < count:
        raise HookError(f"--layer {layer}: the model has layers 0 to {count - 1}")
    block = f"{blocks}.{layer}"
    for place in PLACES[hook]:
        path = f"{block}.{place}".rstrip(".")
        try:
            model.get_submodule(path)
        except AttributeError:
            continue
        return path
    parts = ", ".join(n for n, _ in model.get_submodule(block).named_modules() if n)
    raise HookError(f"no {hook} is known in {block}, which has {parts}: give --module {block}.NAME")


class Tap:
    """Runs a model up to a module and returns what the module puts out."""

    def __init__(self, model, path):
        try:
            module = model.get_submodule(path)
        except AttributeError as e:
            raise HookError(f"--module {path}: {e}") from e
        self.model, self.path, self.out = model, path, None
        module.register_forward_hook(self._keep)

    def _keep(self, module, args, output):
        while not isinstance(output, torch.Tensor):
            output = output[0]  # a tuple or a ModelOutput, hidden states first
        self.out = output
        raise _Done

    @torch.inference_mode()
    def __call__(self, ids, mask):
        """[B, T] token ids and mask to [B, T, D] activations."""
        self.out = None
        try:
            self.model(input_ids=ids, attention_mask=mask)
        except _Done:
            pass
        if self.out is None:
            raise HookError(f"{self.path} does not take part in the forward pass")
        out = self.out
        if out.dim() == 2 and out.shape[0] == ids.numel():
            out = out.reshape(*ids.shape, -1)  # some models flatten for the MLP
        if out.dim() != 3 or out.shape[:2] != ids.shape:
            raise HookError(f"{self.path} puts out {list(out.shape)}, not {list(ids.shape)} and a width")
        return out


def digest(model):
    """SHA-256 over the names and values of the weights: which model it was,
    wherever it was loaded from."""
    h = hashlib.sha256()
    for name, t in sorted(model.state_dict().items()):
        h.update(f"{name} {t.dtype} {list(t.shape)}\n".encode())
        h.update(t.detach().cpu().contiguous().view(torch.uint8).numpy() if t.dim() else str(t.item()).encode())
    return h.hexdigest()
