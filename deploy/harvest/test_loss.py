"""Measures autoencoders in a tiny causal model with random weights, which the tests make themselves: nothing is
downloaded. Run: python -m pytest test_loss.py"""

import csv
import json
import math
import shutil

import pytest
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import harvest
import loss

WORDS = "the cat sat on a mat and saw one dog run far over green hills".split()
WIDTH = 16


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Returns a folder with a GPT-2 of 3 layers, whose tokenizer begins each context with <bos>, and text files."""
    root = tmp_path_factory.mktemp("home")
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<pad>", "<bos>", *WORDS])}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<bos>", pad_token="<pad>")
    torch.manual_seed(1)
    config = transformers.GPT2Config(vocab_size=2 + len(WORDS), n_embd=WIDTH, n_layer=3, n_head=2, n_positions=32,
                                     bos_token_id=1, eos_token_id=1, initializer_range=0.4)
    transformers.GPT2LMHeadModel(config).save_pretrained(root / "gpt2")
    tokenizer.save_pretrained(root / "gpt2")
    (root / "text").mkdir()
    for i in range(9):
        (root / "text" / f"{i}.txt").write_text(" ".join(WORDS[(i + j * j) % len(WORDS)] for j in range(13 * i + 3)))
    return root


def export(folder, w_enc, b_enc, w_dec, b_dec, k, result=None):
    """Writes an autoencoder as sweep exports it."""
    folder.mkdir(parents=True)
    save_file({"encoder.weight": w_enc.contiguous(), "encoder.bias": b_enc, "W_dec": w_dec.contiguous(),
               "b_dec": b_dec}, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"k": k, "num_latents": len(w_enc), "d_in": w_enc.shape[1]}))
    result = {"cell": folder.name, "layer": 1, "submodule_name": "resid_post"} | (result or {})
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def identity(folder, k=WIDTH, result=None):
    """An autoencoder whose reconstructions are exact: latents for each direction and its opposite."""
    both = torch.cat([torch.eye(WIDTH), -torch.eye(WIDTH)])
    return export(folder, both, torch.zeros(2 * WIDTH), both.clone(), torch.zeros(WIDTH), k, result)


def run(home, *more, sae=(), model="gpt2", out=None, text="*"):
    return loss.main(["--model", str(home / model), "--text", str(home / "text" / text), "--sae", *map(str, sae),
                      "--context-length", "10", "--batch-size", "4", *(["--out", str(out)] if out else []), *more])


def rows(out):
    with open(out, newline="") as f:
        return [{k: (float(v) if k.startswith(("ce_", "kl", "loss")) else v) for k, v in r.items()}
                for r in csv.DictReader(f)]


def contexts(home):
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "gpt2")
    for i in range(9):
        ids = tokenizer((home / "text" / f"{i}.txt").read_text(), add_special_tokens=False)["input_ids"]
        for j in range(0, len(ids), 9):
            yield [1, *ids[j:j + 9]]


def expected(home, change, layer=1):
    """The mean loss and KL with the output of a block changed, one context at a time, without this project's code."""
    model = transformers.AutoModelForCausalLM.from_pretrained(home / "gpt2").eval()
    ce, kl = [], []
    for c in contexts(home):
        ids = torch.tensor([c])
        with torch.no_grad():
            p = model(ids).logits[0, :-1].log_softmax(-1)

            def hook(module, args, out):
                return change(out) if isinstance(out, torch.Tensor) else (change(out[0]), *out[1:])
            handle = model.transformer.h[layer].register_forward_hook(hook)
            q = model(ids).logits[0, :-1].log_softmax(-1)
            handle.remove()
        ce += (-q[range(len(c) - 1), c[1:]]).tolist()
        kl += (p.exp() * (p - q)).sum(-1).tolist()
    return sum(ce) / len(ce), sum(kl) / len(kl), len(ce)


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-5)


