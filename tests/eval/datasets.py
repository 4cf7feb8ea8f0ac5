"""Readers of the evaluation sets. The data are not part of the repository; see README.md."""

import dataclasses
import json
import math
import pathlib
import re


@dataclasses.dataclass
class RetrievalSet:
    """Passages, queries and which passages are right."""

    name: str
    corpus: dict  # passage id -> text
    queries: dict  # query id -> text
    relevance: dict  # query id -> {passage id: grade}


def retrieval_sets(eval_dir):
    """Loaders of all retrieval sets by name, so that only those asked for are read."""
    root = pathlib.Path(eval_dir)
    sets = {"cranfield": lambda: _beir(root / "retrieval/cranfield", "cranfield"),
            "nq-gold": lambda: _beir(root / "retrieval/nq-gold", "nq-gold"),
            "pubmedqa": lambda: _pubmedqa(root / "retrieval/pubmedqa"),
            "squad": lambda: _squad_retrieval(root / "squad/dev-v1.1.rebuilt.json", "squad")}
    for path in sorted((root / "retrieval/xquad").glob("xquad.*.json")):
        name = "xquad-" + path.name.split(".")[1]
        sets[name] = lambda path=path, name=name: _squad_retrieval(path, name)
    return sets


def _json_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _beir(folder, name):
    corpus = {}
    for line in _json_lines(folder / "corpus.jsonl"):
        title, text = line.get("title", "").strip(), line["text"].strip()
        # Cranfield's texts begin with their titles.
        body = text if text.startswith(title) else f"{title}\n\n{text}"
        if body.strip():
            corpus[line["_id"]] = body
    queries = {line["_id"]: line["text"] for line in _json_lines(folder / "queries.jsonl")}
    relevance = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, passage, grade = line.split("\t")
        relevance.setdefault(query, {})[passage] = int(grade)
    queries = {key: text for key, text in queries.items()
               if any(grade > 0 for grade in relevance.get(key, {}).values())}
    return RetrievalSet(name, corpus, queries, relevance)


def _pubmedqa(folder):
    data = json.loads((folder / "ori_pqal.json").read_text(encoding="utf-8"))
    return RetrievalSet("pubmedqa",
                        {key: "\n\n".join(value["CONTEXTS"]) for key, value in data.items()},
                        {key: value["QUESTION"] for key, value in data.items()},
                        {key: {key: 1} for key in data})


def squad_paragraphs(path):
    """Yields (paragraph id, text, [(question id, question, answers)])."""
    data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["data"]
    number = 0
    for article in data:
        for paragraph in article["paragraphs"]:
            yield (f"s{number}", paragraph["context"],
                   [(q["id"], q["question"], [a["text"] for a in q["answers"]])
                    for q in paragraph["qas"]])
            number += 1


def _squad_retrieval(path, name):
    corpus, queries, relevance = {}, {}, {}
    for paragraph, text, questions in squad_paragraphs(path):
        corpus[paragraph] = text
        for key, question, _ in questions:
            queries[key] = question
            relevance[key] = {paragraph: 1}
    return RetrievalSet(name, corpus, queries, relevance)


def pdfqa(eval_dir):
    """Questions about PDFs, each with the paths of its files in `paths`."""
    folder = pathlib.Path(eval_dir) / "pdfqa/dev"
    questions = _json_lines(folder / "questions.jsonl")
    for question in questions:
        question["paths"] = [folder / "pdfs" / doc for doc in question["docs"]]
    return questions


def own_pdf_questions(eval_dir):
    """The thirty questions of pdf_questions.json, with the path of each file in `path`."""
    questions = json.loads(
        pathlib.Path(__file__).with_name("pdf_questions.json").read_text(encoding="utf-8"))
    for question in questions:
        question["path"] = pathlib.Path(eval_dir) / "pdfs-normal" / question["file"]
    return questions


def sample_questions():
    """Our questions about the manual in deploy/samples, which the answerer was developed with."""
    here = pathlib.Path(__file__)
    questions = json.loads(
        here.with_name("sample_questions.json").read_text(encoding="utf-8"))
    for question in questions:
        question["path"] = here.parents[2] / "deploy/samples/tern40-manual.pdf"
    return questions


def hard_pdfs(eval_dir):
    """Difficult PDFs: rows of index.tsv with `path`; another tool's findings, not the truth."""
    folder = pathlib.Path(eval_dir) / "pdfs-hard"
    lines = (folder / "index.tsv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split("\t")
    rows = [dict(zip(header, line.split("\t"))) for line in lines[1:]]
    for row in rows:
        row["path"] = folder / row["file"]
    return [row for row in rows if row["path"].exists()]


class Bm25:
    """The plain rival: BM25 (k1 1.2, b 0.75) over lower-cased words, no stemming."""

    def __init__(self, corpus, k1=1.2, b=0.75):
        self._k1 = k1
        self._postings = {}
        lengths = {}
        for key, text in corpus.items():
            words = self._words(text)
            lengths[key] = len(words)
            counts = {}
            for word in words:
                counts[word] = counts.get(word, 0) + 1
            for word, count in counts.items():
                self._postings.setdefault(word, []).append((key, count))
        self._size = len(corpus)
        average = sum(lengths.values()) / max(len(lengths), 1) or 1
        self._norm = {key: k1 * (1 - b + b * length / average) for key, length in lengths.items()}

    @staticmethod
    def _words(text):
        return re.findall(r"\w+", text.lower())

    def search(self, query, k=10):
        """Ids of the best `k` passages."""
        scores = {}
        for word in self._words(query):
            found = self._postings.get(word, ())
            idf = math.log(1 + (self._size - len(found) + 0.5) / (len(found) + 0.5))
            for key, count in found:
                scores[key] = scores.get(key, 0) + idf * count * (self._k1 + 1) / (
                    count + self._norm[key])
        return sorted(scores, key=lambda key: (-scores[key], key))[:k]
