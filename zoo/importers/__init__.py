"""Foreign checkpoints, read once and turned into ours: TFLite, ONNX, PyTorch files of any age and kind, safetensors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ZooError
from ..files import read_bounded
from ..model.architecture import architecture
from ..variant import Variant, catalogue
from ..variant import variant as find
from . import legacy
from .folded import Folded, read

if TYPE_CHECKING:
    from torch import Tensor

    from ..model.network import FastDepth
    from ..model.walk import Layer


TORCH = (".pth", ".pt", ".pt2", ".tar", ".ckpt")
# what wraps a network adds a name: DataParallel, torch.compile and sharding anywhere, Lightning and loops in front
WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
HOLDERS = ("model", "net", "network", "state_dict")
# the authors' names of layers (github.com/dwofk/fast-depth @ e684920, models.py) and ours
AUTHORS = (
    (r"conv0\.(?P<step>[01])\.(?P<tail>\w+)", "encoder.0"),
    (r"conv(?P<n>\d+)\.(?P<step>[0134])\.(?P<tail>\w+)", "encoder.{n}.{half}"),
    (r"decode_conv6\.(?P<step>[01])\.(?P<tail>\w+)", "head"),
    (r"decode_conv(?P<n>[1-5])\.(?P<half>[01])\.(?P<step>[01])\.(?P<tail>\w+)", "decoder.{n}.{half}"),
)
# names of EfficientNet's layers in the PyTorch ports of Google's weights (github.com/lukemelas/EfficientNet-PyTorch) and ours
EFFICIENTNET = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
FIRST = "encoder.0.conv.weight"
STEM = {"_conv_stem": "encoder.0.conv", "_bn0": "encoder.0.norm"}


def import_file(path: Path, which: str | Variant | None = None) -> FastDepth:
    """The network in a foreign file, checked by a forward pass; of variant `which`, or of the one whose widths it has.

    Widths that no variant has make a variant of their own, named after the file. Raises ZooError.
    """
    known = find(which) if isinstance(which, str) else which
    if path.suffix in TORCH:
        network = _from_state(legacy.read(path), known, path)
    elif path.suffix == ".safetensors":
        network = _from_state(_safetensors(path), known, path)
    else:
        layers = read(path)
        network = fill(_recognised([len(layer.weight) for layer in layers], known, path), layers, path)
    check(network, path)
    return network


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(read_bounded(path))
    except SafetensorError as error:
        raise ZooError(f"{path}: not a readable safetensors file ({error})") from error


def convolutions(variant: Variant) -> list[Layer]:
    """The layers that have weights, in order of execution."""
    return [layer for layer in architecture(variant).layers if layer.shape.kind != "pool"]


def _recognised(filters: Sequence[int], known: Variant | None, path: Path) -> Variant:
    """The variant with so many filters per convolution, in order of execution."""
    if known is not None:
        return known
    for known in catalogue():
        if [layer.shape.out_channels for layer in convolutions(known)] == list(filters):
            return known
    base = find("fastdepth")
    names = [layer.name for layer in convolutions(base)]
    if len(filters) != len(names):
        raise ZooError(f"{path}: {len(filters)} convolutions; a FastDepth with additive skips has {len(names)}")
    count = dict(zip(names, filters, strict=True))

    def widths(blocks: Iterable[str]) -> tuple[int, ...]:
        """A block has as many filters as its last layer."""
        return tuple(count[architecture(base).block(block)[-1].name] for block in blocks)

    encoder = widths(f"encoder.{i}" for i in range(len(base.encoder_widths)))
    decoder = widths(f"decoder.{j}" for j in range(1, len(base.decoder_widths) + 1))
    title = re.sub(r"\W+", "_", path.name.split(".")[0]).strip("_").lower() or "imported"
    changes = {"encoder_widths": encoder, "decoder_widths": decoder, "weights": None, "claims": ()}
    words = {"summary": "widths of an imported file", "widths_from": path.name}
    return replace(base, name=title, **changes, **words)  # type: ignore[arg-type]


def _from_state(tensors: Mapping[str, Tensor], known: Variant | None, path: Path) -> FastDepth:
    """From names of ours or of the authors (conv0.0 …, decode_conv1.0.0 …), perhaps behind a wrapper's, such as `module.`."""
    import torch

    from ..model.network import FastDepth

    state: dict[str, Tensor] = {}
    inside = _prefix(tensors, path)
    for key, tensor in ((key.removeprefix(inside), t) for key, t in tensors.items() if key.startswith(inside)):
        same = state.setdefault(_ours(key), tensor)
        if same is not tensor and not torch.equal(same, tensor):
            raise ZooError(f"{path}: holds two networks, of which both have {_ours(key)}; save one of them alone")
    order = [f"{layer.name}.conv" if layer.norm else layer.name for layer in convolutions(known or find("fastdepth"))]
    missing = [layer for layer in order if f"{layer}.weight" not in state]
    if missing:
        what = f"the variant {known.name}" if known else "a FastDepth with additive skips"
        raise ZooError(f"{path}: not {what}: it lacks {len(missing)} of {len(order)} layers, {missing[0]} first")
    network = FastDepth(_recognised([len(state[f"{layer}.weight"]) for layer in order], known, path)).eval()
    expected = {key: t for key, t in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    for key, tensor in expected.items():
        if key not in state or state[key].shape != tensor.shape:
            found = f"has shape {tuple(state[key].shape)}" if key in state else "is missing"
            raise ZooError(f"{path}: {key} {found}, variant {network.variant.name} needs {tuple(tensor.shape)}")
        if state[key].dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            raise ZooError(f"{path}: {key} holds {state[key].dtype}, not floating-point numbers")
        if not torch.isfinite(state[key]).all():
            raise ZooError(f"{path}: {key} holds values that are not finite")
    network.load_state_dict({key: state[key] for key in expected}, strict=False)
    return network


def _prefix(keys: Iterable[str], path: Path) -> str:
    """What stands before every name of the one network in a larger module, such as `depth_net.`; nothing where it is all."""
    found: set[str] = set()
    for key in keys:
        parts = key.split(".")
        starts = (i for i in range(len(parts)) if _ours(".".join(parts[i:])) == FIRST)
        found.update("".join(f"{part}." for part in parts[:start]) for start in list(starts)[:1])
    if len(found) > 1 and "" not in found:
        raise ZooError(f"{path}: holds several networks, {', '.join(sorted(found))[:200]}; save one of them alone")
    return "" if "" in found else next(iter(found), "")


def _ours(key: str) -> str:
    """The name of a tensor in the authors' networks or in ports of EfficientNet -> ours; a name of ours stays."""
    bare = [part for part in key.split(".") if part not in WRAPPERS]
    key = ".".join(dropwhile(HOLDERS.__contains__, bare))
    for pattern, layer in AUTHORS:
        if match := re.fullmatch(pattern, key):
            parts = match.groupdict()
            step, tail = int(parts["step"]), parts["tail"]
            half = int(parts.get("half") or step // 3)
            place = layer.format(n=parts.get("n"), half=("depthwise", "pointwise")[half])
            return f"{place}.{('conv', 'norm')[step % 3]}.{tail}"
    if match := re.fullmatch(r"(?:encoder\.)?_blocks\.(\d+)\.(_\w+)\.(\w+)", key):
        return f"encoder.{int(match[1]) + 1}.{EFFICIENTNET.get(match[2], match[2])}.{match[3]}"
    if match := re.fullmatch(r"(?:encoder\.)?(_conv_stem|_bn0)\.(\w+)", key):
        return f"{STEM[match[1]]}.{match[2]}"
    return key


def fill(variant: Variant, layers: list[Folded], origin: Path) -> FastDepth:
    """A network of that variant holding the folded layers, its normalisations reduced to a bias."""
    import torch

    from ..model.layers import ConvNormAct
    from ..model.network import FastDepth

    network = FastDepth(variant).eval()
    targets = [(layer.name, network.get_submodule(layer.name)) for layer in convolutions(variant)]
    if len(targets) != len(layers):
        raise ZooError(f"{origin}: {len(layers)} convolutions, variant {variant.name} has {len(targets)}")
    for (name, target), layer in zip(targets, layers, strict=True):
        if not isinstance(target, ConvNormAct):
            raise ZooError(f"{origin}: {name} of variant {variant.name} has no normalisation to hold what was folded")
        if target.conv.weight.shape != layer.weight.shape:
            raise ZooError(
                f"{origin}: {name} has shape {layer.weight.shape}, "
                f"variant {variant.name} needs {tuple(target.conv.weight.shape)}"
            )
        with torch.no_grad():
            target.conv.weight.copy_(torch.from_numpy(layer.weight))
            target.norm.bias.copy_(torch.from_numpy(layer.bias))
            target.norm.running_var.fill_(1 - target.norm.eps)  # type: ignore[union-attr]
    return network


def check(network: FastDepth, origin: Path) -> None:
    """One forward pass on grey: the depth must be finite and not all zero."""
    import torch

    with torch.inference_mode():
        depth = network(torch.full((1, 3, *network.variant.input), 0.5))
    if not torch.isfinite(depth).all() or not (depth > 0).any():
        raise ZooError(f"{origin}: the imported network gives no depth; is it a FastDepth?")