def test_exact_reconstruction_recovers_all(home, tmp_path):
    out = tmp_path / "loss.csv"
    assert run(home, sae=[identity(tmp_path / "a")], out=out) == 0
    [r] = rows(out)
    assert r["cell"] == "a" and r["module"] == "transformer.h.1" and "sweep" not in r
    assert close(r["loss_recovered_zero"], 1) and close(r["loss_recovered_mean"], 1) and close(r["kl"], 0)
    orig, _, n = expected(home, lambda x: x)
    assert close(r["ce_loss"], orig) and r["loss_tokens"] == n
    assert close(r["ce_loss_zero"], expected(home, torch.zeros_like)[0])
    assert abs(r["ce_loss_zero"] - r["ce_loss"]) > 0.01  # or recovery would say nothing


def test_losses_are_those_of_the_changed_model(home, tmp_path):
    torch.manual_seed(2)
    w, b = torch.randn(40, WIDTH), torch.randn(40) / 10
    dec, b_dec = torch.randn(40, WIDTH) / 4, torch.randn(WIDTH)
    export(tmp_path / "a", w, b, dec, b_dec, 5)
    identity(tmp_path / "b", k=3)
    assert run(home, sae=[tmp_path / "a", tmp_path / "b"], out=tmp_path / "loss.csv") == 0

    def reconstruct(x):
        pre = torch.relu((x - b_dec) @ w.T + b)
        top = pre.topk(5)
        return torch.zeros_like(pre).scatter(-1, top.indices, top.values) @ dec + b_dec
    model = transformers.AutoModel.from_pretrained(home / "gpt2").eval()
    with torch.no_grad():
        acts = [model(torch.tensor([c]), output_hidden_states=True).hidden_states[2][0] for c in contexts(home)]
    mean = torch.cat(acts).mean(0)
    r, other = rows(tmp_path / "loss.csv")
    ce, kl, _ = expected(home, reconstruct)
    at_mean, _, _ = expected(home, lambda x: mean.expand_as(x))
    assert close(r["ce_loss_sae"], ce) and close(r["kl"], kl) and kl > 0.01 and close(r["ce_loss_mean"], at_mean)
    for ablated in "zero", "mean":
        want = (r[f"ce_loss_{ablated}"] - r["ce_loss_sae"]) / (r[f"ce_loss_{ablated}"] - r["ce_loss"])
        assert close(r[f"loss_recovered_{ablated}"], want)
    assert other["cell"] == "b" and other["ce_loss"] == r["ce_loss"] and other["ce_loss_sae"] != r["ce_loss_sae"]


def test_special_tokens_are_left_as_they_are(home, tmp_path):
    identity(tmp_path / "a", k=2, result={"drop_special": True})
    identity(tmp_path / "b", k=2)
    assert run(home, sae=[tmp_path / "a", tmp_path / "b"], out=tmp_path / "loss.csv") == 0
    a, b = rows(tmp_path / "loss.csv")

    def zero(x):
        out = torch.zeros_like(x)
        out[:, 0] = x[:, 0]
        return out
    assert close(a["ce_loss_zero"], expected(home, zero)[0]) and a["ce_loss_zero"] != b["ce_loss_zero"]
    assert a["ce_loss_sae"] != b["ce_loss_sae"] and a["ce_loss_mean"] != b["ce_loss_mean"]
    assert run(home, "--no-drop-special", sae=[tmp_path / "a"], out=tmp_path / "all.csv") == 0
    assert rows(tmp_path / "all.csv")[0]["ce_loss_sae"] == b["ce_loss_sae"]
    assert run(home, "--max-norm-multiple", "1.1", sae=[tmp_path / "b"], out=tmp_path / "low.csv") == 0
    assert rows(tmp_path / "low.csv")[0]["kl"] < b["kl"]


