#!/usr/bin/env python3
"""Time to the first token of a warm `ask`, split into its steps.

Starts a server, adds the given PDFs, asks each question once to warm up and then in turns, and
prints the median and the 95th percentile of the steps that the server reports ("embed", "search",
"prompt", "first_token", "generate", "total") beside what the client saw.

    ask_latency.py --ragstone build/release/bin/ragstone FILE.pdf... --question "Who wrote it?"
    ask_latency.py --ragstone build/release/bin/ragstone --eval-dir DIR

The second form asks the questions of tests/eval/pdf_questions.json that have an answer.
Questions differ from their predecessors, so that the model's state for the prompt is only reused
where the prompts begin alike, as they do in use.
"""

import argparse
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import datasets  # noqa: E402
import metrics  # noqa: E402
import results  # noqa: E402
import stubs  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="*", help="PDFs to ask")
    parser.add_argument("--eval-dir", help="folder of the evaluation sets")
    parser.add_argument("--ragstone", default="build/release/bin/ragstone")
    parser.add_argument("--work", default="build/eval")
    parser.add_argument("--question", action="append")
    parser.add_argument("--style", choices=("short", "full"), default="short")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--serve-arg", action="append", default=[])
    args = parser.parse_args()
    stubs.load(pathlib.Path(args.work) / "stubs")
    import client

    paths, questions = [pathlib.Path(p) for p in args.path], args.question or []
    if args.eval_dir:
        items = [i for i in datasets.own_pdf_questions(args.eval_dir) if i["answerable"]]
        questions += [item["question"] for item in items]
        paths += list(dict.fromkeys(item["path"] for item in items))
    if not paths or not questions:
        parser.error("give PDFs and questions, or --eval-dir")
    data_dir = pathlib.Path(args.work).resolve() / "data-latency"
    if data_dir.exists():
        shutil.rmtree(data_dir)
    steps = {}
    answered = 0
    with client.served(pathlib.Path(args.ragstone).resolve(), data_dir, args.serve_arg) as (api, _):
        for path in paths:
            api.add("latency", path.name, path.read_bytes())
        for question in questions:
            api.ask(question, collection="latency", style=args.style)
        for number in range(args.count):
            _, final, first_ms = api.ask(questions[number % len(questions)], collection="latency",
                                         style=args.style)
            answered += final.answered
            for step, milliseconds in final.timings.ms.items():
                steps.setdefault(step, []).append(milliseconds)
            if first_ms is not None:
                steps.setdefault("first token at the client", []).append(first_ms)
    order = ["embed", "search", "prompt", "first_token", "first token at the client", "generate",
             "total"]
    names = [n for n in order if n in steps] + sorted(steps.keys() - set(order))
    print(f"{args.count} questions, {answered} answered, style {args.style}")
    print(results.table(["step", "median ms", "95 % ms", "n"],
                        [(n, f"{metrics.percentile(sorted(steps[n]), 0.5):.1f}",
                          f"{metrics.percentile(sorted(steps[n]), 0.95):.1f}", len(steps[n]))
                         for n in names]))


if __name__ == "__main__":
    main()
