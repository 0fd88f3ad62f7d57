"""The main job, end to end: a picture's depth from torch and from compiled kernels, side by side.

python examples/demo.py [PHOTO]
"""

import sys
from pathlib import Path

import numpy as np

from zoo import CompiledDepth, Predictor, console, image, load
from zoo.inference.predictor import Runner
from zoo.kernels.artifact.build import build
from zoo.kernels.artifact.verify import RUNS, verify
from zoo.kernels.device import host
from zoo.kernels.ir.trace import trace
from zoo.variant import variant
from zoo.visual import picture

NAME = "fastdepth_pruned"
OUT = Path("build/demo")


def main(path: Path) -> None:
    """Predict with both, write the picture, print the comparison."""
    photo = image.read(path)
    network, record = load(NAME), variant(NAME).weights
    facts = {"name": NAME, "weights_sha256": record.sha256, "status": record.status}
    plan = trace(network, 224, 224)
    with console.progress(f"compiling for {host().name}") as on_progress:
        build(plan, host(), OUT / "artifact", facts, on_progress)
    compiled = CompiledDepth(OUT / "artifact", threads=1)
    eager = Runner(network, threads=1)

    depth = Predictor(compiled)(photo)
    difference = np.abs(depth - Predictor(network)(photo)).max()
    picture.write(picture.montage(photo, depth), OUT / "depth.png")

    report = verify(OUT / "artifact", plan, eager)
    slow, fast = report.eager_ms, report.compiled_ms
    console.heading(f"{path.name}, {NAME} ({record.status} weights), 1 thread, float32")
    table = console.table("runtime", "ms ", "fps ")
    table.add_row("PyTorch, eager", f"{slow:.1f}", f"{1e3 / slow:.0f}")
    table.add_row("compiled", f"{fast:.1f}", f"{1e3 / fast:.0f}")
    console.out.print(table)
    near, middle, far = np.percentile(depth, (2, 50, 98))
    console.out.print(f"median of {RUNS} paired runs; {slow / fast:.1f}x faster")
    console.out.print(f"depth: {near:.2f} m near, {middle:.2f} m median, {far:.2f} m far")
    console.out.print(f"largest difference between the two: {difference:.1e} m")
    console.out.print(f"picture: {OUT / 'depth.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "room.jpg")
