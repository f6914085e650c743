"""Several places in one pass, the tokens beside the rows, kills, and buckets. Run: python -m pytest test_places.py

The tests of buckets need boto3 and the MinIO server that storage/minio/miniotest/build.sh builds."""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import torch
import transformers
from safetensors.torch import load, load_file

import harvest
import hooks
import out
import texts
from test_harvest import content, home, record, rows, run  # noqa: F401: home is a fixture

os.environ["TOKENIZERS_PARALLELISM"] = "false"
PLACES = ["--layer", "0", "2", "--hook", "resid_post", "mlp_out"]
FOLDERS = ["l0_mlp_out", "l0_resid_post", "l2_mlp_out", "l2_resid_post"]


def tree(folder):
    return {name: content(folder / name) for name in sorted(os.listdir(folder))}


def test_places_have_the_rows_of_one_place_each(home, tmp_path):
    assert run(home, tmp_path / "all", *PLACES, layer=None) == 0
    assert sorted(os.listdir(tmp_path / "all")) == FOLDERS
    for name in FOLDERS:
        layer, hook = name[1:].split("_", 1)
        assert run(home, tmp_path / name, "--hook", hook, layer=layer) == 0
        one, among = record(tmp_path / name), record(tmp_path / "all" / name)
        assert among["names"] == one["names"] and among["result"] == one["result"]
        assert torch.equal(rows(tmp_path / "all" / name), rows(tmp_path / name))
    module = ["--module", "encoder.layer.1", "encoder.layer.0.intermediate.dense"]
    assert run(home, tmp_path / "modules", *module, layer=None) == 0
    assert rows(tmp_path / "modules" / module[2]).shape[1] == 32


def test_a_row_is_in_all_places_or_in_none(home, tmp_path):
    assert run(home, tmp_path / "a", *PLACES, "--max-norm-multiple", "1.2", layer=None) == 0
    tables = [tokens(tmp_path / "a" / name) for name in FOLDERS]
    assert all(t == tables[0] for t in tables)
    assert record(tmp_path / "a" / FOLDERS[0])["result"]["dropped"]["high_norm"] > 0


def tokens(folder):
    """Returns token ID, document and position of each row."""
    table = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            t = load_file(folder / name)
            assert all(t[k].dtype == torch.int32 for k in ("token_ids", "documents", "positions"))
            table += zip(*(t[k].tolist() for k in ("token_ids", "documents", "positions")), strict=True)
            assert len(t["token_ids"]) == len(t["activations"])
    return table


@pytest.mark.parametrize("more", [[], ["--drop-special"], ["--max-tokens", "333", "--seed", "2"]])
def test_rows_can_be_traced_to_their_tokens(home, tmp_path, more, monkeypatch):
    monkeypatch.setattr(texts, "cut", lambda text: iter([text[:100], text[100:]]))  # positions go on in the next part
    assert run(home, tmp_path / "a", *more) == 0
    tokenizer = transformers.AutoTokenizer.from_pretrained(home / "bert")
    documents = json.loads((tmp_path / "a" / "documents.json").read_text())
    assert [d["document"] for d in documents] == list(range(len(documents)))
    ids = []
    for d in documents:
        text = texts.read(d["file"])
        assert d["characters"] == len(text)
        parts = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (text[:100], text[100:]))
        ids.append(sum(parts, []))
    table = tokens(tmp_path / "a")
    plain = [row for row in table if row[2] >= 0]
    assert all(ids[document][position] == token for token, document, position in plain)
    assert all(token in (2, 3) for token, _, position in table if position < 0)
    assert len(set(plain)) == len(plain)  # none twice
    if not more or more == ["--drop-special"]:
        assert len(plain) == sum(map(len, ids))
    assert (len(plain) == len(table)) == (more == ["--drop-special"])


def test_rows_are_the_models_for_their_tokens(home, tmp_path):
    assert run(home, tmp_path / "a", "--drop-special") == 0
    model = transformers.AutoModel.from_pretrained(home / "bert").eval()
    got, table = rows(tmp_path / "a"), tokens(tmp_path / "a")
    where = {(d, p): i for i, (_, d, p) in enumerate(table)}
    for document in {d for _, d, _ in table}:
        first = [i for p in range(8) if (i := where.get((document, p))) is not None]  # the first context
        context = torch.tensor([[2] + [table[i][0] for i in first] + [3]])
        with torch.no_grad():
            want = model(context, output_hidden_states=True).hidden_states[2][0, 1:-1]
        torch.testing.assert_close(got[first], want, rtol=1e-4, atol=1e-5)


