"""Rows against earlier rows: what got faster, what slower, what is within noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from zoo import console
from zoo.errors import ZooError

SLACK = 1.05  # a change smaller than this is never called one
MUCH = 1.25
BUCKETS = ("much slower", "slower", "same", "faster", "much faster")


def check(path: str, earlier: Sequence[dict[str, Any]], hardware: str) -> None:
    """Raises ZooError unless the earlier rows are of this hardware."""
    others = {row["hardware"] for row in earlier} - {hardware}
    if others:
        raise ZooError(f"{path}: of another machine ({others.pop()}), not of {hardware}: nothing to compare")


def report(earlier: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> bool:
    """Print the ratios of medians by bucket; whether anything of ours got slower beyond noise."""
    before = {_key(row): row for row in earlier if row["status"] == "ok"}
    pairs = [(before[_key(row)], row) for row in rows if row["status"] == "ok" and _key(row) in before]
    found = sorted(((bucket(*pair), *pair) for pair in pairs), key=lambda item: BUCKETS.index(item[0]))
    console.out.print()
    console.heading("5. Against earlier rows: now / before")
    counts = Counter(word for word, _, _ in found)
    console.out.print(", ".join(f"{counts[word]} {word}" for word in BUCKETS), soft_wrap=True)
    table = console.table("", "model", "runtime", "threads ", "before ms ", "now ms ", "ratio ")
    for word, old, new in found:
        times = (f"{old['p50_ms']:.2f}", f"{new['p50_ms']:.2f}", f"{new['p50_ms'] / old['p50_ms']:.2f}")
        table.add_row(word, new["model"], new["runtime"], str(new["threads"]), *times)
    console.out.print(table)
    failed = [row for row in rows if row["status"] != "ok" and _key(row) in before]
    for row in failed:
        console.out.print(f"{row['model']}, {row['runtime']}, {row['threads']}: ran before, now {row['status']}")
    ours = [word for word, _, new in found if new["runtime"] == "zoo" and "slower" in word]
    return bool(ours) or any(row["runtime"] == "zoo" for row in failed)


def bucket(old: dict[str, Any], new: dict[str, Any]) -> str:
    """One of BUCKETS: a change only if the middle 80 % of the runs do not overlap and the medians differ by 5 % or more."""
    ratio = new["p50_ms"] / old["p50_ms"]
    if new["p10_ms"] > old["p90_ms"] and ratio > SLACK:
        return "much slower" if ratio > MUCH else "slower"
    if new["p90_ms"] < old["p10_ms"] and 1 / ratio > SLACK:
        return "much faster" if 1 / ratio > MUCH else "faster"
    return "same"


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["model"], row["runtime"], row["threads"]
