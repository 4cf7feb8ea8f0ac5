"""Suites `squad`, `pdfqa` and `pdfs`: how good the answers are, and whether they are refused when
they should be."""

import hashlib
import json
import subprocess
import sys
import time

import client as client_module
import datasets
import metrics
import suites_retrieval

ATTACHMENTS = ".attachments"


def _try(env, function, *args, **kwargs):
    """The result of a call and None, or None and its error; a dead server ends the run."""
    try:
        return function(*args, **kwargs), None
    except client_module.RagstoneError as error:
        if error.code == "UNAVAILABLE":
            time.sleep(1)  # a dying server is not yet dead
        if env.process.poll() is not None:
            raise
        print(f"failed: {error}", file=sys.stderr)
        return None, str(error)


def run_squad(env):
    """SQuAD v1.1: `gold` asks the one right paragraph as an attachment, `open` all paragraphs."""
    questions = {}
    corpus = {}
    for paragraph, text, entries in datasets.squad_paragraphs(
            env.eval_dir / "squad/dev-v1.1.rebuilt.json"):
        corpus[paragraph] = text
        for key, question, answers in entries:
            questions[key] = (question, answers, paragraph)
    keys = suites_retrieval.sample(questions, env.limit or 500, env.seed)
    result = env.results("squad", {"style": "short"})
    todo = [(condition, key) for condition in ("gold", "open") for key in keys
            if result.get(f"{condition}/{key}") is None]
    if any(condition == "open" for condition, _ in todo):
        suites_retrieval.add_corpus(env.client(), "eval-squad", corpus)
    for done, (condition, key) in enumerate(todo, 1):
        question, answers, paragraph = questions[key]
        _ask_squad(env, result, (condition, key, question, answers), (paragraph, corpus[paragraph]))
        if done % 50 == 0 or done == len(todo):
            print(f"squad: {done} of {len(todo)} questions", file=sys.stderr)
    wanted = set(keys)
    env.report([("squad", result)], lambda item: item.split("/")[1] in wanted)


def _ask_squad(env, result, item, paragraph):
    condition, key, question, answers = item
    name, text = paragraph
    facts = {"question": question, "expected": answers}

    def ask():
        if condition == "open":
            return env.client().ask(question, collection="eval-squad")
        document = env.client().add(ATTACHMENTS, f"{name}.txt", text.encode(), "text/plain")
        return env.client().ask(question, attachments=[document.id])

    reply, error = _try(env, ask)
    if error:
        # A failed call is a wrong answer, and it is counted.
        result.put(f"{condition}/{key}", condition,
                   {"em": 0.0, "f1": 0.0, "answered": 0.0, "failed": 1.0}, error=error, **facts)
        return
    evidence, final, first_ms = reply
    scores = {"em": metrics.exact_match(final.short_answer, answers),
              "f1": metrics.token_f1(final.short_answer, answers),
              "answered": float(final.answered), "failed": 0.0}
    if final.answered:
        scores["f1 of answered"] = scores["f1"]
    if condition == "open":
        scores["evidence holds paragraph"] = float(
            name in suites_retrieval.distinct_ids(evidence))
    result.put(f"{condition}/{key}", condition, scores, short_answer=final.short_answer,
               first_ms=first_ms, confidence=round(final.confidence, 4), **facts)


def _kind(question):
    """The row of a question of pdfqa."""
    if not question["answerable"]:
        return "unanswerable"
    if {"Figure", "Chart"} & set(question["evidence_kinds"]):
        return "needs vision"
    return question["source"]


def _page_hits(passages, pages, k):
    """1.0 if one of the first `k` passages touches one of the pages."""
    return float(any(p.page <= page <= max(p.page_end, p.page)
                     for p in passages[:k] for page in pages))


def run_pdfqa(env):
    """Questions about long PDFs; each file or set of files is a collection of its own."""
    questions = {q["id"]: q for q in datasets.pdfqa(env.eval_dir)}
    keys = suites_retrieval.sample(questions, env.limit, env.seed)
    result = env.results("pdfqa", {"style": "short", "mode": env.modes[0]})
    added, refused = set(), {}
    for done, key in enumerate(keys, 1):
        question = questions[key]
        if result.get(key) is not None:
            continue
        collection = "eval-pdfqa-" + hashlib.sha256(
            "|".join(question["docs"]).encode()).hexdigest()[:12]
        if collection not in added:
            added.add(collection)
            refused[collection] = _add_files(env, collection, question["paths"])
        _ask_pdfqa(env, result, question, collection, refused[collection])
        if done % 20 == 0 or done == len(keys):
            print(f"pdfqa: {done} of {len(keys)} questions", file=sys.stderr)
    wanted = set(keys)
    env.report([("pdfqa", result)], lambda item: item in wanted)


