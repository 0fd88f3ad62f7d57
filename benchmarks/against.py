"""Rows against earlier rows: what got faster, what slower, what is within noise."""

from __future__ import annotations

from typing import Any

from zoo import console

SLACK = 1.05  # a change smaller than this is never called one


def report(earlier: list[dict[str, Any]], rows: list[dict[str, Any]]) -> bool:
    """Print the ratios of medians by bucket; whether anything of ours got slower beyond noise."""
    before = {_key(row): row for row in earlier if row["status"] == "ok"}
    console.heading("against earlier rows")
    table = console.table("model", "runtime", "threads ", "before ms ", "now ms ", "ratio ", "verdict")
    slower = False
    for row in rows:
        old = before.get(_key(row))
        if old is None or row["status"] != "ok":
            continue
        if old["hardware"] != row["hardware"]:
            console.say(f"[yellow]not compared:[/yellow] the earlier rows are of another machine: {old['hardware']}")
            return False
        word = verdict(old, row)
        slower |= word == "slower" and row["runtime"] == "zoo"
        ratio = f"{row['p50_ms'] / old['p50_ms']:.2f}"
        times = (f"{old['p50_ms']:.2f}", f"{row['p50_ms']:.2f}")
        table.add_row(row["model"], row["runtime"], str(row["threads"]), *times, ratio, word)
    console.out.print(table)
    return slower


def verdict(old: dict[str, Any], new: dict[str, Any]) -> str:
    """`slower` or `faster` only if the middle 80 % of the runs do not overlap and the medians differ by 5 % or more."""
    if new["p10_ms"] > old["p90_ms"] and new["p50_ms"] > SLACK * old["p50_ms"]:
        return "slower"
    if new["p90_ms"] < old["p10_ms"] and old["p50_ms"] > SLACK * new["p50_ms"]:
        return "faster"
    return "same"


def _key(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["model"], row["runtime"], row["threads"]
