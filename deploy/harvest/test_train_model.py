"""Trains a tiny model on text that the tests make. Run: python -m pytest test_train_model.py"""

import pytest
import torch
import transformers

import train_model


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    root = tmp_path_factory.mktemp("text")
    for i in range(8):
        (root / f"{i}.txt").write_text("".join(f"line {j} of file {i}: {j * j % 97}\n" for j in range(400)))
    return root


def run(text, out, *more):
    return train_model.main(["--text", str(text / "*"), "--out", str(out), "--vocab", "270", "--layers", "1", "--width",
                             "32", "--heads", "2", "--context-length", "32", "--batch-size", "8", *more])


def test_trains_below_the_unigram_entropy(text, tmp_path, capsys):
    for out in "ab":
        assert run(text, tmp_path / out, "--steps", "120", "--lr", "0.01") == 0
    last = capsys.readouterr().out.splitlines()[-1].replace(",", "").split()
    loss, entropy = float(last[1]), float(last[7])
    assert 0 < loss < entropy - 0.5
    a, b = (transformers.AutoModelForCausalLM.from_pretrained(tmp_path / n) for n in "ab")
    assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "a")
    for s in "line 7 of file 3: 49\n", "nothing like it: ü€\t\x01", "":
        assert tokenizer.decode(tokenizer(s)["input_ids"]) == s


def test_says_when_it_has_not_learnt(text, tmp_path, capsys):
    assert run(text, tmp_path / "a", "--steps", "1", "--lr", "0") == 1
    assert "the loss is not below the unigram entropy" in capsys.readouterr().err


def test_errors(text, tmp_path, capsys):
    (tmp_path / "short.txt").write_text("too short")
    assert run(tmp_path, tmp_path / "a") == 2
    assert "give more" in capsys.readouterr().err
    for more in ["--heads", "3"], ["--vocab", "256"], ["--steps", "0"]:
        with pytest.raises(SystemExit) as e:
            run(text, tmp_path / "a", *more)
        assert e.value.code == 2


def test_unigram_entropy():
    assert abs(train_model.unigram_entropy(torch.tensor([[3, 3, 5, 9]])) - 1.0397207708) < 1e-9
