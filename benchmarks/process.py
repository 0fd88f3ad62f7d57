"""The other end of a worker: a process that holds one runtime, and how it is spoken to."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from .runtimes import Job

ROOT = Path(__file__).parent.parent
LIMIT = 300.0  # seconds for one answer
TURN_MS = 80.0  # of running in a turn, but no fewer runs than
FEWEST, MOST = 1, 25
WARM = 5
SLOW_MS = 200.0  # from here on caches do not matter, and time does


class PeerError(Exception):
    """What a runtime said when it failed, or that it said nothing."""


class Process:
    """A worker. It starts importing at once; everything else waits to be asked for. Raises PeerError."""

    def __init__(self, name: str, job: Job) -> None:
        words = (name, job.model, job.device, str(job.threads), str(job.folder))
        self.times = list[float]()
        self._runs, self._lead = FEWEST, 0
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.worker", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def prepare(self) -> None:
        """Have it make its files."""
        self._answer()
        self._ask("prepare")

    def ready(self) -> None:
        """Wait until it has imported what it needs."""
        self._answer()

    def load(self) -> float:
        """Have it load and run once: milliseconds. Then some runs that are not counted."""
        took: float = self._ask("load")["load_ms"]
        typical = self._ask("1")["ms"][0]
        if typical < SLOW_MS:
            typical = float(np.median(self._ask(str(WARM))["ms"]))
        self._runs = int(min(MOST, max(FEWEST, TURN_MS / typical)))
        self._lead = int(typical < SLOW_MS)
        return took

    def turn(self) -> None:
        """Run a few times more. The first is not counted: others have had the caches meanwhile."""
        self.times += self._ask(str(self._lead + self._runs))["ms"][self._lead :]

    @property
    def seconds(self) -> float:
        """Processor time it has used."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, order: str) -> dict[str, Any]:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended; its answer says so
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], LIMIT)[0]:
            raise PeerError(f"no answer within {LIMIT:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"its process ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer
