#!/usr/bin/env python3
"""Writes tests/cases/tokenizer: a small Unigram model and the ids that `tokenizers` gives with it.

    pip install tokenizers==0.23.3
    python3 tests/eval/make_unigram_case.py tests/cases/tokenizer

The model is trained on the sentences below. Its character map, in the format of SentencePiece's
precompiled_charsmap, holds compatibility forms of some blocks of Unicode. ids.json is a list of
texts, each with the ids expected. Training differs a little from run to run, so that both files
change together.
"""

import json
import os
import random
import struct
import sys
import unicodedata
from base64 import b64encode

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizer_check import PIECES, fuzz

SENTENCES = """
The pump must be switched off before the cover is opened, and the pressure must be released.
Every answer names the page of the document on which its words can be found.
Which valve closes first when the power fails, and how long does the battery last?
The warranty covers parts and labour for twenty-four months after the day of delivery.
Die Pumpe muss abgeschaltet werden, bevor der Deckel geöffnet wird.
Jede Antwort nennt die Seite des Dokuments, auf der ihre Wörter stehen.
Welches Ventil schließt zuerst, wenn der Strom ausfällt? Die Straße ist gesperrt.
La pompe doit être arrêtée avant l'ouverture du couvercle ; la pression doit être relâchée.
Chaque réponse indique la page du document où se trouvent ses mots.
La bomba debe apagarse antes de abrir la tapa. ¿Qué válvula se cierra primero?
Cada respuesta indica la página del documento en la que están sus palabras.
Насос следует выключить перед тем, как открыть крышку. Давление нужно сбросить.
Каждый ответ называет страницу документа, на которой находятся его слова.
打开盖子之前必须关闭水泵。每个答案都注明文件的页码。
停电时哪个阀门先关闭?保修期为交货后二十四个月。
ふたを開ける前にポンプを止めてください。答えには文書のページが書かれています。
يجب إيقاف المضخة قبل فتح الغطاء. كل إجابة تذكر صفحة المستند.
ढक्कन खोलने से पहले पंप बंद करना चाहिए। हर उत्तर दस्तावेज़ का पृष्ठ बताता है।
펌프를 끈 다음에 덮개를 여십시오. 모든 답은 문서의 쪽을 밝힙니다.
""".strip().splitlines()

BLOCKS = [(0xA0, 0x17F), (0x1E00, 0x1EFF), (0x2000, 0x203F), (0x2460, 0x2473), (0xFB00, 0xFB06),
          (0xFF01, 0xFF9F)]


def rules():
    """{text: replacement}: forms of the blocks, composed pairs, what is removed or a space."""
    out = {}
    for first, last in BLOCKS:
        for c in map(chr, range(first, last + 1)):
            normal = unicodedata.normalize("NFKC", c)
            if normal != c:
                out[c] = normal
            parts = unicodedata.normalize("NFD", c)
            if len(parts) == 2 and unicodedata.normalize("NFC", parts) == c:
                out[parts] = c
    out.update({c: " " for c in "\t\n\r\u3000\u2028"})
    out.update({c: "" for c in "\u200b\u200e\u200f\ufeff\x01\x7f"})
    return out


def charsmap(replacements):
    """SentencePiece's format: number of bytes of the double array, the array, the texts."""
    texts, tree = b"", {}
    for key, text in sorted(replacements.items()):
        node = tree
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(texts)
        texts += text.encode() + b"\0"
    units, taken = {0: 0}, {0}

    def place(node, at):
        labels = [label or 0 for label in node]  # the value stands where a zero byte would lead
        base = next(b for b in range(1, 1 << 20) if not any(b ^ l in taken for l in labels))
        taken.update(base ^ label for label in labels)
        units[at] |= (at ^ base) << 10 | (0x100 if None in node else 0)
        for label, child in node.items():
            if label is None:
                units[base] = child | 1 << 31
            else:
                units[base ^ label] = label
                place(child, base ^ label)

    place(tree, 0)
    size = (max(units) | 0xFF) + 1
    array = b"".join(struct.pack("<I", units.get(i, 1 << 31)) for i in range(size))
    return b64encode(struct.pack("<I", len(array)) + array + texts).decode()


def trained():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(SENTENCES * 3, trainers.UnigramTrainer(
        vocab_size=700, special_tokens=special, unk_token="<unk>", show_progress=False))
    model = json.loads(tokenizer.to_str())
    token = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    vocabulary = model["model"]["vocab"] + [["<mask>", 0.0]]
    model["model"]["vocab"] = vocabulary
    model["added_tokens"] = [dict(token, id=i, content=c) for i, c in enumerate(special)]
    model["added_tokens"].append(dict(token, id=len(vocabulary) - 1, content="<mask>", lstrip=True))
    model["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": charsmap(rules())}
    around = {name: {"SpecialToken": {"id": name, "type_id": 0}} for name in special}
    model["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [around["<s>"], {"Sequence": {"id": "A", "type_id": 0}}, around["</s>"]],
        "pair": [around["<s>"], {"Sequence": {"id": "A", "type_id": 0}}, around["</s>"],
                 {"Sequence": {"id": "B", "type_id": 0}}, around["</s>"]],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                           "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}
    return model


def main():
    folder = sys.argv[1]
    model = trained()
    text = json.dumps(model, ensure_ascii=False, separators=(",", ":"))
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    tokenizer = Tokenizer.from_str(text)
    rng = random.Random(7)
    texts = SENTENCES + [unicodedata.normalize("NFD", s) for s in SENTENCES] + PIECES
    texts += [fuzz(rng, PIECES) for _ in range(250)]
    for _ in range(150):
        words = [w for s in rng.sample(SENTENCES, 3) for w in s.split()]
        at = rng.randrange(len(words))
        texts.append(" ".join(words[at:at + 5]) + rng.choice(PIECES) + "".join(words[:2]))
    cases = [[t, tokenizer.encode(t).ids] for t in texts if len(t) < 300]
    with open(os.path.join(folder, "ids.json"), "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        file.write("[\n" + lines + "\n]\n")
    print(len(model["model"]["vocab"]), "pieces,", len(cases), "texts")


if __name__ == "__main__":
    main()
