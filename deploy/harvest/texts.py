"""Makes batches of token ids from text files. Their order depends only on the arguments,
and no more than one file is in memory."""

import fnmatch
import glob
import gzip
import hashlib
import itertools
import os
import random


class TextError(Exception):
    """There is no usable text; the message says why."""


def find(patterns, exclude=(), seed=None):
    """Returns the files that the globs match, each once, sorted by path or shuffled by
    seed. ** matches any number of folders."""
    files = set()
    for pattern in patterns:
        found = [f for f in glob.glob(os.path.expanduser(pattern), recursive=True) if os.path.isfile(f)]
        if not found:
            raise TextError(f"--text {pattern}: matches no file")
        files.update(found)
    keep = [f for f in sorted(files) if not any(fnmatch.fnmatch(os.path.basename(f), e) for e in exclude)]
    if not keep:
        raise TextError("--exclude leaves no file")
    if seed is not None:
        random.Random(seed).shuffle(keep)
    return keep


def files_digest(files):
    """Returns the SHA-256 of the files' names and sizes, to recognise the same files."""
    h = hashlib.sha256()
    for f in files:
        h.update(f"{os.path.basename(f)} {os.path.getsize(f)}\n".encode())
    return h.hexdigest()


def read(path):
    """Returns the text of a file, gzipped or not, or None if it is not text."""
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
            data = f.read()
    except (OSError, EOFError) as e:
        raise TextError(f"read {path}: {e}") from e
    if b"\0" in data[:8192]:
        return None
    return data.decode("utf-8", errors="replace")


def cut(text, limit=1 << 18):
    """Cuts a text at line ends into parts of limit characters or a little more, so that a
    huge file is tokenised part by part."""
    while len(text) > limit:
        end = text.find("\n", limit) + 1
        if end == 0:
            break
        yield text[:end]
        text = text[end:]
    yield text


class Context(list):
    """The token ids of a context. document is the number of its text, from 0, and start the position in that text of
    its first token that is no special one."""

    def __init__(self, ids, document, start):
        super().__init__(ids)
        self.document, self.start = document, start


class Contexts:
    """Iterates over contexts: a Context has at most `length` token ids, with the model's special
    tokens at both ends. A context never holds tokens of two files.

    After the iteration, files, characters and sha256 describe the text that was used.
    binary is the number of files left out because they are not text. repeated is the
    number of those with the same text as an earlier file: a module cache, for example,
    has a hundred copies of each licence. documents are the files that were used, by their numbers. done is the
    share of the files' bytes that was read, 0 to 1."""

    def __init__(self, files, tokenizer, length):
        self.paths, self.tokenizer = files, tokenizer
        self.files = self.characters = self.binary = self.repeated = 0
        self._hash = hashlib.sha256()
        self.documents = []
        self._bytes, self._read = max(1, sum(map(os.path.getsize, files))), 0
        self._seen = set()
        plain = tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = tokenizer("a")["input_ids"]
        at = next((i for i in range(len(whole)) if whole[i:i + len(plain)] == plain), None)
        if at is None:
            raise TextError(f"the tokenizer puts {whole} for {plain}: no special tokens can be told")
        self.prefix, self.suffix = whole[:at], whole[at + len(plain):]
        self.room = length - len(self.prefix) - len(self.suffix)
        if self.room < 1:
            raise TextError(f"--context-length {length} leaves no room beside {length - self.room} special tokens")

    @property
    def done(self):
        return self._read / self._bytes

    @property
    def sha256(self):
        return self._hash.hexdigest()

    def __iter__(self):
        for path in self.paths:
            text = read(path)
            self._read += os.path.getsize(path)
            if text is None:
                self.binary += 1
                continue
            digest = hashlib.sha256(text.encode()).digest()
            if digest in self._seen:
                self.repeated += 1
                continue
            self._seen.add(digest)
            self._hash.update(digest)
            self.files += 1
            self.characters += len(text)
            self.documents.append({"document": self.files - 1, "file": path, "characters": len(text)})
            start = 0
            for part in cut(text):
                ids = self.tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]
                for i in range(0, len(ids), self.room):
                    yield Context(self.prefix + ids[i:i + self.room] + self.suffix, self.files - 1, start + i)
                start += len(ids)


def batches(contexts, size, window=16):
    """Groups contexts into batches of `size`. Within a window of batches they are sorted by
    length, longest first, so that there is little padding."""
    contexts = iter(contexts)
    while group := list(itertools.islice(contexts, size * window)):
        group.sort(key=len, reverse=True)
        for i in range(0, len(group), size):
            yield group[i:i + size]
