#!/usr/bin/env python3
"""Compares our tokeniser with Hugging Face's `tokenizers`, id by id.

    pip install tokenizers==0.23.3
    python3 tests/eval/tokenizer_check.py --dump build/release/bin/tokenizer_dump \\
        --model FOLDER [FOLDER ...] [--texts FILE.json ...] [--count 100000] [--seed 1] [--speed]

Each FOLDER holds tokenizer.json. Each FILE is any JSON; all strings of ten or more bytes in it are
compared. --count is the number of strings in all: what the texts leave of it is filled half with
cuts of them, disturbed at random, and half with fuzzed strings, which mix random code points,
marks, controls, emoji sequences, CJK, Hangul, long words and the model's special tokens. Every code
point between two letters is compared besides. Exits with 1 and the first differing strings if any
differ.
"""

import argparse
import json
import random
import subprocess
import sys

from tokenizers import Tokenizer

ALPHABETS = [
    (0x20, 0x7E), (0x00, 0x1F), (0x7F, 0xA0), (0xA1, 0x24F), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x52F), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0xDFF), (0xE00, 0xEFF),
    (0xF00, 0xFFF), (0x1100, 0x11FF), (0x1AB0, 0x1AFF), (0x1D00, 0x1DFF), (0x1E00, 0x1FFF),
    (0x2000, 0x206F), (0x20D0, 0x20FF), (0x2100, 0x2BFF), (0x2E00, 0x2E7F), (0x3000, 0x30FF),
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA640, 0xABFF), (0xAC00, 0xD7A3), (0xE000, 0xE100),
    (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFFD), (0x10000, 0x11FFF), (0x16E00, 0x16FFF),
    (0x1B000, 0x1B2FF), (0x1D100, 0x1D7FF), (0x1E800, 0x1E95F), (0x1F000, 0x1FAFF),
    (0x20000, 0x323AF), (0xE0000, 0xE01EF), (0x0, 0x10FFFF),
]
PIECES = ["\u200d", "\ufe0f", "\u0301", "\u0345", "\u0334", "\u302e", " ", " ", "  ", "   ", "a",
          "The ", "\r\n", "\n", "\t", "\u3000", "\u00a0", "\u200b", "\u2581", " \u2581", "\ufffd",
          "\0", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[mask]", "##ing", "<s>", "</s>",
          " <mask> ", "<unk>", "<0x41>", "İ", "ß", "ς", "ﬁ", "①", "㍿", "ｶﾞ",
          "Ａ\u0301", "\u1e9b\u0323", "\u0958", "\u0915\u094d\u0937", "\u0e33", "\u0600",
          "\u06dd\u0661", "\u0d4e\u0d15", "\U0001f468\u200d\U0001f469",
          "\U0001f468\U0001f3fd\u200d\U0001f4bb", "\U0001f1e9\U0001f1ea\U0001f1eb",
          "1\ufe0f\u20e3", "\u00a9\u200d\u00ae\u0301", "x" * 99, "x" * 101, "=" * 37,
          "Donaudampfschiff" * 20, "é", "e\u0301", "한국", "\u1100\u1161\u11a8", "가\u11a8",
          "中文", "``", "''"]


def code_point(rng, low, high):
    while True:
        c = rng.randint(low, high)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def fuzz(rng, pieces):
    out = []
    alphabets = [rng.choice(ALPHABETS) for _ in range(rng.randint(1, 4))]
    share = rng.choice([0.02, 0.15, 0.15, 0.6])
    for _ in range(rng.randint(1, 40)):
        if rng.random() < share:
            out.append(rng.choice(pieces))
        else:
            out.append(code_point(rng, *rng.choice(alphabets)))
    return "".join(out)


def cut(rng, texts, pieces):
    """A stretch of one of the texts, a third of the time with something put into it."""
    text = rng.choice(texts)
    begin = rng.randrange(len(text))
    text = text[begin:begin + rng.randint(1, 400)]
    while rng.random() < 0.34:
        at = rng.randint(0, len(text))
        text = text[:at] + fuzz(rng, pieces) + text[at:]
    return text


def strings(value):
    if isinstance(value, str):
        if len(value.encode()) >= 10:
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)


def compared(options, pieces):
    """The texts by name."""
    sets = {}
    for path in options.texts:
        with open(path, encoding="utf-8") as file:
            sets[path.rsplit("/", 1)[-1]] = sorted(set(strings(json.load(file))))
    rng = random.Random(options.seed)
    texts = [text for group in sets.values() for text in group]
    left = max(0, options.count - len(texts))
    if texts:
        sets[f"cuts (seed {options.seed})"] = [cut(rng, texts, pieces) for _ in range(left // 2)]
        left -= left // 2
    sets[f"fuzz (seed {options.seed})"] = [fuzz(rng, pieces) for _ in range(left)]
    sets["every code point"] = ["a" + chr(c) + "b" for c in range(0, 0x110000, options.step)
                                if not 0xD800 <= c < 0xE000]
    return sets


def reference_ids(reference, batch):
    """Their ids, or None where their program itself fails."""
    try:
        return [encoding.ids for encoding in reference.encode_batch(batch)]
    except BaseException as error:  # a Rust panic is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
    out = []
    for text in batch:
        try:
            out.append(reference.encode(text).ids)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            out.append(None)
    return out


def check(options, model):
    """Compares one model; returns (strings, differing, failed in their program)."""
    reference = Tokenizer.from_file(model + "/tokenizer.json")
    reference.no_truncation()
    reference.no_padding()
    special = [token.content for token in reference.get_added_tokens_decoder().values()]
    sets = compared(options, PIECES + special[:20])
    total = wrong = failed = 0
    for name, texts in sets.items():
        ours = subprocess.run([options.dump, model],
                              input="\n".join(json.dumps(t) for t in texts) + "\n",
                              capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(ours) == len(texts), (name, len(ours), len(texts))
        differ = broken = 0
        for start in range(0, len(texts), 4096):
            batch = texts[start:start + 4096]
            for text, ids, line in zip(batch, reference_ids(reference, batch), ours[start:]):
                broken += ids is None
                if ids is not None and ids != [int(x) for x in line.split()]:
                    differ += 1
                    if differ <= 5:
                        print(f"  {name}: {json.dumps(text)[:200]}\n    theirs {ids[:40]}"
                              f"\n    ours   {line[:200]}")
        print(f"{name}: {differ} of {len(texts)} differ" +
              (f", on {broken} theirs fails" if broken else ""))
        total, wrong, failed = total + len(texts), wrong + differ, failed + broken
    if options.speed:
        for name, texts in sets.items():
            if not name.startswith(("fuzz", "every", "cuts")):
                lines = "\n".join(t.replace("\n", " ") for t in texts)
                speed = subprocess.run([options.dump, model, "--speed"], input=lines,
                                       capture_output=True, text=True, check=True).stdout
                print(f"{name}: {speed.strip()}")
    return total, wrong, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--model", required=True, nargs="+")
    parser.add_argument("--texts", nargs="*", default=[])
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="distance of the code points tried")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    bad = False
    for model in options.model:
        total, wrong, failed = check(options, model)
        print(f"{model}: all: {wrong} of {total} differ, {failed} failed in `tokenizers`")
        bad = bad or wrong > 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
