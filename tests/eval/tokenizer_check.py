#!/usr/bin/env python3
"""Compares our tokeniser with Hugging Face's `tokenizers`, id by id.

    pip install tokenizers==0.23.3
    python3 tests/eval/tokenizer_check.py --dump build/release/bin/tokenizer_dump \\
        --model FOLDER [--texts FILE.json ...] [--fuzz 20000] [--seed 1] [--speed]

FOLDER holds tokenizer.json. Each FILE is any JSON; all strings of ten or more bytes in it are
compared.
Fuzzed strings mix random code points, marks, controls, emoji with joiners, CJK, Hangul and special
tokens. Exits with 1 and the first differing strings if any differ.
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
PIECES = ["\u200d", "\ufe0f", "\u0301", "\u0345", "\u0334", "\u302e", " ", " ", "a", "The ",
          "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[mask]", "##ing", "İ", "ß", "ς",
          "\U0001f468\u200d\U0001f469",
          "x" * 99, "x" * 101, "é", "e\u0301", "한국", "\u1100\u1161\u11a8", "中文"]


def code_point(rng, low, high):
    while True:
        c = rng.randint(low, high)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def fuzz(rng):
    out = []
    alphabets = [rng.choice(ALPHABETS) for _ in range(rng.randint(1, 4))]
    for _ in range(rng.randint(1, 40)):
        if rng.random() < 0.15:
            out.append(rng.choice(PIECES))
        else:
            out.append(code_point(rng, *rng.choice(alphabets)))
    return "".join(out)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", nargs="*", default=[])
    parser.add_argument("--fuzz", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="distance of the code points tried")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()

    sets = {}
    for path in options.texts:
        with open(path, encoding="utf-8") as file:
            sets[path.rsplit("/", 1)[-1]] = sorted(set(strings(json.load(file))))
    rng = random.Random(options.seed)
    sets[f"fuzz (seed {options.seed})"] = [fuzz(rng) for _ in range(options.fuzz)]
    sets["every code point"] = ["a" + chr(c) + "b" for c in range(0, 0x110000, options.step)
                                if not 0xD800 <= c < 0xE000]

    reference = Tokenizer.from_file(options.model + "/tokenizer.json")
    reference.no_truncation()
    reference.no_padding()
    total = wrong = 0
    for name, texts in sets.items():
        ours = subprocess.run([options.dump, options.model],
                              input="\n".join(json.dumps(t) for t in texts) + "\n",
                              capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(ours) == len(texts), (name, len(ours), len(texts))
        differ = 0
        for start in range(0, len(texts), 4096):
            batch = texts[start:start + 4096]
            for text, expected, line in zip(batch, reference.encode_batch(batch), ours[start:]):
                if expected.ids != [int(x) for x in line.split()]:
                    differ += 1
                    if differ <= 5:
                        print(f"  {name}: {json.dumps(text)[:200]}\n    theirs {expected.ids[:40]}"
                              f"\n    ours   {line[:200]}")
        print(f"{name}: {differ} of {len(texts)} differ")
        total, wrong = total + len(texts), wrong + differ
    print(f"all: {wrong} of {total} differ")
    if options.speed:
        for name, texts in sets.items():
            if not name.startswith(("fuzz", "every")):
                lines = "\n".join(t.replace("\n", " ") for t in texts)
                speed = subprocess.run([options.dump, options.model, "--speed"], input=lines,
                                       capture_output=True, text=True, check=True).stdout
                print(f"{name}: {speed.strip()}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
