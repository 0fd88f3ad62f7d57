"""A checkpoint's model card, from its variant and the notes its training left. Nobody edits a card by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..camera.intrinsics import Camera
from ..variant import Variant

METRICS = {
    "delta1": "delta1",
    "delta2": "delta2",
    "delta3": "delta3",
    "rmse_m": "RMSE m",
    "mae_m": "MAE m",
    "abs_rel": "abs-rel",
    "log10": "log10",
    "delta1_scaled": "delta1, median-scaled",
    "depth_bias": "depth bias",
    "depth_spread": "depth spread",
}
PREVIEW = """
**These are preview weights**: {minutes} minutes of training on {hardware}. They show that everything works
and give sensible rooms; do not quote their accuracy as FastDepth's. Longer training replaces them under the same name.
"""

PHOTOGRAPHS = """6,115 indoor photographs by the
predictions of the FastDepth authors' pruned network, imported from its int8 release (MIT). The photographs: Open Images
(480, CC-BY), Poly Haven (306, CC0), Places365 (3,500), SUN360 (1,029) and Houses-dataset (800), the last three for
research use."""


def card(variant: Variant, notes: Mapping[str, Any], macs: int) -> str:
    """The README.md of a checkpoint folder, which is its Hub repository's too."""
    name, held, licence = variant.name, notes["held_out"], notes.get("licence", "MIT")
    preview = PREVIEW.format(**notes) if notes["status"] == "preview" else ""
    rooms = notes["rooms"]
    head = " | ".join(METRICS.values())
    row, room_row = (" | ".join(f"{scores[key]:.3f}" for key in METRICS) for scores in (held, rooms))
    curve = "".join(f"| {minutes} | {loss:.3f} | {delta1:.3f} |\n" for minutes, loss, delta1 in notes["curve"])
    return f"""---
{_front(variant, held, licence.lower())}---
# {name}{" (preview)" if preview else ""}

{variant.summary[0].upper()}{variant.summary[1:]}: {macs / 1e9:.2f} GMAC at {variant.input[0]}x{variant.input[1]}.
One RGB image in, a dense depth map in metres out.

![Three rendered rooms: picture, true depth, predicted depth, error](example.jpg)

The best, the middle and the worst of {
        rooms["frames"]
    } rendered rooms, whose depth is known exactly. It was never trained on {
        "these" if notes["trained_on_rooms"] else "rendered rooms"
    }.
{preview}
## Use

```python
import torch
network = torch.hub.load("<owner>/<repo>", "{name}", trust_repo=True)   # from a clone: ".", source="local"
depth = network(torch.rand(1, 3, 224, 224))                             # RGB in [0, 1] -> (1, 1, 224, 224) metres
```

```python
import zoo
network = zoo.FastDepth.from_pretrained("<owner>/{name.replace("_", "-")}")
```

```sh
zoo predict photo.jpg -m {name} -o depth.png
```

| | |
|---|---|
| input | (N, 3, H, W) RGB in [0, 1], nothing subtracted; sides multiples of 32, trained at 224x224 |
| output | (N, 1, H, W) metres, >= 0, constant on 2x2 blocks |
| widths | {variant.widths_from} |
| scale | that of the middle of NYU Depth v2's pictures, {
        Camera.canonical(640, 480).degrees:.1f} degrees across; `--camera` corrects the metres of another lens |

## How it was trained

{"".join(f"    {line}{chr(10)}" for line in notes["commands"])}
{notes["story"]}
{notes["minutes"]} minutes on {notes["hardware"]}; recipe:

```json
{json.dumps(notes["recipe"])}
```

| minutes | loss | delta1, held-out frames |
|---|---|---|
{curve}
Supervised by {notes["frames"]}{
        f", by {notes['trained_on_rooms']} rendered rooms," if notes["trained_on_rooms"] else ","
    } and on {
        notes.get("photographs", PHOTOGRAPHS)
    } The held-out frames were never trained on; they were looked at while training.

## How well it does

{held["protocol"].capitalize()} protocol, mask {held["mask"]}:

| on | {head} |
|---|{"---|" * len(METRICS)}
| {held["frames"]} held-out frames of NYU Depth v2 | {row} |
| {rooms["frames"]} rendered rooms, exact depth | {room_row} |

Depth bias: by how much the median depth is off (0.05: 5 % too far); depth spread: how much that varies between frames.
From the teacher's depth its own differs by {
        held["from_teacher"]:.0%} on those frames, which the teacher was trained on, and by
{rooms["from_teacher"]:.0%} on the rooms, which neither has seen (median over all pixels).
The official 654 test frames were not used. The authors publish delta1 0.771 and RMSE 0.604 m there for their own weights.

## Limits

Rooms, seen level, by a camera like a Kinect's. Outdoors, close-ups, mirrors and glass it guesses. Edges are soft: the map
has 112x112 distinct values. Metric scale depends on the lens. Not for anything that must be safe.

## Licence

The weights are ours, under {licence}.{
        notes.get("began_with", "")
    } NYU Depth v2 and three of the photo collections are for research use; whether weights
trained on them may serve commerce is for you to settle.
"""


def _front(variant: Variant, held: Mapping[str, Any], licence: str) -> str:
    values = "".join(
        f"""      - type: {key}
        value: {held[key]}
        name: {METRICS[key]}
"""
        for key in ("delta1", "rmse_m", "abs_rel")
    )
    return f"""license: {licence}
library_name: fastdepth-zoo
pipeline_tag: depth-estimation
tags: [depth-estimation, monocular-depth, fastdepth, {variant.encoder}, edge]
datasets: [nyu_depth_v2]
model-index:
- name: {variant.name}
  results:
  - task:
      type: depth-estimation
    dataset:
      type: nyu_depth_v2
      name: NYU Depth v2, {held["frames"]} frames of the training set held out
      config: {held["protocol"]} protocol, {held["mask"]}
    metrics:
{values}"""
