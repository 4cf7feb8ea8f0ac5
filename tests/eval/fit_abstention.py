#!/usr/bin/env python3
"""Fits the two tables of llm/answer: sentence weights (evidence.cc) and confidence (confidence.cc).

Data come from tests/eval/answer_probe, which runs the real code; see its first lines. Questions of
which the passages hold the answer are positive. Negative are the same questions asked of passages
from other articles ("un-") and of passages of the right article without the right paragraph
("hard-", left out of the fit where the best three sentences hold the answer after all).

    fit_abstention.py prepare --squad dev.json --tokenizer FOLDER --embedder unix:PATH --out OUT
    answer_probe --evidence ... --corpus OUT/corpus.jsonl < OUT/questions.jsonl > evidence.jsonl
    fit_abstention.py sentences --questions OUT/questions.jsonl --evidence evidence.jsonl
    answer_probe --generator unix:PATH ... < OUT/questions.jsonl > answers.jsonl
    fit_abstention.py confidence --questions OUT/questions.jsonl --evidence evidence.jsonl \\
        [--answers answers.jsonl]

`prepare` needs numpy, tokenizers, grpcio and the Python modules of proto/ragstone/worker/v1 (made
by grpcio-tools) in the Python path.
"""

import argparse
import json
import random
import re

import numpy as np

SENTENCE = ["cosine", "coverage", "near_coverage", "of_kind", "passage_score", "rank"]
CONFIDENCE = ["sentence_cosine", "chosen_cosine", "chosen_coverage", "chosen_near_coverage"]
MODEL = ["span_logprob", "refusal_margin"]


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def embedder(address, tokenizer_folder):
    import grpc
    from ragstone.worker.v1 import embedder_pb2, embedder_pb2_grpc
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(tokenizer_folder + "/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    stub = embedder_pb2_grpc.EmbedderStub(grpc.insecure_channel(address))

    def embed(texts):
        vectors = []
        for start in range(0, len(texts), 16):
            batch = tokenizer.encode_batch(texts[start:start + 16])
            reply = stub.Embed(embedder_pb2.EmbedRequest(
                texts=[embedder_pb2.TokenSequence(ids=e.ids) for e in batch]))
            vectors.append(np.array(reply.values, np.float32).reshape(len(batch), -1))
        return np.concatenate(vectors)

    return embed


def prepare(options):
    data = json.load(open(options.squad, encoding="utf-8"))["data"]
    rng = random.Random(options.seed)
    print("seed", options.seed)
    paragraphs, questions = [], []
    for article in rng.sample(range(len(data)), options.articles):
        for paragraph in data[article]["paragraphs"]:
            for q in paragraph["qas"]:
                questions.append((article, q["id"], q["question"],
                                  [a["text"] for a in q["answers"]], len(paragraphs)))
            paragraphs.append((article, paragraph["context"]))
    questions = rng.sample(questions, options.questions)
    embed = embedder(options.embedder, options.tokenizer)
    scores = embed([q[2] for q in questions]) @ embed([p[1] for p in paragraphs]).T

    def passages(row, allowed):
        best = [j for j in np.argsort(-row, kind="stable") if allowed(j)][:8]
        return [{"text": paragraphs[j][1], "vector_score": float(row[j]),
                 "document": paragraphs[j][0], "ordinal": int(j)} for j in best]

    with open(options.out + "/questions.jsonl", "w", encoding="utf-8") as file:
        for row, (article, name, question, answers, right) in zip(scores, questions):
            for prefix, allowed in (("", lambda j: True),
                                    ("un-", lambda j: paragraphs[j][0] != article),
                                    ("hard-", lambda j: j != right)):
                file.write(json.dumps({"id": prefix + name, "question": question,
                                       "answers": answers,
                                       "passages": passages(row, allowed)}) + "\n")
    with open(options.out + "/corpus.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for _, text in paragraphs)


def fit_softmax(data, rounds=800):
    weights = np.zeros(len(SENTENCE))
    for step in range(rounds):
        gradient = -0.002 * weights * len(data)
        for x, right in data:
            score = x @ weights
            p = np.exp(score - score.max())
            p /= p.sum()
            q = p * right / (p * right).sum()
            gradient += x.T @ (q - p)
        weights += 2.4 / (1 + step / 200) * gradient / len(data)
    return weights


def kind_of(name):
    """"": answerable; else the prefix of a question without an answer."""
    return next((prefix for prefix in ("un-", "hard-") if name.startswith(prefix)), "")


def sentences(options):
    answers = {q["id"]: q["answers"] for q in lines(options.questions)}
    data = []
    for result in lines(options.evidence):
        if kind_of(result["id"]):
            continue
        x = np.array([[s[name] for name in SENTENCE] for s in result["sentences"]])
        right = np.array([any(a in s["text"] for a in answers[result["id"]])
                          for s in result["sentences"]])
        if len(right) and right.any():
            data.append((x, right))

    def first_right(weights, part):
        return np.array([np.argmax(r[np.argsort(-(x @ weights), kind="stable")]) for x, r in part])

    ranks = np.concatenate([first_right(fit_softmax(data[0::2]), data[1::2]),
                            first_right(fit_softmax(data[1::2]), data[0::2])])
    print(f"{len(data)} questions whose answer is in a sentence; cross-validated: right first "
          f"{np.mean(ranks < 1):.3f}, in the first three {np.mean(ranks < 3):.3f}")
    for name, weight in zip(SENTENCE, fit_softmax(data)):
        print(f"  {name:24} {weight:6.2f}")


def fit_logistic(x, y, offset=0.0, ridge=0.5, rounds=60):
    """Weights of a logistic model in which both classes weigh the same."""
    share = np.where(y == 1, 0.5 / max(y.sum(), 1), 0.5 / max((1 - y).sum(), 1)) * len(y)
    weights = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 0
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-(x @ weights + offset)))
        hessian = (x.T * (share * p * (1 - p))) @ x + np.diag(penalty) + 1e-6 * np.eye(len(weights))
        weights += np.linalg.solve(hessian, x.T @ (share * (y - p)) - penalty * weights)
    return weights


