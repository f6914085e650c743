"""Harvests tiny models with random weights, which the tests make themselves: nothing is
downloaded. Run: python -m pytest test_harvest.py"""

import gzip
import json
import os

import pytest
import torch
import transformers
from safetensors.torch import load_file, safe_open

import harvest
import hooks
import texts

WORDS = "the cat sat on a mat and saw one dog run far over green hills".split()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Returns a folder with a BERT of 3 layers, its tokenizer, and text files."""
    root = tmp_path_factory.mktemp("home")
    (root / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS))
    tokenizer = transformers.BertTokenizer(str(root / "vocab.txt"))
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=5 + len(WORDS), hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32)
    transformers.BertModel(config).save_pretrained(root / "bert")
    tokenizer.save_pretrained(root / "bert")
    (root / "text").mkdir()
    for i in range(9):
        (root / "text" / f"{i}.txt").write_text(" ".join(WORDS[(i + j * j) % len(WORDS)] for j in range(13 * i + 3)))
    with gzip.open(root / "text" / "z.txt.gz", "wt") as f:
        f.write("the dog sat\n" * 20)
    (root / "text" / "copy.txt").write_bytes((root / "text" / "5.txt").read_bytes())
    (root / "text" / "picture.txt").write_bytes(b"\x89PNG\0\0the cat")
    return root


def run(home, out, *more, model="bert", layer="1"):
    where = [] if layer is None else ["--layer", layer]
    return harvest.main(["--model", str(home / model), "--text", str(home / "text" / "*"), "--out", str(out),
                         "--context-length", "10", "--batch-size", "4", "--shard-rows", "100", "--dtype", "f32",
                         *where, *more])


def rows(out):
    return torch.cat([load_file(out / n)["activations"] for n in sorted(os.listdir(out)) if n.endswith(".safetensors")])


def record(out):
    return json.loads((out / "harvest.json").read_text())


def content(out):
    return {n: (out / n).read_bytes() for n in sorted(os.listdir(out))}


def sorted_rows(x):
    return x[torch.argsort(x[:, 0])]


def test_rows_are_the_models(home, tmp_path):
    assert run(home, tmp_path / "a") == 0
    model = transformers.AutoModel.from_pretrained(home / "bert").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "bert")
    want = []
    for name in sorted(os.listdir(home / "text")):
        text = None if name == "copy.txt" else texts.read(str(home / "text" / name))
        ids = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        for i in range(0, len(ids), 8):  # one context at a time, without padding
            context = torch.tensor([[2] + ids[i:i + 8] + [3]])
            with torch.no_grad():
                want.append(model(context, output_hidden_states=True).hidden_states[2][0])
    want, got = torch.cat(want), rows(tmp_path / "a")
    assert got.shape == want.shape
    torch.testing.assert_close(sorted_rows(got), sorted_rows(want), rtol=1e-4, atol=1e-5)

    r = record(tmp_path / "a")
    assert r["complete"] and r["result"]["rows"] == len(want) and r["result"]["activation_dim"] == 16
    assert r["result"]["files_read"] == 10 and r["result"]["shards"] == -(-len(want) // 100)
    assert r["result"]["files_not_text"] == r["result"]["files_repeated"] == 1
    assert r["config"]["module"] == "encoder.layer.1" and r["config"]["model"] == "bert"
    with safe_open(tmp_path / "a" / "activations-00000.safetensors", "pt") as f:
        assert json.loads(f.metadata()["harvest"])["model_sha256"] == r["config"]["model_sha256"]


def test_same_bytes_again(home, tmp_path):
    for out in "ab":
        assert run(home, tmp_path / out) == 0
    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.mark.parametrize("more", [
    [],
    ["--max-tokens", "333"],
    ["--drop-special", "--hook", "mlp_out", "--max-norm-multiple", "1.2"],
])
def test_goes_on_after_a_stop(home, tmp_path, more, monkeypatch):
    a, b = tmp_path / "a", tmp_path / "b"
    assert run(home, a, *more) == 0
    want = content(a)
    real = hooks.Tap.__call__
    for stop in range(0, 30, 4):
        calls = []

        def tap(self, ids, mask):
            calls.append(1)
            if len(calls) > stop:
                raise KeyboardInterrupt
            return real(self, ids, mask)
        monkeypatch.setattr(hooks.Tap, "__call__", tap)
        code = run(home, b, *more)
        (b / ".activations-00009.safetensors.tmp").write_text("torn")
        if code == 0:
            break
        assert code == 130 and not record(b)["complete"]
    monkeypatch.setattr(hooks.Tap, "__call__", real)
    assert run(home, b, *more) == 0
    (b / ".activations-00009.safetensors.tmp").unlink(missing_ok=True)
    assert content(b) == want


def test_complete_harvest_is_left_alone(home, tmp_path, capsys):
    assert run(home, tmp_path / "a") == 0
    want = content(tmp_path / "a")
    assert run(home, tmp_path / "a") == 0
    assert content(tmp_path / "a") == want and "complete already" in capsys.readouterr().err


def test_names(home, tmp_path):
    assert run(home, tmp_path / "a") == 0
    assert record(tmp_path / "a")["names"] == {
        "lm_name": "bert", "layer": 1, "submodule_name": "resid_post", "module_path": "encoder.layer.1",
        "hook_name": "blocks.1.hook_normalized_resid_post", "context_length": 10, "prepend_bos": True,
        "drop_special": False}
    assert run(home, tmp_path / "b", "--hook", "mlp_out", "--drop-special", "--model-name", "org/name") == 0
    names = record(tmp_path / "b")["names"]
    assert names["hook_name"] == "blocks.1.hook_mlp_out" and names["module_path"] == "encoder.layer.1.output.dense"
    assert names["lm_name"] == "org/name" and names["drop_special"]
    assert run(home, tmp_path / "c", "--module", "encoder.layer.2", layer=None) == 0
    names = record(tmp_path / "c")["names"]
    assert names["module_path"] == "encoder.layer.2"
    assert names["hook_name"] == "bert.encoder.layer.2" and names["layer"] is names["submodule_name"] is None


@pytest.mark.parametrize("family,path,want", [
    ("gpt2", "h.1.mlp", "transformer.h.1.mlp"), ("gemma2", "layers.1.mlp", "model.layers.1.mlp"),
    ("gpt_neox", "layers.1", "gpt_neox.layers.1"), ("opt", "decoder.layers.1", "model.decoder.layers.1"),
    ("vit", "layers.1", None), ("bert", "pooler", None),
])
def test_path_in_the_causal_model(family, path, want):
    small = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2, "vocab_size": 20}
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(family, **small))
    assert hooks.causal_path(model, path) == want


@pytest.mark.parametrize("family,hook,want", [
    ("gpt2", "resid_post", "blocks.7.hook_resid_post"), ("gpt2", "attn_out", "blocks.7.hook_attn_out"),
    ("bert", "resid_post", "blocks.7.hook_normalized_resid_post"), ("bert", "mlp_out", "blocks.7.hook_mlp_out"),
    ("gemma2", "resid_post", "blocks.7.hook_resid_post"), ("gemma2", "mlp_out", None),
])
def test_hook_names(family, hook, want):
    assert hooks.transformer_lens_name(family, 7, hook) == want


@pytest.mark.parametrize("complete", [True, False])
def test_goes_on_with_a_harvest_that_has_no_names(home, tmp_path, complete):
    out = tmp_path / "a"
    assert run(home, out) == 0
    want, old = content(out), record(out)
    del old["names"]
    if not complete:
        del old["result"]
        old["complete"] = False
        os.remove(out / "activations-00001.safetensors")
    (out / "harvest.json").write_text(json.dumps(old))
    assert run(home, out) == 0
    assert content(out) == want


def test_refuses_other_folders(home, tmp_path, capsys):
    assert run(home, tmp_path / "a") == 0
    assert run(home, tmp_path / "a", "--seed", "3") == 2
    assert "seed was None and is 3" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert run(home, tmp_path / "mine") == 2
    assert "is not empty and holds no harvest.json" in capsys.readouterr().err
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]


def test_options(home, tmp_path):
    assert run(home, tmp_path / "all") == 0
    assert run(home, tmp_path / "plain", "--drop-special") == 0
    assert run(home, tmp_path / "few", "--max-tokens", "150") == 0
    assert run(home, tmp_path / "mixed", "--seed", "1") == 0
    assert run(home, tmp_path / "some", "--exclude", "z*", "picture*") == 0
    assert run(home, tmp_path / "low", "--hook", "mlp_out", "--max-norm-multiple", "1.2") == 0
    every = rows(tmp_path / "all")
    contexts = sum(-(-n // 8) for n in [*(13 * i + 3 for i in range(9)), 60])
    assert len(rows(tmp_path / "plain")) == len(every) - 2 * contexts
    assert torch.equal(rows(tmp_path / "few"), every[:150])
    mixed = rows(tmp_path / "mixed")
    assert not torch.equal(mixed, every)
    torch.testing.assert_close(sorted_rows(mixed), sorted_rows(every), rtol=1e-4, atol=1e-5)
    assert record(tmp_path / "some")["config"]["files"] == 10
    low = record(tmp_path / "low")["result"]
    assert low["rows"] + low["dropped"]["high_norm"] == len(every) and low["dropped"]["high_norm"] > 0


@pytest.mark.parametrize("name,dtype", [("f16", torch.float16), ("bf16", torch.bfloat16)])
def test_dtypes(home, tmp_path, name, dtype):
    assert run(home, tmp_path / "a") == 0
    assert run(home, tmp_path / "b", "--dtype", name) == 0
    assert torch.equal(rows(tmp_path / "b"), rows(tmp_path / "a").to(dtype))


def test_rows_that_f16_cannot_hold(home, tmp_path, capsys):
    model = transformers.AutoModel.from_pretrained(home / "bert")
    with torch.no_grad():
        model.encoder.layer[1].output.LayerNorm.bias[3] = 65519.5
    model.save_pretrained(tmp_path / "big")
    transformers.AutoTokenizer.from_pretrained(home / "bert").save_pretrained(tmp_path / "big")
    assert run(home, tmp_path / "a", "--dtype", "f16", model=str(tmp_path / "big")) == 0
    n = record(tmp_path / "a")["result"]["dropped"]["non_finite"]
    assert n > 0 and rows(tmp_path / "a").isfinite().all()
    assert f"warning: {n:,} rows that f16 cannot hold" in capsys.readouterr().err


FAMILIES = {
    "bert": (transformers.BertConfig, {}),
    "distilbert": (transformers.DistilBertConfig, {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}),
    "gpt2": (transformers.GPT2Config, {"n_embd": 16, "n_layer": 2, "n_head": 2}),
    "gpt_neox": (transformers.GPTNeoXConfig, {}),
    "llama": (transformers.LlamaConfig, {"num_key_value_heads": 2}),
    "opt": (transformers.OPTConfig, {"ffn_dim": 32, "word_embed_proj_dim": 16}),
    "t5": (transformers.T5Config, {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}),
}


@pytest.mark.parametrize("hook", ["resid_post", "mlp_out", "attn_out"])
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family, hook):
    make, more = FAMILIES[family]
    common = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
              "intermediate_size": 32}
    if {"n_embd", "dim", "d_model"} & more.keys():  # this family has other names for the sizes
        common = {"vocab_size": 20}
    config = make(**common, **more)
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config).eval()
    if config.is_encoder_decoder:
        model = model.get_encoder()
    ids = torch.tensor([[5, 6, 7], [8, 9, 1]])
    [out] = hooks.Tap(model, hooks.find(model, 0, hook))(ids, torch.tensor([[1, 1, 1], [1, 1, 0]]))
    assert out.shape == (2, 3, 16) and out.isfinite().all()


def test_any_module(home, tmp_path):
    assert run(home, tmp_path / "a", "--module", "encoder.layer.1.intermediate.dense", layer=None) == 0
    assert rows(tmp_path / "a").shape[1] == 32


@pytest.mark.parametrize("more,layer,want", [
    ([], "3", "the model has layers 0 to 2"),
    (["--module", "encoder.layer.7"], None, "--module encoder.layer.7"),
    (["--module", "pooler.dense"], None, "pooler.dense puts out"),
    (["--context-length", "33"], "1", "the model takes at most 32 tokens"),
    (["--context-length", "2"], "1", "leaves no room beside 2 special tokens"),
    (["--text", "nowhere/*"], "1", "--text nowhere/*: matches no file"),
    (["--exclude", "*"], "1", "leaves no file"),
    (["--model", "no/such/model/here"], "1", "--model no/such/model/here"),
])
def test_errors(home, tmp_path, capsys, more, layer, want):
    assert run(home, tmp_path / "a", *more, layer=layer) == 2
    assert want in capsys.readouterr().err


def test_usage(capsys):
    for more in ([], ["--layer", "1", "--module", "m"], ["--layer", "1", "--shard-rows", "0"]):
        with pytest.raises(SystemExit) as e:
            harvest.main(["--model", "x", "--text", "y", "--out", "z", *more])
        assert e.value.code == 2
    with pytest.raises(SystemExit) as e:
        harvest.main(["--help"])
    assert e.value.code == 0 and "examples:" in capsys.readouterr().out


def test_cut():
    text = "".join(f"line {i}\n" for i in range(1000))
    parts = list(texts.cut(text, 100))
    assert "".join(parts) == text and all(p.endswith("\n") and len(p) < 120 for p in parts)
    assert list(texts.cut("x" * 500, 100)) == ["x" * 500]


def test_batches():
    contexts = [[i] * (1 + i * 7 % 10) for i in range(100)]
    groups = list(texts.batches(contexts, 8, window=3))
    assert sorted(map(tuple, sum(groups, []))) == sorted(map(tuple, contexts))
    assert all(len(g) <= 8 for g in groups)