def _add_files(env, collection, paths):
    """Adds the files; returns the errors of those that were refused."""
    errors = []
    for path in paths:
        try:
            env.client().add(collection, path.name, path.read_bytes(), "application/pdf")
        except client_module.RagstoneError as error:
            errors.append(f"{path.name}: {error}")
            print(f"pdfqa: {errors[-1]}", file=sys.stderr)
    return errors


def _ask_pdfqa(env, result, question, collection, refused):
    client, kind = env.client(), _kind(question)
    facts = {"question": question["question"], "expected": question["answer"]}
    if len(refused) == len(question["paths"]):
        result.put(question["id"], "files refused", {"questions": 1.0}, error=refused, **facts)
        return
    scores = {"failed": 0.0}
    reply, error = _try(env, client.ask, question["question"], collection=collection,
                        mode=env.modes[0])
    if error:
        result.put(question["id"], kind, {"failed": 1.0, "f1": 0.0, "answer contained": 0.0},
                   error=error, **facts)
        return
    evidence, final, first_ms = reply
    if question["evidence_pages"]:
        passages = client.search(collection, question["question"], 10, env.modes[0]).passages
        for k in (1, 5, 10):
            scores[f"page hit@{k}"] = _page_hits(passages, question["evidence_pages"], k)
    scores["refused"] = float(not final.answered)
    if question["answerable"]:
        said = f"{final.short_answer} {final.answer}" if final.answered else ""
        scores["f1"] = metrics.token_f1(final.short_answer, [question["answer"]])
        scores["answer contained"] = metrics.contains_answer(said, [question["answer"]])
        if question["evidence_pages"]:
            scores["evidence has page"] = _page_hits(evidence, question["evidence_pages"],
                                                     len(evidence))
    result.put(question["id"], kind, scores, short_answer=final.short_answer,
               answer=final.answer, confidence=round(final.confidence, 4), first_ms=first_ms,
               **facts)


def run_pdfs(env):
    """Aim 8: `ragstone ask --file` on ten PDFs with our own thirty questions, through the CLI."""
    _ask_files(env, "pdfs", datasets.own_pdf_questions(env.eval_dir))


def run_sample(env):
    """Our questions about our own sample: developed with, so no measure of other documents."""
    _ask_files(env, "sample", datasets.sample_questions())


def _ask_files(env, suite, questions):
    result = env.results(suite, {"style": "short"})
    for done, question in enumerate(questions, 1):
        if result.get(question["id"]) is None:
            _ask_file(env, result, question)
        print(f"{suite}: {done} of {len(questions)} questions", file=sys.stderr)
    env.report([(suite, result)], lambda item: True)
    rows = [(i["id"], i["question"][:60], "/".join(i["expected"])[:30] or "(no answer)",
             i["short_answer"][:40], ",".join(map(str, i["pages_expected"])),
             ",".join(map(str, i["pages_cited"])),
             "".join(f"{name[0]}{int(score)}" for name, score in i["scores"].items()))
            for i in result.items.values()]
    env.write(f"{suite}-items", env.table(
        ["id", "question", "expected", "got", "pages", "cited", "scores"], rows))


def _ask_file(env, result, question):
    env.client()  # the CLI finds the server through the data directory
    done = subprocess.run(
        [str(env.ragstone), "ask", "--data-dir", str(env.data_dir), "--json", "--style", "short",
         "--file", str(question["path"]), question["question"]],
        capture_output=True, text=True, timeout=600, check=False)
    facts = {"question": question["question"], "expected": question["answers"],
             "pages_expected": question["pages"], "exit_code": done.returncode}
    try:
        reply = json.loads(done.stdout)
    except json.JSONDecodeError:
        reply = {"error": done.stderr[-500:]}
    group = "answerable" if question["answerable"] else "unanswerable"
    if "error" in reply:
        # A failed call is a wrong answer, and it is shown.
        names = ("evidence page", "cited page", "answer right", "quote holds it")
        scores = dict.fromkeys(names if question["answerable"] else ("refused",), 0.0)
        result.put(question["id"], group, scores, error=reply["error"], short_answer="",
                   pages_cited=[], **facts)
        return
    cited = [citation["page"] for citation in reply["citations"]]
    found = [hit["page"] for hit in reply["evidence"]]
    if question["answerable"]:
        right = set(question["pages"])
        said = reply["short_answer"] or (reply["answer"] if reply["answered"] else "")
        scores = {"evidence page": float(bool(right & set(found + cited))),
                  "cited page": float(bool(right & set(cited))),
                  "answer right": metrics.contains_answer(said, question["answers"]),
                  "quote holds it": metrics.contains_answer(
                      " ".join(citation["quote"] for citation in reply["citations"]),
                      question["answers"]),
                  "refused": float(not reply["answered"])}
    else:
        scores = {"refused": float(not reply["answered"])}
    result.put(question["id"], group, scores, short_answer=reply["short_answer"],
               answer=reply["answer"], pages_cited=cited, pages_found=found,
               timings_ms=reply.get("timings_ms", {}), **facts)
