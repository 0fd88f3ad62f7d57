"""ONNX: free batch and sides, another opset, float16, and the picture's way in and out inside the graph.

The network is traced once, with every side free; all else is done to the graph. float16 is onnxruntime's converter, the opset
onnx's. What was made has run in ONNX Runtime at every kind of size it says it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from .. import image
from ..errors import ZooError
from ..model.network import STRIDE, FastDepth

FREE = ("batch", "size")
DTYPES = ("f32", "f16")
LOWEST, LOWEST_PIXELS = 14, 18  # opsets: onnx's converter ends at the one, resizing as Pillow does began with the other
EXACT, ROUNDED = 1e-4, 5e-2  # metres to eager: in float32; where float16 or a picture's 8 bits round
NEEDS = "exporting ONNX needs pip install 'fastdepth-zoo[export]'"
# as zoo.image.whole: on 8-bit pixels, as rounding is seen in the depth
BEFORE = """before (uint8[batch, height, width, 3] pixels) => (float[batch, 3, {height}, {width}] image)
<float most = {{255.0}}> {{
    sides = Constant<value_ints = [{height}, {width}]>()
    resized = Resize<mode = "linear", antialias = 1, axes = [1, 2]>(pixels, , , sides)
    planes = Transpose<perm = [0, 3, 1, 2]>(resized)
    levels = Cast<to = 1>(planes)
    image = Div(levels, most)
}}"""
AFTER = """after (float[batch, 1, h, w] depth) => (float[batch, height, width] metres) {
    size = Shape<start = 1, end = 3>(pixels)
    stretched = Resize<mode = "linear", antialias = 1, axes = [2, 3]>(depth, , , size)
    channel = Constant<value_ints = [1]>()
    metres = Squeeze(stretched, channel)
}"""


class Options(TypedDict, total=False):
    """What `export` takes for an ONNX file alone; see `Form`."""

    free: tuple[str, ...]
    opset: int | None
    dtype: str
    pixels: bool


@dataclass(frozen=True)
class Form:
    """How the file is to be. Raises ZooError for what cannot be."""

    sides: tuple[int, int]  # height, width that the network sees, where they are not free
    free: tuple[str, ...] = ()  # of FREE: what may differ from call to call
    opset: int | None = None  # default: what torch writes
    dtype: str = "f32"  # of weights and arithmetic; what goes in and out stays as it is
    pixels: bool = False  # uint8 (batch, height, width, 3) RGB of any size in, metres (batch, height, width) out

    def __post_init__(self) -> None:
        if unknown := set(self.free) - set(FREE):
            raise ZooError(f"--dynamic {','.join(sorted(unknown))}: choose of {', '.join(FREE)}")
        if self.dtype not in DTYPES:
            raise ZooError(f"--dtype {self.dtype}: an ONNX file holds {' or '.join(DTYPES)}")
        if self.pixels and "size" in self.free:
            raise ZooError("--pixels takes pictures of any size already; --input sets the sides that the network sees")
        lowest = LOWEST_PIXELS if self.pixels else LOWEST
        if self.opset is not None and self.opset < lowest:
            why = " with --pixels, whose resizing began there" if self.pixels else ""
            raise ZooError(f"--opset {self.opset}: the lowest is {lowest}{why}")

    @property
    def tolerance(self) -> float:
        """Metres that the result may differ by."""
        return ROUNDED if self.pixels or self.dtype == "f16" else EXACT


def content(network: FastDepth, form: Form, software: str) -> tuple[bytes, float]:
    """(the file, its largest difference to this library's own result, metres). Raises ZooError."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ZooError(NEEDS) from error
    model = traced(network)
    if form.dtype == "f16":
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel

        model = convert_float_to_float16(model, keep_io_types=True)
        OnnxModel(model).topological_sort()
    if form.pixels:
        _wrap(model.graph, *form.sides)
    _shape(model.graph, form)
    if form.opset is not None:
        try:
            model = onnx.version_converter.convert_version(model, form.opset)
        except Exception as error:  # of C++, for what is beyond its table
            raise ZooError(f"--opset {form.opset}: onnx {onnx.__version__} cannot convert to it") from error
    onnx.helper.set_model_props(model, {"software": software} | recipe(network, form))
    made: bytes = model.SerializeToString()
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        return made, max(_error(session, network, form, *shape) for shape in _probes(form))
    except onnxruntime.OnnxRuntimeException as error:
        what = f"--opset {form.opset}: " if form.opset else ""
        raise ZooError(f"{what}ONNX Runtime {onnxruntime.__version__} does not run it ({error})") from error


def traced(network: FastDepth) -> Any:
    """onnx.ModelProto of the network in float32, `image` to `depth`, of any batch and any sides that are multiples of 32."""
    sides = {i: STRIDE * torch.export.Dim(name, min=1, max=2048 // STRIDE) for i, name in ((2, "rows"), (3, "columns"))}
    program = torch.onnx.export(
        network,
        (torch.rand(2, 3, 2 * STRIDE, 3 * STRIDE),),
        input_names=["image"],
        output_names=["depth"],
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch"), **sides},),
    )
    assert program is not None
    return program.model_proto


def recipe(network: FastDepth, form: Form) -> dict[str, str]:
    """What whoever runs the file has to know of what goes in and comes out, for its `metadata_props`."""
    height, width = form.sides
    sides = f"multiples of {STRIDE}" if "size" in form.free else f"{height}x{width}"
    given = {
        "input": f"(batch, 3, height, width) float32 RGB in [0, 1], no mean or deviation removed; sides: {sides}",
        "output": "(batch, 1, height, width) float32, metres",
        "resize": "the whole picture, aspect not kept; bilinear, antialiased, rounded to 8 bits (Pillow's BILINEAR)",
    }
    if form.pixels:
        given["input"] = f"(batch, height, width, 3) uint8 RGB, upright, of any size; the network sees {height}x{width}"
        given["output"] = "(batch, height, width) float32, metres"
        given["resize"] = "inside; a picture longer than 2:1 is best cut into overlapping windows before"
    return {"model": network.variant.name, "dtype": form.dtype, "stride": str(STRIDE)} | given


def _wrap(graph: Any, height: int, width: int) -> None:
    """Put the picture's way in and out around a network."""
    import onnx

    before = onnx.parser.parse_graph(BEFORE.format(height=height, width=width))
    after = onnx.parser.parse_graph(AFTER)
    nodes = [*before.node, *graph.node, *after.node]
    names = {"depth": "depth.network", "metres": "depth"}
    for node in nodes:
        for part in (node.input, node.output):
            part[:] = [names.get(name, name) for name in part]
    after.output[0].name = "depth"
    graph.initializer.extend(before.initializer)
    for field, values in (("node", nodes), ("input", before.input), ("output", after.output)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)


def _shape(graph: Any, form: Form) -> None:
    """Have the graph say which axes are free; what was noted of shapes in between is found anew by whoever runs it."""
    graph.ClearField("value_info")
    known: dict[object, int] = (
        {} if form.pixels or "size" in form.free else dict(zip(("height", "width"), form.sides, strict=True))
    )
    known |= {} if "batch" in form.free else {"batch": 1}
    for value, channels in ((graph.input[0], 3), (graph.output[0], 1)):
        axes: tuple[str | int, ...] = (
            ("batch", "height", "width", channels) if form.pixels else ("batch", channels, "height", "width")
        )
        for dim, axis in zip(value.type.tensor_type.shape.dim, axes, strict=False):
            size = known.get(axis, axis)
            setattr(dim, "dim_value" if isinstance(size, int) else "dim_param", size)  # one takes the other's place


def _probes(form: Form) -> list[tuple[int, int, int]]:
    """(batch, height, width) to run at: one as asked for, and one more where an axis is free."""
    another = (64, 96) if form.sides != (64, 96) else (96, 64)
    other = another if form.pixels or "size" in form.free else form.sides
    return list(dict.fromkeys([(1, *form.sides), (3 if "batch" in form.free else 1, *other)]))


def _error(session: Any, network: FastDepth, form: Form, batch: int, height: int, width: int) -> float:
    """The largest difference, in metres, to eager; of a picture, to eager between this library's ways in and out."""
    rng = np.random.default_rng(0)
    given: NDArray[Any] = rng.random((batch, 3, height, width), np.float32)
    seen = given
    if form.pixels:
        coarse = (image.whole(c, height, width) for c in rng.integers(0, 256, (batch, 8, 8, 3), np.uint8))
        given = np.stack([np.rint(c.transpose(1, 2, 0) * 255).astype(np.uint8) for c in coarse])  # as smooth as photos
        seen = np.stack([image.whole(picture, *form.sides) for picture in given])
    with torch.no_grad():
        expected = network(torch.from_numpy(seen)).numpy()
    if form.pixels:
        expected = np.stack([image.resize_depth(depth[0], height, width) for depth in expected])
    found = session.run(["depth"], {session.get_inputs()[0].name: given})[0]
    return float(np.abs(found - expected).max())
