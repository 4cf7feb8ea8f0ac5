"""What the integration tests share: a temporary home, the real binary, small PDFs.

The binary is $RAGSTONE_BIN. Models are those of $RAGSTONE_TEST_MODELS (a models directory) if it is
set, else fakes that `ragstone-model-fake` serves, so that every test runs without a model.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

BINARY = os.environ.get("RAGSTONE_BIN", "build/release/bin/ragstone")
REAL_MODELS = os.environ.get("RAGSTONE_TEST_MODELS", "")
LONG = bool(os.environ.get("RAGSTONE_TEST_LONG"))


def seeded_random():
    """A generator whose seed is printed; RAGSTONE_TEST_SEED repeats a failure."""
    seed = int(os.environ.get("RAGSTONE_TEST_SEED", "0")) or random.randrange(1, 1 << 30)
    print(f"seed {seed}", flush=True)
    return random.Random(seed)


def pdf(pages):
    """Bytes of a PDF with these pages, each a list of lines."""
    objects = []

    def add(body):
        objects.append(body)
        return len(objects)

    catalog, tree, font = add(b""), add(b""), add(
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for lines in pages:
        commands = ["BT /F1 11 Tf 14 TL 72 760 Td"]
        for line in lines:
            text = line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            commands.append(f"({text}) Tj T*")
        stream = "\n".join(commands + ["ET"]).encode("latin-1")
        content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(add(b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
                        b"/Resources << /Font << /F1 %d 0 R >> >> >>" % (tree, content, font)))
    objects[catalog - 1] = b"<< /Type /Catalog /Pages %d 0 R >>" % tree
    objects[tree - 1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
        len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, catalog, start)
    return bytes(out)


def fake_tokenizer():
    """A tokenizer.json of BERT's kind whose vocabulary is letters and digits."""
    vocab = {}
    for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        vocab[token] = len(vocab)
    for letter in "abcdefghijklmnopqrstuvwxyz0123456789":
        vocab[letter] = len(vocab)
        vocab["##" + letter] = len(vocab)
    special = {name: {"id": name, "ids": [vocab[name]], "tokens": [name]}
               for name in ("[CLS]", "[SEP]")}
    return {
        "version": "1.0", "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": True,
                       "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "special_tokens": special, "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocab,
                  "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
    }


class Outcome:
    """What a command printed and how it ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def reason(self):
        return self.json["error"]["reason"]

    def __str__(self):
        return f"exit {self.code}\nstdout: {self.out[-2000:]}\nstderr: {self.err[-2000:]}"


class Home:
    """A data directory, models and the environment of one test."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ragstone_it_"))
        self.data = self.dir / "data"
        runtime = self.dir / "run"
        runtime.mkdir(mode=0o700)
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith(("RAGSTONE_", "XDG_"))}
        self.env.update(HOME=str(self.dir), XDG_RUNTIME_DIR=str(runtime),
                        RAGSTONE_DATA_DIR=str(self.data))
        if REAL_MODELS:
            self.env["RAGSTONE_MODELS_DIR"] = REAL_MODELS
        else:
            self.env.update(RAGSTONE_MODELS_DIR=str(self.dir / "models"), RAGSTONE_CPU_TIER="fake",
                            RAGSTONE_WORKERS_DIR=str(self.link_workers()))
            self.import_fakes()

    def link_workers(self):
        """A folder with the real PDF worker and the fake model worker of the build tree."""
        build = pathlib.Path(BINARY).resolve().parent.parent
        folder = self.dir / "workers"
        folder.mkdir()
        for path in (build / "libexec/ragstone/ragstone-pdf",
                     build / "tests/workers/ragstone-model-fake"):
            (folder / path.name).symlink_to(path)
        return folder

    def import_fakes(self):
        source = self.dir / "fake-embedder"
        source.mkdir()
        (source / "model.safetensors").write_bytes(b"weights")
        (source / "tokenizer.json").write_text(json.dumps(fake_tokenizer()))
        (self.dir / "fake-generator.gguf").write_bytes(b"GGUF weights")
        for path in (source, self.dir / "fake-generator.gguf"):
            done = self.run("model", "import", str(path), "--json")
            assert done.code == 0, f"import of {path}: {done}"

    def run(self, *args, timeout=120, **env):
        """Runs the binary with these arguments."""
        return Outcome(subprocess.run([BINARY, *map(str, args)], env={**self.env, **env},
                                      capture_output=True, text=True, timeout=timeout,
                                      stdin=subprocess.DEVNULL, check=False))

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Server:
    """A running `ragstone serve`."""

    def __init__(self, home, *args, **env):
        self.home = home
        command = [BINARY, "serve", "--json", *map(str, args)]
        if "--grpc-listen" not in command:
            command += ["--grpc-listen", "127.0.0.1:0"]
        self.log = open(home.dir / "serve.log", "ab")
        self.process = subprocess.Popen(command, env={**home.env, **env}, stdout=subprocess.PIPE,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(30)
            raise RuntimeError("serve did not start: " +
                               (home.dir / "serve.log").read_text(errors="replace")[-3000:])
        self.ready = json.loads(line)

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.close()
        return self.process.returncode

    def close(self):
        self.process.stdout.close()
        self.log.close()

    def workers(self):
        """Process ids of the workers, by the name of their executable."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.pid:
                    name = os.path.basename(os.readlink(entry / "exe"))
                    found.setdefault(name, []).append(int(entry.name))
            except (OSError, IndexError):
                continue
        return found


def wait_for(condition, timeout=60, what="the condition"):
    """Waits until `condition()` is true and returns its value."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {timeout} s")
