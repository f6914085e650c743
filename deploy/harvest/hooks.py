"""Reads the output of one module inside a Hugging Face model."""

import hashlib

import torch

# The paths of a block's parts in several families of models; the first path that a block
# has is used. BERT's block has no module for its feed-forward part alone. The output of
# that part is the output of its last linear layer, before the residual is added.
PATHS = {
    "resid_post": [""],
    "mlp_out": ["mlp", "feed_forward", "ffn", "output.dense", "fc2", "layer.1.DenseReluDense"],
    "attn_out": ["attention.output.dense", "self_attn", "self_attention", "attn", "attention", "layer.0.SelfAttention"],
}

# Families whose block ends with a layer norm, so that its output is the normalised residual stream.
NORMALIZED = {"bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "mpnet"}

# Families that normalise what MLP and attention put out before they add it. TransformerLens names what is added, and
# the hooks mlp_out and attn_out take what the modules put out.
SANDWICHED = {"gemma2", "gemma3", "gemma3_text", "olmo2", "olmo3", "glm4", "exaone4"}


class HookError(Exception):
    """The model has no such module; the message names those that it has."""


class _Done(Exception):
    """Ends the forward pass when the module has run."""


def find(model, layer, hook):
    """Returns the path of the module for a hook of block number layer, from 0."""
    count = model.config.get_text_config().num_hidden_layers
    lists = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList)}
    blocks = next((n for n, m in lists.items() if len(m) == count), None)
    if blocks is None:
        raise HookError(f"cannot tell which of {', '.join(lists) or 'no lists'} are the {count} blocks: give --module")
    if not 0 <= layer < count:
        raise HookError(f"--layer {layer}: the model has layers 0 to {count - 1}")
    block = f"{blocks}.{layer}"
    for part in PATHS[hook]:
        path = f"{block}.{part}".rstrip(".")
        try:
            model.get_submodule(path)
        except AttributeError:
            continue
        return path
    parts = ", ".join(n for n, _ in model.get_submodule(block).named_modules() if n)
    raise HookError(f"no {hook} is known in {block}, which has {parts}: give --module {block}.NAME")


def transformer_lens_name(model_type, layer, hook):
    """Returns what TransformerLens calls the output of a hook of block number layer, or None where it has no name for
    it."""
    if hook != "resid_post" and model_type in SANDWICHED:
        return None
    if hook == "resid_post" and model_type in NORMALIZED:
        hook = "normalized_resid_post"
    return f"blocks.{layer}.hook_{hook}"


def causal_path(model, path):
    """Returns the path of a module in the causal model whose body model is: transformer.h.2 for h.2 of a GPT-2. SAELens
    names the hooks of Hugging Face's models so. It is None where there is no such causal model, or no module in it."""
    import transformers
    if type(model.config) not in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        return None
    with torch.device("meta"):  # without weights
        causal = transformers.AutoModelForCausalLM.from_config(model.config)
    if type(causal.base_model) is not type(model):
        return None
    try:
        return resolve(causal, path)
    except HookError:
        return None


class Tap:
    """Runs a model until some modules have run, and returns their outputs."""

    def __init__(self, model, *paths):
        self.model, self.paths, self.out = model, paths, {}
        for path in paths:
            try:
                module = model.get_submodule(path)
            except AttributeError as e:
                raise HookError(f"--module {path}: {e}") from e
            module.register_forward_hook(lambda module, args, output, path=path: self._keep(path, output))

    def _keep(self, path, output):
        if path in self.out:
            return
        while not isinstance(output, torch.Tensor):
            output = output[0]  # of a tuple or a ModelOutput, the hidden states come first
        self.out[path] = output
        if len(self.out) == len(self.paths):
            raise _Done
        self.out[path] = output.clone()  # modules above may change it in place

    @torch.inference_mode()
    def __call__(self, ids, mask):
        """Returns the activations [B, T, D] of each path for token ids [B, T] and their mask."""
        self.out = {}
        try:
            self.model(input_ids=ids, attention_mask=mask)
        except _Done:
            pass
        return [self._shaped(path, ids) for path in self.paths]

    def _shaped(self, path, ids):
        if path not in self.out:
            raise HookError(f"{path} does not take part in the forward pass")
        out = self.out[path]
        if out.dim() == 2 and out.shape[0] == ids.numel():
            out = out.reshape(*ids.shape, -1)  # some models flatten [B, T] for the MLP
        if out.dim() != 3 or out.shape[:2] != ids.shape:
            raise HookError(f"{path} puts out {list(out.shape)}, not {list(ids.shape)} and a width")
        return out


def digest(model):
    """Returns the SHA-256 of the names and values of the weights. It identifies the model
    and does not depend on where it was loaded from."""
    h = hashlib.sha256()
    for name, t in sorted(model.state_dict().items()):
        h.update(f"{name} {t.dtype} {list(t.shape)}\n".encode())
        h.update(t.detach().cpu().contiguous().view(torch.uint8).numpy() if t.dim() else str(t.item()).encode())
    return h.hexdigest()


def resolve(model, path):
    """Returns the full path of a module. path may be one of the model without its head, as
    harvest.json has it."""
    for root in (model.base_model, model):
        try:
            module = root.get_submodule(path)
        except AttributeError as e:
            error = e
            continue
        return next(n for n, m in model.named_modules() if m is module)
    raise HookError(f"--module {path}: {error}")


class Splice:
    """Passes the output of one module of a model through a function, whenever there is one."""

    def __init__(self, model, path):
        self.change = None
        model.get_submodule(path).register_forward_hook(self._hook)

    def _hook(self, module, args, output):
        return None if self.change is None else self._replaced(output)

    def _replaced(self, output):
        if isinstance(output, torch.Tensor):
            return self.change(output)
        if isinstance(output, tuple | list):  # the hidden states come first
            return type(output)((self._replaced(output[0]), *output[1:]))
        first = next(iter(output))  # of a ModelOutput
        output[first] = self._replaced(output[first])
        return output
