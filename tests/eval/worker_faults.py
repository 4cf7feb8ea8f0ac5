#!/usr/bin/env python3
"""SEGV to each worker of a server with real models in the middle of its work.

    worker_faults.py --ragstone build/release/bin/ragstone --pdfs FOLDER --work FOLDER

Adds PDFs and asks while the worker at work gets a SIGSEGV: the request must succeed by a retry or
end with a named error, the next one must work, and the server's process must stay. Ends with 1
otherwise.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import crash_pdfs

QUESTION = "What was the probable cause of the accident?"


def workers(server, role):
    """Process ids of the server's workers of a role ("pdf", "embed", "generate")."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
        wanted = "ragstone-pdf" if role == "pdf" else role
        if parent == server and wanted in command:
            found.append(int(entry.name))
    return found


def busy(pid):
    """Whether the process used processor time just now."""
    def ticks():
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0
        return int(fields[11]) + int(fields[12])
    before = ticks()
    time.sleep(0.05)
    return ticks() > before


def strike(service, role, request):
    """Sends SEGV to a busy worker of the role while `request` runs; returns its outcome."""
    outcome = {}
    thread = threading.Thread(target=lambda: outcome.update(request()))
    thread.start()
    struck = 0
    while thread.is_alive() and not struck:
        for pid in workers(service.process.pid, role):
            if busy(pid) and thread.is_alive():
                os.kill(pid, signal.SIGSEGV)
                struck = pid
                break
        time.sleep(0.005)
    thread.join()
    error = outcome.get("error") or next(
        (f["error"] for f in outcome.get("failed", []) if "error" in f), None)
    reason = error.get("reason", "?") if isinstance(error, dict) else error
    return struck, reason


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--ragstone", "--pdfs", "--work"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    pdfs = sorted(pathlib.Path(options.pdfs).rglob("*.pdf"), key=lambda p: -p.stat().st_size)
    service = crash_pdfs.Service(options, "faults")
    service.start()
    server = service.process.pid
    faults = 0
    never = {"pdf", "embed", "generate"}  # a small file may be read before anybody strikes
    service.run("add", str(pdfs[-1]))
    for number in range(3):
        for role, request in (
                ("pdf", lambda n=number: service.run("add", str(pdfs[n]))),
                ("embed", lambda n=number: service.run("add", str(pdfs[3 + n]))),
                ("generate", lambda: service.run("ask", QUESTION))):
            struck, reason = strike(service, role, request)
            after = service.run("ask", QUESTION)
            works = "answered" in after
            same = service.process.poll() is None and service.process.pid == server
            faults += not (works and same)
            if struck:
                never.discard(role)
            print(f"{role}: SEGV to {struck or 'nobody'} -> {reason or 'done by a retry'}; next "
                  f"request {'works' if works else 'FAILS: ' + str(after)[:200]}; server "
                  f"{'unchanged' if same else 'GONE'}", flush=True)
    listed = service.documents()
    for path, document in listed.items():
        if document["status"] != "ready":
            faults += 1
            print("not ready:", path, document)
    service.stop()
    print(f"{faults} faults, {len(listed)} documents, never struck: {sorted(never) or 'none'}")
    return 1 if faults or never else 0


if __name__ == "__main__":
    sys.exit(main())
