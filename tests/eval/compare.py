#!/usr/bin/env python3
"""Compares two results files item by item: `compare.py BEFORE.jsonl AFTER.jsonl [--seed S]`.

Only items that both files hold are compared. Prints the mean of each, the difference with its 95 %
bootstrap interval, the p of a paired permutation test, and the number of items.
"""

import argparse
import sys

import metrics
import results


def compare(before, after, seed=0):
    """Rows (group, metric, before, after, difference, low, high, p, n) of items in both."""
    pairs = {}
    for key, old in before.items():
        new = after.get(key)
        if new is None:
            continue
        for name, score in old["scores"].items():
            if score is not None and new["scores"].get(name) is not None:
                pairs.setdefault((old["group"], name), []).append((score, new["scores"][name]))
    rows = []
    for (group, name), scores in pairs.items():
        old, new = [s[0] for s in scores], [s[1] for s in scores]
        found = metrics.paired_difference(old, new, seed)
        rows.append((group, name, metrics.mean(old), metrics.mean(new), found["difference"],
                     found["low"], found["high"], found["p"], found["n"]))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--seed", type=int, default=20260101)
    args = parser.parse_args()
    old_settings, old_items = results.read(args.before)
    new_settings, new_items = results.read(args.after)
    for key in sorted(old_settings.keys() | new_settings.keys()):
        if old_settings.get(key) != new_settings.get(key):
            print(f"{key}: {old_settings.get(key)} -> {new_settings.get(key)}")
    rows = compare(old_items, new_items, args.seed)
    if not rows:
        sys.exit("the files have no item in common")
    print(results.table(
        ["set", "metric", "before", "after", "difference", "95 % interval", "p", "n"],
        [(group, name, f"{old:.3f}", f"{new:.3f}", f"{diff:+.3f}", f"{low:+.3f} to {high:+.3f}",
          f"{p:.3f}", n) for group, name, old, new, diff, low, high, p, n in rows]))


if __name__ == "__main__":
    main()
