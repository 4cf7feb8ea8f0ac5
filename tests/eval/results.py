"""Results on disk, so that an interrupted run goes on where it stopped, and tables of them."""

import hashlib
import json
import pathlib
import threading

import metrics


def fingerprint(settings):
    """Short hash of settings, the same for equal ones."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def build_identity(ragstone):
    """Hash of the executables that make up a build: ragstone and the workers beside it."""
    ragstone = pathlib.Path(ragstone).resolve()
    digest = hashlib.sha256()
    workers = sorted((ragstone.parent.parent / "libexec" / "ragstone").glob("ragstone-*"))
    for path in [ragstone, *workers]:
        digest.update(path.name.encode())
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    return digest.hexdigest()[:12]


class Results:
    """The results of one suite under one set of settings: one JSON line per item.

    Thread-safe. The first line holds the settings. A last line that was cut off by a crash is
    dropped on reading.
    """

    def __init__(self, folder, suite, settings):
        settings = {"suite": suite, **settings}
        self.settings = settings
        self.path = pathlib.Path(folder) / f"{suite}-{fingerprint(settings)}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self.items = {}
        if self.path.exists():
            _, self.items = read(self.path)
            self._rewrite()
        else:
            self._append({"settings": settings})

    def _rewrite(self):
        text = json.dumps({"settings": self.settings}, sort_keys=True) + "\n"
        text += "".join(json.dumps(i, ensure_ascii=False) + "\n" for i in self.items.values())
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path)

    def _append(self, line):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")

    def get(self, item_id):
        return self.items.get(item_id)

    def put(self, item_id, group, scores, **facts):
        """Keeps the scores (name to number) of one item; `group` is the row it is averaged in."""
        line = {"id": item_id, "group": group, "scores": scores, **facts}
        with self._lock:
            self.items[item_id] = line
            self._append(line)
        return line


def read(path):
    """Returns (settings, items by id) of a results file."""
    settings, items = {}, {}
    with open(path, encoding="utf-8") as file:
        for text in file:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            if "settings" in line:
                settings = line["settings"]
            else:
                items[line["id"]] = line
    return settings, items


def summary(items, seed=0):
    """Rows (group, metric, mean, low, high, n); the order of the items does not matter."""
    values = {}
    for item in sorted(items, key=lambda item: item["id"]):
        for name, score in item["scores"].items():
            if score is not None:
                values.setdefault((item["group"], name), []).append(score)
    return [(group, name, metrics.mean(scores), *metrics.bootstrap_interval(scores, seed),
             len(scores)) for (group, name), scores in values.items()]


def table(header, rows):
    """A Markdown table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def summary_table(items, seed=0):
    return table(["set", "metric", "value", "95 % interval", "n"],
                 [(group, name, f"{value:.3f}", f"{low:.3f}–{high:.3f}", n)
                  for group, name, value, low, high, n in summary(items, seed)])
