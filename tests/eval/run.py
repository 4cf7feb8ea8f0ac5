#!/usr/bin/env python3
"""Measures the quality of a built Ragstone. See README.md beside this file."""

import argparse
import contextlib
import os
import pathlib
import shutil
import sys

import results as result_files

SUITES = ("retrieval", "squad", "pdfqa", "pdfs", "sample", "hard", "ingest")


class Environment:
    """What a suite needs: settings, a running server (started when first asked for), results."""

    def __init__(self, args, data_dir):
        self.ragstone = pathlib.Path(args.ragstone).resolve()
        self.eval_dir = pathlib.Path(args.eval_dir).resolve()
        self.work = pathlib.Path(args.work).resolve()
        self.data_dir = data_dir
        self.limit, self.seed, self.sets = args.limit, args.seed, args.sets
        self.modes = args.mode
        self.serve_args = args.serve_arg
        self.build = args.build
        self.label = args.label
        self.process = None
        self._client = None
        self._stack = contextlib.ExitStack()

    def client(self):
        """The client of the running server, which is started if need be."""
        if self._client is None:
            import client  # needs grpcio, which reading results does not
            self._client, self.process = self._stack.enter_context(
                client.served(self.ragstone, self.data_dir, self.serve_args))
        return self._client

    def restart(self):
        """Ends the server, if it still runs, and starts another."""
        self.stop()
        return self.client()

    def stop(self):
        self._stack.close()
        self._client, self.process = None, None

    def results(self, suite, settings, of_build=True):
        """The results file of a suite under these settings and, unless of a rival, this build."""
        if of_build:
            settings = {**settings, "build": self.build, "serve_args": self.serve_args,
                        "models": self._models(), "label": self.label,
                        "environment": {key: value for key, value in sorted(os.environ.items())
                                        if key.startswith("RAGSTONE_")}}
        return result_files.Results(self.work / "results", suite, settings)

    def _models(self):
        return sorted(f"{m.kind} {m.name} {m.storage_type} {m.sha256[:12]}"
                      for m in self.client().models() if m.is_default)

    def report(self, systems, wanted):
        """Prints and keeps one table with a column that names the system."""
        rows = []
        for system, result in systems:
            items = [item for key, item in result.items.items() if wanted(key)]
            summary = result_files.summary(items, self.seed)
            rows += [(group, metric, system, f"{value:.3f}", f"{low:.3f}–{high:.3f}", n)
                     for group, metric, value, low, high, n in summary]
        rows.sort(key=lambda row: row[:2])
        suite = systems[-1][1].settings["suite"]
        self.write(suite, result_files.table(
            ["set", "metric", "system", "value", "95 % interval", "n"], rows))
        for system, result in systems:
            print(f"results of {system}: {result.path}", file=sys.stderr)

    table = staticmethod(result_files.table)

    def write(self, name, text):
        """Prints a table and keeps it as <work>/tables/<name>.md."""
        folder = self.work / "tables"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
        print(f"\n{name}\n{text}", flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="+", choices=SUITES, metavar="SUITE",
                        help=", ".join(SUITES))
    parser.add_argument("--ragstone", default="build/release/bin/ragstone")
    parser.add_argument("--eval-dir", required=True, help="folder of the evaluation sets")
    parser.add_argument("--work", required=True, help="folder for data, results and tables")
    parser.add_argument("--limit", type=int, default=0,
                        help="questions per set, drawn with the seed; 0: all (squad: 500)")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--mode", action="append", choices=("hybrid", "vector", "keyword"),
                        help="repeat for several; default hybrid (retrieval: all three)")
    parser.add_argument("--sets", action="append", help="retrieval: only these sets")
    parser.add_argument("--serve-arg", action="append", default=[],
                        help="an argument for `ragstone serve`, as --serve-arg=--ask-top-k=4")
    parser.add_argument("--label", default="", help="keeps results of equal settings apart")
    return parser.parse_args(arguments)


def run_suite(name, args):
    import stubs
    stubs.load(pathlib.Path(args.work) / "stubs")
    import suites_answer
    import suites_ingest
    import suites_retrieval
    functions = {"retrieval": suites_retrieval.run, "squad": suites_answer.run_squad,
                 "pdfqa": suites_answer.run_pdfqa, "pdfs": suites_answer.run_pdfs,
                 "sample": suites_answer.run_sample,
                 "hard": suites_ingest.run_hard, "ingest": suites_ingest.run_ingest}
    # A data directory belongs to one build: another one may cut documents differently.
    data_dir = pathlib.Path(args.work).resolve() / f"data-{args.build}-{name}"
    modes = args.mode or (["keyword", "vector", "hybrid"] if name == "retrieval" else ["hybrid"])
    if name == "ingest" and data_dir.exists():
        shutil.rmtree(data_dir)
    env = Environment(argparse.Namespace(**{**vars(args), "mode": modes}), data_dir)
    print(f"suite {name}, seed {args.seed}, build {args.build}", file=sys.stderr)
    try:
        functions[name](env)
    finally:
        env.stop()


def main():
    args = parse(sys.argv[1:])
    if not pathlib.Path(args.ragstone).exists():
        sys.exit(f"{args.ragstone} does not exist: build the release preset, or name the binary "
                 "with --ragstone")
    if not pathlib.Path(args.eval_dir).is_dir():
        sys.exit(f"{args.eval_dir} is not a folder: name the one of the evaluation sets with "
                 "--eval-dir")
    args.build = result_files.build_identity(args.ragstone)
    for name in dict.fromkeys(args.suite):
        run_suite(name, args)


if __name__ == "__main__":
    main()
