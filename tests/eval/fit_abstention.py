#!/usr/bin/env python3
"""Fits the two tables of llm/answer: sentence weights (evidence.cc) and confidence (confidence.cc).

Data come from tests/eval/answer_probe, which runs the real code; see its first lines. Questions of
which the passages hold the answer are positive; the same kind of questions asked of passages from
other articles are negative. SQuAD v1.1 dev is the source of the committed numbers.

    prepare:    fit_abstention.py prepare --squad dev.json --tokenizer FOLDER --embedder unix:PATH \\
                    --out FOLDER [--articles 10] [--questions 300] [--seed 7]
    sentences:  answer_probe ... --evidence < OUT/answerable.jsonl > evidence.jsonl
                fit_abstention.py sentences --questions OUT/answerable.jsonl --results evidence.jsonl
    confidence: answer_probe ... --generator unix:PATH < OUT/both.jsonl > answers.jsonl
                fit_abstention.py confidence --results answers.jsonl

`prepare` needs numpy, tokenizers, grpcio and grpcio-tools with the modules of proto/ragstone/worker/v1
generated into the Python path. Ids of questions without an answer begin with "un-".
"""

import argparse
import json
import random

import numpy as np

SENTENCE = ["cosine", "coverage", "near_coverage", "of_kind", "passage_score", "rank"]
WEAK = ["sentence_cosine", "passage_cosine", "coverage", "passage_coverage", "chosen_cosine",
        "chosen_near_coverage", "of_kind", "span_logprob", "refusal_margin"]
EVIDENCE_ONLY = WEAK[:-2]


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
                questions.append((article, q["id"], q["question"], [a["text"] for a in q["answers"]]))
            paragraphs.append((article, paragraph["context"]))
    questions = rng.sample(questions, options.questions)
    embed = embedder(options.embedder, options.tokenizer)
    scores = embed([q[2] for q in questions]) @ embed([p[1] for p in paragraphs]).T

    def passages(row, allowed):
        best = [j for j in np.argsort(-row, kind="stable") if allowed(j)][:8]
        return [{"text": paragraphs[j][1], "vector_score": float(row[j]),
                 "document": paragraphs[j][0], "ordinal": int(j)} for j in best]

    answerable, both = [], []
    for row, (article, name, question, answers) in zip(scores, questions):
        asked = {"id": name, "question": question, "answers": answers,
                 "passages": passages(row, lambda j: True)}
        answerable.append(asked)
        both += [asked, {**asked, "id": "un-" + name,
                         "passages": passages(row, lambda j: paragraphs[j][0] != article)}]
    for name, items in (("corpus", [p[1] for p in paragraphs]), ("answerable", answerable),
                        ("both", both)):
        with open(f"{options.out}/{name}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(item) + "\n" for item in items)


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


def sentences(options):
    answers = {q["id"]: q["answers"] for q in lines(options.questions)}
    data = []
    for result in lines(options.results):
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


def fit_logistic(x, y, ridge=0.5, rounds=60):
    weights = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 0
    for _ in range(rounds):
        p = 1 / (1 + np.exp(-(x @ weights)))
        hessian = (x.T * (p * (1 - p))) @ x + np.diag(penalty) + 1e-6 * np.eye(len(weights))
        weights += np.linalg.solve(hessian, x.T @ (y - p) - penalty * weights)
    return weights


def auc(scores, y):
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = y.sum()
    return (ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive))


def confidence(options):
    results = [r for path in options.results for r in lines(path)]
    results = [r for r in results if r["signals"]]
    y = np.array([0 if r["id"].startswith("un-") else 1 for r in results])
    group = np.array([sum(r["id"].removeprefix("un-").encode()) % 5 for r in results])
    for title, names in (("kWeak", WEAK), ("kEvidenceOnly", EVIDENCE_ONLY)):
        x = np.array([[1.0] + [r["signals"][n] for n in names] for r in results])
        scores = np.zeros(len(y))
        for fold in range(5):  # a question and its counterpart are in the same fold
            weights = fit_logistic(x[group != fold], y[group != fold])
            scores[group == fold] = 1 / (1 + np.exp(-(x[group == fold] @ weights)))
        print(f"{title}: {len(y)} questions, {y.sum()} answerable; five-fold AUC {auc(scores, y):.3f}")
        for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
            print(f"  at {threshold}: answered {np.mean(scores[y == 1] >= threshold):.3f} of the "
                  f"answerable, {np.mean(scores[y == 0] >= threshold):.3f} of the unanswerable")
        for name, weight in zip(["bias"] + names, fit_logistic(x, y)):
            print(f"  {name:24} {weight:6.2f}")
        for i, name in enumerate(names, 1):
            print(f"  alone: {name:24} AUC {auc(x[:, i], y):.3f}")


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
    step = steps.add_parser("sentences")
    step.add_argument("--questions", required=True)
    step.add_argument("--results", required=True)
    step.set_defaults(run=sentences)
    step = steps.add_parser("confidence")
    step.add_argument("--results", nargs="+", required=True)
    step.set_defaults(run=confidence)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
