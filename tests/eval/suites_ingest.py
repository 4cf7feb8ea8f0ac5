"""Suites `hard` (what becomes of difficult PDFs) and `ingest` (speed and memory of plain ones)."""

import collections
import subprocess
import sys
import threading
import time

import client as client_module
import datasets

# Reasons that name what is wrong with a file; any other failure of `hard` is a finding.
NAMED_REFUSALS = {"NOT_PDF", "PDF_DAMAGED", "PDF_ENCRYPTED", "PDF_NO_PAGES", "NO_TEXT",
                  "EMPTY_FILE", "FILE_TOO_LARGE", "TOO_MANY_PAGES", "TIME_LIMIT", "MEMORY_LIMIT",
                  "UNSUPPORTED_MEDIA_TYPE"}


class MemoryWatch:
    """Samples the highest resident memory of a process and all its descendants."""

    def __init__(self, pid, interval_s=0.1):
        self._pid, self._interval_s = pid, interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peaks = {}  # name -> bytes
        self.sum_peak = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self):
        while not self._stop.wait(self._interval_s):
            self._sample()

    def _sample(self):
        total = 0
        for pid in client_module.tree(self._pid):
            found = client_module.peak_memory(pid)
            if found:
                self.peaks[found[0]] = max(self.peaks.get(found[0], 0), found[1])
                total += found[1]
        self.sum_peak = max(self.sum_peak, total)


def run_hard(env):
    """Adds every file of pdfs-hard alone; no file may hurt the server."""
    result = env.results("hard", {})
    rows = datasets.hard_pdfs(env.eval_dir)
    rows = rows[:env.limit] if env.limit else rows
    for done, row in enumerate(rows, 1):
        if result.get(row["file"]) is None:
            _add_hard(env, result, row)
        if done % 20 == 0 or done == len(rows):
            print(f"hard: {done} of {len(rows)} files", file=sys.stderr)
    wanted = {row["file"] for row in rows}
    items = [item for item in result.items.values() if item["id"] in wanted]
    _report_hard(env, items)
    env.report([("hard", result)], lambda item: item in wanted)


def _add_hard(env, result, row):
    client = env.client()
    pid_before = env.process.pid
    begin = time.monotonic()
    pages = chunks = 0
    code, reason, message, warnings = "OK", "", "", []
    with MemoryWatch(pid_before) as memory:
        try:
            document = client.add("eval-hard", row["file"], row["path"].read_bytes(),
                                  "application/pdf")
            pages, chunks, warnings = document.pages, document.chunks, list(document.warnings)
        except client_module.RagstoneError as error:
            code, reason, message = error.code, error.reason, error.message
    seconds = time.monotonic() - begin
    try:
        alive = env.process.poll() is None and client.status().pid == pid_before
    except client_module.RagstoneError:
        alive = False
    peak_pdf = max((b for name, b in memory.peaks.items() if "pdf" in name), default=0)
    scores = {"server alive": float(alive),
              "read or named refusal": float(code == "OK" or reason in NAMED_REFUSALS),
              "read": float(code == "OK")}
    result.put(row["file"], row["category"], scores, code=code, reason=reason, message=message,
               seconds=round(seconds, 2), pages=pages, chunks=chunks, warnings=warnings[:3],
               peak_pdf_bytes=peak_pdf, pages_other_tool=row.get("pages_poppler", ""))
    if not alive:
        env.restart()


def _report_hard(env, items):
    outcomes = collections.Counter((i["group"], i["reason"] or i["code"]) for i in items)
    env.write("hard-outcomes", env.table(
        ["kind", "outcome", "files"], [(*key, n) for key, n in sorted(outcomes.items())]))
    worst = sorted(items, key=lambda i: -i["seconds"])[:10]
    env.write("hard-slowest", env.table(
        ["file", "outcome", "seconds", "MB of ragstone-pdf"],
        [(i["id"], i["reason"] or i["code"], i["seconds"], i["peak_pdf_bytes"] >> 20)
         for i in worst]))
    odd = [i for i in items
           if not i["scores"]["server alive"] or not i["scores"]["read or named refusal"]]
    env.write("hard-findings", env.table(
        ["file", "code", "reason", "seconds", "message"],
        [(i["id"], i["code"], i["reason"], i["seconds"], i["message"][:90]) for i in odd]))


def run_ingest(env):
    """Aim 9: `ragstone add` of the folder pdfs-normal into an empty data directory."""
    result = env.results("ingest", {})
    if result.get("pdfs-normal") is None:
        env.client()
        with MemoryWatch(env.process.pid) as memory:
            begin = time.monotonic()
            done = subprocess.run(
                [str(env.ragstone), "add", "--data-dir", str(env.data_dir), "--json",
                 "--collection", "eval-ingest", str(env.eval_dir / "pdfs-normal")],
                capture_output=True, text=True, timeout=3600, check=False)
            seconds = time.monotonic() - begin
        documents = [d for d in env.client().documents("eval-ingest") if d.path.endswith(".pdf")]
        pages, chunks = sum(d.pages for d in documents), sum(d.chunks for d in documents)
        scores = {"exit code": done.returncode, "documents": len(documents), "pages": pages,
                  "chunks": chunks, "seconds": round(seconds, 2),
                  "pages/s": round(pages / seconds, 2), "chunks/s": round(chunks / seconds, 2),
                  "sum of peaks in MB": memory.sum_peak >> 20}
        for name, peak in sorted(memory.peaks.items()):
            scores[f"peak MB of {name}"] = peak >> 20
        result.put("pdfs-normal", "pdfs-normal", scores, stderr=done.stderr[-500:])
    item = result.items["pdfs-normal"]
    env.write("ingest", env.table(["what", "value"], item["scores"].items()))