def test_earlier_harvests_go_on_without_tokens(home, tmp_path):
    assert run(home, tmp_path / "a", "--no-tokens") == 0
    want = content(tmp_path / "a")
    assert set(load(want["activations-00000.safetensors"])) == {"activations"} and "documents.json" not in want
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    old = record(tmp_path / "b")
    del old["result"]
    (tmp_path / "b" / "harvest.json").write_text(json.dumps({**old, "complete": False}))
    os.remove(tmp_path / "b" / "activations-00002.safetensors")
    assert run(home, tmp_path / "b") == 0
    assert content(tmp_path / "b") == want


def test_refused(home, tmp_path, capsys):
    assert run(home, tmp_path / "a") == 0
    assert run(home, tmp_path / "a", *PLACES, layer=None) == 2
    assert "holds a harvest of one place" in capsys.readouterr().err
    assert run(home, tmp_path / "b", *PLACES, layer=None) == 0
    assert run(home, tmp_path / "b") == 2
    assert "is not empty and holds no harvest.json" in capsys.readouterr().err
    assert run(home, tmp_path / "b", "--layer", "0", "2", layer=None) == 2
    assert "places" in capsys.readouterr().err
    assert run(home, tmp_path / "c", "--layer", "0", "7", layer=None) == 2
    assert not (tmp_path / "c").exists()
    assert run(home, "s3:///x") == 2
    assert "want s3://bucket/prefix" in capsys.readouterr().err


def test_says_its_rate(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(harvest.time, "monotonic", iter(range(0, 10**6, 16)).__next__)
    assert run(home, tmp_path / "a", *PLACES, layer=None) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "tokens/s" in line]
    assert all("in each of 4 places" in line and "MB/s" in line for line in lines)
    assert len(lines) > 2 and all("s to go" in line for line in lines[:-1]) and "to go" not in lines[-1]


