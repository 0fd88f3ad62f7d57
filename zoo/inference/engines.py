"""What runs the workers of a bulk job: this process, or Ray Data on one machine or many. Both give rows in order."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from ..errors import ZooError
from .batch import Bulk, Row, Worker
from .quiet import silence

ENGINES = {"process": ("pyarrow",), "ray": ("pyarrow", "ray")}  # and what each must have


def check(engine: str) -> None:
    """Raise ZooError, with what to type, unless this engine can run here."""
    if engine not in ENGINES:
        raise ZooError(f"no engine {engine!r}; there are {' and '.join(ENGINES)}")
    if missing := [name for name in ENGINES[engine] if find_spec(name) is None]:
        raise ZooError(f"--engine {engine} needs {' and '.join(missing)}: pip install 'fastdepth-zoo[ray]'")


def process(bulk: Bulk, make: Callable[[], Worker]) -> Iterator[Row]:
    """One worker, here."""
    worker = make()
    for batch in bulk.batches():
        yield from worker(batch)


def on_ray(bulk: Bulk, make: Callable[[], Worker], workers: int | None, threads: int) -> Iterator[Row]:
    """Workers as actors of Ray Data, as many as given or as the cluster has processors for; `RAY_ADDRESS` names a cluster,
    without it one is started here and stopped in the end.

    Pictures and depths never pass through Ray: its objects are paths and rows, so that memory stays bounded by the
    workers. A batch whose worker dies is given to another, which keeps what is finished. Raises ZooError if the cluster
    is too small.
    """
    if not bulk.work:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what ends a job is raised here as well
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import pyarrow as pa
    import ray
    import ray.data

    class Actor:
        def __init__(self) -> None:
            self.worker = make()

        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            rows = self.worker(json.loads(pair) for pair in batch["pair"])
            return {"row": [json.dumps(row) for row in rows]}

    with contextlib.redirect_stdout(sys.stderr):  # where Ray tells of dead workers; stdout is for results
        with silence():  # it tells that it was told to be silent
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        try:
            room = int(ray.cluster_resources().get("CPU", 0)) // threads
            if not room or (workers or 1) > room:
                raise ZooError(f"{workers or 1} workers of {threads} threads need more processors than Ray has here")
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            context.execution_options.preserve_order = True
            # as JSON, whose strings can hold any file's name; Arrow's have to be UTF-8
            tables = [pa.table({"pair": [json.dumps(pair) for pair in batch]}) for batch in bulk.batches()]
            rows = ray.data.from_arrow(tables).map_batches(
                Actor, batch_size=None, concurrency=workers or room, num_cpus=threads
            )
            for batch in rows.iter_batches(batch_size=None, prefetch_batches=0):
                for row in batch["row"]:
                    yield json.loads(row)
        finally:
            ray.shutdown()