def auc(scores, y):
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = y.sum()
    return (ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive))


def normal(text):
    return " ".join(re.sub(r"[^\w\s]|\b(a|an|the)\b", " ", text.lower()).split())


def evidence_signals(result):
    found = sorted(result["sentences"], key=lambda s: -s["score"])
    if not found:
        return [0.0] * len(CONFIDENCE)
    return [max(s["cosine"] for s in found), found[0]["cosine"], found[0]["coverage"],
            found[0]["near_coverage"]]


def report(title, scores, kinds):
    y = (kinds == "").astype(int)
    print(f"{title}: {len(y)} questions, {y.sum()} answerable; five-fold AUC {auc(scores, y):.3f}, "
          f"against hard- {auc(scores[kinds != 'un-'], y[kinds != 'un-']):.3f}")
    for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
        print(f"  at {threshold}: answered {np.mean(scores[kinds == ''] >= threshold):.3f} of the "
              f"answerable, {np.mean(scores[kinds == 'un-'] >= threshold):.3f} of un-, "
              f"{np.mean(scores[kinds == 'hard-'] >= threshold):.3f} of hard-")


def cross_validate(x, kinds, offset):
    y = (kinds == "").astype(int)
    scores = np.zeros(len(y))
    folds = np.arange(len(y)) % 5
    for fold in range(5):
        use = folds != fold
        weights = fit_logistic(x[use], y[use], offset[use])
        scores[~use] = 1 / (1 + np.exp(-(x[~use] @ weights + offset[~use])))
    return scores, fit_logistic(x, y, offset)


def confidence(options):
    answers = {q["id"]: q["answers"] for q in lines(options.questions)}
    kept = []
    for result in lines(options.evidence):
        best = sorted(result["sentences"], key=lambda s: -s["score"])[:3]
        noise = kind_of(result["id"]) == "hard-" and any(
            normal(a) in normal(s["text"]) for a in answers[result["id"]] for s in best)
        if not noise:
            kept.append(result)
    kinds = np.array([kind_of(r["id"]) for r in kept])
    x = np.array([[1.0] + evidence_signals(r) for r in kept])
    scores, table = cross_validate(x, kinds, np.zeros(len(kept)))
    report("evidence alone", scores, kinds)
    for name, weight in zip(["bias"] + CONFIDENCE, table):
        print(f"  {name:24} {weight:6.2f}")
    if not options.answers:
        return
    # What the model's own certainty adds to the evidence, whose weights stay as they are.
    known = {r["id"] for r in kept}
    asked = [r for r in lines(options.answers) if r["id"] in known]
    kinds = np.array([kind_of(r["id"]) for r in asked])
    evidence = np.array([[1.0] + [r["signals"][n] for n in CONFIDENCE] for r in asked])
    x = np.array([[1.0] + [r["signals"][n] for n in MODEL] for r in asked])
    scores, added = cross_validate(x, kinds, evidence @ table)
    report("evidence of the same questions", 1 / (1 + np.exp(-(evidence @ table))), kinds)
    report("with the model", scores, kinds)
    for name, weight in zip(["bias (added)"] + MODEL, added):
        print(f"  {name:24} {weight:6.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("prepare")
    for name in ("--squad", "--tokenizer", "--embedder", "--out"):
        step.add_argument(name, required=True)
    step.add_argument("--articles", type=int, default=10)
    step.add_argument("--questions", type=int, default=300)
    step.add_argument("--seed", type=int, default=7)
    step.set_defaults(run=prepare)
    for name, run in (("sentences", sentences), ("confidence", confidence)):
        step = steps.add_parser(name)
        step.add_argument("--questions", required=True)
        step.add_argument("--evidence", required=True)
        step.add_argument("--answers")
        step.set_defaults(run=run)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