def killed(n, home, where, *more):
    """Harvests in a process that is killed (SIGKILL) at its nth event: a forward pass, an fsync, the moments before and
    after a rename, and before, within and after a request that writes. Returns whether it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = n

    def event():
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(real, after=False):
        def call(*args, **kwargs):
            event()
            result = real(*args, **kwargs)
            if after:
                event()
            return result
        return call

    class Half:  # the body of a request, of which half is sent
        def __init__(self, data):
            self.data, self.at = data, 0

        def read(self, size=-1):
            half = len(self.data) // 2
            if self.at >= half:
                event()
            end = half if self.at < half else len(self.data)
            start, self.at = self.at, end
            return self.data[start:end]

        def seek(self, at, whence=0):
            self.at = at + (len(self.data) if whence == 2 else 0)
            return self.at

        def tell(self):
            return self.at

        def __len__(self):
            return len(self.data)

    try:
        hooks.Tap.__call__ = counted(hooks.Tap.__call__)
        os.fsync, os.replace = counted(os.fsync), counted(os.replace, after=True)
        write = out.Bucket.write
        out.Bucket.write = counted(lambda self, name, data: write(self, name, Half(data)), after=True)
        code = run(home, where, "--threads", "1", *more, layer=None)
    except BaseException:
        code = 1
    os._exit(code)


def test_kills(home, tmp_path):
    more = ["--layer", "0", "1", "2", "--max-tokens", "450"]
    torch.set_num_threads(1)
    assert run(home, tmp_path / "want", *more, "--threads", "1", layer=None) == 0
    want = tree(tmp_path / "want")
    n = 1
    while killed(n, home, tmp_path / str(n), *more):
        assert run(home, tmp_path / str(n), *more, "--threads", "1", layer=None) == 0
        assert tree(tmp_path / str(n)) == want, f"killed at {n}"
        n += 3
    assert n > 40
    n = 5
    while killed(n, home, tmp_path / "often", *more):  # one harvest, killed again and again
        n += 2
    assert tree(tmp_path / "often") == want


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """Returns a client of a MinIO server with an empty bucket, acts. The environment has its settings."""
    pytest.importorskip("boto3")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = sorted(glob.glob(f"{cache}/sweep/minio-*/minio"))
    if not found:
        pytest.skip("storage/minio/miniotest/build.sh builds the server")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % s.getsockname()[1]
    root = tmp_path_factory.mktemp("minio")
    user = {"MINIO_ROOT_USER": "harvest", "MINIO_ROOT_PASSWORD": "harvest-secret"}
    server = subprocess.Popen([found[-1], "server", "--quiet", "--address", address, str(root)],
                              env={**os.environ, **user}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    set_ = {"AWS_ENDPOINT_URL_S3": f"http://{address}", "AWS_ACCESS_KEY_ID": "harvest",
            "AWS_SECRET_ACCESS_KEY": "harvest-secret"}
    before = {k: os.environ.get(k) for k in set_}
    os.environ.update(set_)
    try:
        while True:
            assert server.poll() is None
            try:
                urllib.request.urlopen(f"http://{address}/minio/health/ready")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        client = out.connect()
        client.create_bucket(Bucket="acts")
        yield client
    finally:
        server.kill()
        server.wait()
        for k, v in before.items():
            os.environ.pop(k) if v is None else os.environ.update({k: v})


def objects(client, prefix):
    """Returns the objects below a prefix, as tree returns files."""
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="acts", Prefix=prefix + "/"):
        for o in page.get("Contents", []):
            folder, name = o["Key"].removeprefix(prefix + "/").split("/")
            found.setdefault(folder, {})[name] = client.get_object(Bucket="acts", Key=o["Key"])["Body"].read()
    return found


def test_bucket(home, tmp_path, bucket, capsys):
    more = ["--layer", "0", "1", "2", "--max-tokens", "450", "--threads", "1"]
    assert run(home, tmp_path / "a", *more, layer=None) == 0
    want = tree(tmp_path / "a")
    assert run(home, "s3://acts/gpt/x", *more, layer=None) == 0
    assert objects(bucket, "gpt/x") == want
    assert run(home, "s3://acts/gpt/x/", *more, layer=None) == 0
    assert capsys.readouterr().err.count("complete already") == 3
    assert run(home, "s3://acts/gpt/x/l0_resid_post", layer="0") == 2
    assert "other settings" in capsys.readouterr().err
    assert run(home, "s3://acts/gpt") == 2
    assert "is not empty and holds no harvest.json" in capsys.readouterr().err
    assert run(home, "s3://nowhere/x") == 2
    assert "NoSuchBucket" in capsys.readouterr().err
    n = 2
    while killed(n, home, f"s3://acts/killed-{n}", *more[:-2]):
        assert run(home, f"s3://acts/killed-{n}", *more, layer=None) == 0
        assert objects(bucket, f"killed-{n}") == want, f"killed at {n}"
        n += 7
    assert n > 30


def test_large_objects_are_written_in_parts(bucket, monkeypatch):
    monkeypatch.setattr(out, "PART", 5 << 20)  # the smallest that S3 takes
    to = out.open_out("s3://acts/parts")
    data = bytes(range(256)) * (11 << 12)  # 11 MiB
    to.write("one", data[:5 << 20])
    to.write("many", data)
    assert to.read("one") == data[:5 << 20] and to.read("many") == data
    assert bucket.head_object(Bucket="acts", Key="parts/many")["ETag"].endswith('-3"')
    assert "-" not in bucket.head_object(Bucket="acts", Key="parts/one")["ETag"]


@pytest.mark.parametrize("failing", ["upload_part", "complete_multipart_upload", KeyboardInterrupt])
def test_an_object_in_parts_is_whole_or_not_there(bucket, monkeypatch, failing):
    monkeypatch.setattr(out, "PART", 5 << 20)
    to = out.open_out("s3://acts/failed")
    call = out.Bucket._call

    def fail(self, method, **more):
        if method == failing and more.get("PartNumber") != 1:
            more["UploadId"] = "none"
        if failing is KeyboardInterrupt and more.get("PartNumber") == 2:
            raise KeyboardInterrupt
        return call(self, method, **more)

    monkeypatch.setattr(out.Bucket, "_call", fail)
    with pytest.raises(KeyboardInterrupt if failing is KeyboardInterrupt else out.OutError):
        to.write("x", bytes(11 << 20))
    assert to.names() == []
    left = bucket.list_multipart_uploads(Bucket="acts", Prefix="failed/x")
    assert "Uploads" not in left  # nobody pays for parts of nothing


def test_bucket_needs_boto3(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(out.OutError, match="pip install boto3"):
        out.open_out("s3://acts/x")