def test_same_bytes_in_any_company(home, tmp_path):
    for name, k in ("a", 2), ("b", 7):
        identity(tmp_path / name, k, {"sweep": "s-1"})
    for out in "x.csv", "y.csv", "one.csv", "x.json", "x.jsonl":
        saes = [tmp_path / "b"] if out == "one.csv" else [tmp_path / "a", tmp_path / "b"]
        assert run(home, sae=saes, out=tmp_path / out) == 0
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()
    x, one = rows(tmp_path / "x.csv"), rows(tmp_path / "one.csv")
    assert one == x[1:] and one[0]["sweep"] == "s-1"
    objects = json.loads((tmp_path / "x.json").read_text())
    assert objects == [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [o["kl"] for o in objects] == [r["kl"] for r in x]


@pytest.mark.parametrize("names,more", [
    ({"module_path": "h.1", "layer": 0}, []),
    ({"module_path": "transformer.h.1", "layer": 0}, []),
    ({"layer": None, "submodule_name": None, "hook_name": "blocks.1.hook_resid_post"}, []),
    ({"layer": None, "submodule_name": None, "hook_name": "transformer.h.1"}, []),
    ({"layer": 0, "module_path": "h.0"}, ["--layer", "1"]),
    ({"layer": 0, "module_path": "h.0"}, ["--module", "h.1"]),
])
def test_places(home, tmp_path, names, more):
    identity(tmp_path / "a", 2)
    identity(tmp_path / "b", 2, names)
    assert run(home, sae=[tmp_path / "a"], out=tmp_path / "a.csv") == 0
    assert run(home, *more, sae=[tmp_path / "b"], out=tmp_path / "b.csv") == 0
    [a], [b] = rows(tmp_path / "a.csv"), rows(tmp_path / "b.csv")
    assert b["module"] == "transformer.h.1" and b["kl"] == a["kl"]


def test_other_hooks(home, tmp_path):
    saes = [identity(tmp_path / h, result={"submodule_name": h}) for h in ("mlp_out", "attn_out", "resid_post")]
    assert run(home, sae=saes, out=tmp_path / "loss.csv") == 0
    got = rows(tmp_path / "loss.csv")
    assert [r["module"] for r in got] == ["transformer.h.1.mlp", "transformer.h.1.attn", "transformer.h.1"]
    assert all(close(r["loss_recovered_zero"], 1) for r in got)
    assert len({r["ce_loss_zero"] for r in got}) == 3


FAMILIES = {
    "gpt_neox": (transformers.GPTNeoXConfig, {}),
    "llama": (transformers.LlamaConfig, {"num_key_value_heads": 2}),
    "opt": (transformers.OPTConfig, {"ffn_dim": 32, "word_embed_proj_dim": WIDTH}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_families(home, tmp_path, family):
    make, more = FAMILIES[family]
    torch.manual_seed(1)
    config = make(vocab_size=20, hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
                  max_position_embeddings=32, **more)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "lm")
    transformers.AutoTokenizer.from_pretrained(home / "gpt2").save_pretrained(tmp_path / "lm")
    saes = [identity(tmp_path / h, result={"submodule_name": h}) for h in ("mlp_out", "attn_out", "resid_post")]
    assert run(home, sae=saes, model=str(tmp_path / "lm"), out=tmp_path / "loss.csv") == 0
    got = rows(tmp_path / "loss.csv")
    assert all(close(r["kl"], 0) and close(r["ce_loss_sae"], r["ce_loss"]) for r in got)
    assert len({r["ce_loss_zero"] for r in got} | {got[0]["ce_loss"]}) == 4


def test_files_of_other_tools(home, tmp_path):
    torch.manual_seed(3)
    w, dec = torch.randn(24, WIDTH), torch.randn(24, WIDTH) / 4
    b, b_dec = torch.randn(24) / 10, torch.randn(WIDTH)
    export(tmp_path / "a", w, b, dec, b_dec, 4)
    (tmp_path / "b").mkdir()
    save_file({"W_enc": w.T.contiguous(), "b_enc": b, "W_dec": dec, "b_dec": b_dec},
              tmp_path / "b" / "sae_weights.safetensors")
    (tmp_path / "b" / "cfg.json").write_text(json.dumps({
        "architecture": "topk", "k": 4, "metadata": {"hook_name": "transformer.h.1", "context_size": 10}}))
    (tmp_path / "c").mkdir()
    torch.save({"encoder.weight": w, "encoder.bias": b, "decoder.weight": dec.T, "b_dec": b_dec,
                "k": torch.tensor(4, dtype=torch.int32)}, tmp_path / "c" / "ae.pt")
    (tmp_path / "c" / "config.json").write_text(json.dumps({
        "trainer": {"k": 4, "layer": 1, "submodule_name": "resid_post"}}))
    shutil.copytree(tmp_path / "c", tmp_path / "d")
    (tmp_path / "d" / "config.json").write_text(json.dumps({  # what sweep adds, where the tool has no place for it
        "trainer": {"k": 4}, "sweep": {"module_path": "h.1", "context_length": 10}}))
    assert run(home, sae=[tmp_path / n for n in "abcd"], out=tmp_path / "loss.csv") == 0
    a, b, c, d = rows(tmp_path / "loss.csv")
    assert a["kl"] == b["kl"] == c["kl"] == d["kl"] and b["cell"] == ""


def test_as_harvest_says(home, tmp_path, capsys):
    args = ["--model", str(home / "gpt2"), "--text", str(home / "text" / "*"), "--out", str(tmp_path / "acts"),
            "--layer", "1", "--context-length", "10", "--drop-special"]
    assert harvest.main(args) == 0
    identity(tmp_path / "a", 2, {"layer": 0, "drop_special": None})
    identity(tmp_path / "b", 2, {"layer": 1, "drop_special": True})
    common = ["--model", str(home / "gpt2"), "--text", str(home / "text" / "*"), "--sae"]
    capsys.readouterr()
    assert loss.main([*common, str(tmp_path / "a"), "--harvest", str(tmp_path / "acts"),
                      "--out", str(tmp_path / "a.csv"), "--batch-size", "4"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert run(home, sae=[tmp_path / "b"], out=tmp_path / "b.csv") == 0
    [a], [b] = rows(tmp_path / "a.csv"), rows(tmp_path / "b.csv")
    assert a["kl"] == b["kl"] and a["module"] == "transformer.h.1"


def test_no_recovery_where_ablation_costs_nothing():
    r = loss.row(type("S", (), {"cell": "c", "sweep": None, "path": "p"}), "m", 1.5, 2.0, math.nan, 1.5, math.inf, 9)
    assert r["loss_recovered_zero"] is None and r["kl"] is None and r["ce_loss_mean"] is None
    assert r["loss_recovered_mean"] is None


def test_stops_at_max_tokens(home, tmp_path):
    identity(tmp_path / "a")
    assert run(home, "--max-tokens", "57", sae=[tmp_path / "a"], out=tmp_path / "loss.csv") == 0
    want, left = 0, 57
    for c in contexts(home):
        if len(c) > left:
            break
        want, left = want + len(c) - 1, left - len(c)
    assert rows(tmp_path / "loss.csv")[0]["loss_tokens"] == want > 0


def make_bad(home, root):
    """Makes models and folders that are refused, and returns the folders by name."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "gpt2")
    torch.manual_seed(1)
    common = {"vocab_size": 20, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2,
              "intermediate_size": 32, "max_position_embeddings": 32}
    bert = transformers.BertForMaskedLM(transformers.BertConfig(**common))
    headless = transformers.LlamaModel(transformers.LlamaConfig(**common, num_key_value_heads=2))
    distilbert = transformers.DistilBertModel(transformers.DistilBertConfig(
        vocab_size=20, dim=16, n_layers=2, n_heads=2, hidden_dim=32))
    for name, m in (("bert", bert), ("headless", headless), ("distilbert", distilbert)):
        m.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    identity(root / "good")
    identity(root / "lost", result={"layer": None, "submodule_name": None})
    identity(root / "deep", result={"layer": 7})
    identity(root / "elsewhere", result={"module_path": "h.9"})
    identity(root / "long", result={"context_length": 99})
    identity(root / "short", result={"context_length": 8})
    export(root / "narrow", torch.ones(4, 3), torch.ones(4), torch.ones(4, 3), torch.ones(3), 2)
    export(root / "torn", torch.ones(4, 3), torch.ones(5), torch.ones(4, 3), torch.ones(3), 2)
    identity(root / "no-k")
    (root / "no-k" / "cfg.json").write_text("{}")
    identity(root / "no-json")
    (root / "no-json" / "cfg.json").write_text("{")
    (root / "empty").mkdir()
    for name, file in ("torn-tensors", "sae.safetensors"), ("torn-pickle", "ae.pt"):
        (root / name).mkdir()
        (root / name / file).write_bytes(b"PK\3\4 half of a file")
    return root


@pytest.fixture(scope="module")
def bad(home, tmp_path_factory):
    return make_bad(home, tmp_path_factory.mktemp("bad"))


@pytest.mark.parametrize("sae,model,more,want", [
    (["good"], "bert", [], "a causal model is needed"),
    (["good"], "headless", [], "a causal model is needed, with the head that predicts tokens"),
    (["good"], "distilbert", [], "a causal model is needed"),
    (["good"], "nowhere", [], "--model"),
    (["empty"], None, [], "is no folder of an exported model"),
    (["nowhere"], None, [], "is no folder of an exported model"),
    ([""], None, [], "name those below it, as "),
    (["no-k"], None, [], "want a folder that sweep has exported"),
    (["no-json"], None, [], "cfg.json"),
    (["torn-tensors"], None, [], "want a folder that sweep has exported"),
    (["torn-pickle"], None, [], "want a folder that sweep has exported"),
    (["torn"], None, [], "do not go together"),
    (["narrow"], None, [], "takes activations of width 3, and transformer.h.1 puts out 16"),
    (["lost"], None, [], "does not say where its activations come from"),
    (["deep"], None, [], "the model has layers 0 to 2"),
    (["elsewhere"], None, [], "--module h.9"),
    (["good", "good"], None, [], "is given twice"),
    (["good"], None, ["--context-length", "33"], "the model takes at most 32 tokens"),
    (["good"], None, ["--max-tokens", "1"], "no context of at most 1 tokens"),
    (["good"], None, ["--text", "nowhere/*"], "--text nowhere/*: matches no file"),
    (["good"], None, ["--harvest", "nowhere"], "holds no harvest.json"),
    (["good"], None, ["--out", "nowhere/loss.csv"], "--out nowhere/loss.csv"),
])
def test_errors(home, bad, capsys, sae, model, more, want):
    where = [str(bad / model) if model else str(home / "gpt2"), "--text", str(home / "text" / "*"),
             "--context-length", "10"]
    assert loss.main(["--model", *where, "--sae", *(str(bad / s) for s in sae), *more]) == 2
    out = capsys.readouterr()
    assert out.err.startswith("loss: ") and want in out.err and out.out == ""


def test_context_lengths_that_differ(home, bad, capsys):
    args = ["--model", str(home / "gpt2"), "--text", str(home / "text" / "*"), "--sae", str(bad / "short")]
    assert loss.main(args) == 0
    assert "loss_recovered_zero" in capsys.readouterr().out
    assert loss.main([*args, str(bad / "long")]) == 2
    assert "several context lengths, 8" in capsys.readouterr().err


@pytest.mark.parametrize("more", [
    [], ["--sae"], ["--sae", "a", "--layer", "1", "--module", "m"], ["--sae", "a", "--hook", "mlp_out"],
    ["--sae", "a", "--out", "x.txt"], ["--sae", "a", "--max-norm-multiple", "0.5"], ["--sae", "a", "--batch-size", "0"],
])
def test_usage(more):
    with pytest.raises(SystemExit) as e:
        loss.main(["--model", "x", "--text", "y", *more])
    assert e.value.code == 2


def test_help(capsys):
    with pytest.raises(SystemExit) as e:
        loss.main(["--help"])
    assert e.value.code == 0 and "examples:" in capsys.readouterr().out
