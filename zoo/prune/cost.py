"""What a network costs: multiply-accumulates, weights, or the seconds of a device, layer by layer. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from ..variant import STRIDES, Variant
from .widths import prunable

Cost = Callable[[Variant], float]
LENGTHS, NOISES, SPREADS = (0.5, 1.0, 2.0, 4.0), (0.02, 0.05, 0.1), (0.1, 0.3, 1.0)
KINDS = ("stem", "depthwise", "pointwise", "head", "conv")
LEAST = 3  # measurements of one kind of layer that an estimate needs


class Layer(NamedTuple):
    """One convolution, without what is done to its result; height and width are its input's."""

    kind: str  # one of KINDS
    taps: int
    stride: int
    cin: int
    cout: int
    height: int
    width: int

    @property
    def weights(self) -> int:
        """Weights of the convolution."""
        return self.taps**2 * self.cout * (1 if self.kind == "depthwise" else self.cin)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.weights * -(-self.height // self.stride) * -(-self.width // self.stride)


def layers(variant: Variant) -> tuple[Layer, ...]:
    """The convolutions of a variant in order; the head after the last doubling, as published. Raises ZooError unless it is
    prunable."""
    height, width = prunable(variant).input
    first, *rest = variant.encoder_widths
    found = [Layer("stem", 3, STRIDES[0], 3, first, height, width)]
    height, width, cin = height // 2, width // 2, first
    for stride, cout in zip(STRIDES[1:], rest, strict=True):
        found.append(Layer("depthwise", 3, stride, cin, cin, height, width))
        height, width = height // stride, width // stride
        found.append(Layer("pointwise", 1, 1, cin, cout, height, width))
        cin = cout
    joins = {stage: layer for layer, stage in variant.skips} if variant.skip == "concat" else {}
    for stage, cout in enumerate(variant.decoder_widths, start=1):
        if variant.decoder == "nnconv5_dense":
            found.append(Layer("conv", 5, 1, cin, cout, height, width))
        else:
            found.append(Layer("depthwise", 5, 1, cin, cin, height, width))
            found.append(Layer("pointwise", 1, 1, cin, cout, height, width))
        height, width, cin = 2 * height, 2 * width, cout
        if stage in joins:
            cin += variant.encoder_widths[joins[stage]]
    return (*found, Layer("head", 1, 1, cin, 1, height, width))


def macs(variant: Variant) -> float:
    """Multiply-accumulates for one image."""
    return sum(layer.macs for layer in layers(variant))


def params(variant: Variant) -> float:
    """Weights of the convolutions."""
    return sum(layer.weights for layer in layers(variant))


def parts(layer: Layer, lanes: int) -> tuple[Layer, ...]:
    """A layer as kernels of vectors of so many lanes run it: channels past the last full vector by themselves, where they are
    at most half of one."""
    full, rest = layer.cout // lanes * lanes, layer.cout % lanes
    if layer.kind == "head" or not (full and 0 < rest <= lanes // 2):
        return (layer,)
    own = layer.kind == "depthwise"
    return tuple(layer._replace(cout=count, cin=count if own else layer.cin) for count in (full, rest))


class Latency:
    """Seconds of a variant on a device, the sum over its layers: measured where they were, estimated elsewhere.

    An estimate is kriging (Rasmussen & Williams 2006, chapter 2) of log seconds per multiply-accumulate over the logarithms
    of a layer's sizes: a plane plus a smooth deviation. Smoothness, spread and noise are those with the least
    leave-one-out error, which has a closed form (ibid., equation 5.12).
    """

    def __init__(self, measured: Mapping[Layer, float], lanes: int = 1) -> None:
        """`measured`: seconds by layer, of kernels with vectors of so many lanes. Raises ZooError if there are too few."""
        self.lanes = lanes
        self.measured = {layer: seconds for layer, seconds in measured.items() if len(parts(layer, lanes)) == 1}
        by_kind = {kind: [x for x in self.measured if x.kind == kind] for kind in ("depthwise", "pointwise")}
        for kind, found in by_kind.items():
            if len(found) < LEAST:
                raise ZooError(f"only {len(found)} measured {kind} layers; {LEAST} are needed to estimate others")
        self._fields = {kind: _Field([*found], self.measured) for kind, found in by_kind.items()}
        for kind in set(KINDS) - set(by_kind):
            found = [x for x in self.measured if x.kind == kind]
            self._fields[kind] = _Field(found, self.measured) if found else self._fields["pointwise"]

    def __call__(self, variant: Variant) -> float:
        """Seconds for one image."""
        return sum(self.seconds(part) for layer in layers(variant) for part in parts(layer, self.lanes))

    def seconds(self, layer: Layer) -> float:
        """Measured or, failing that, estimated seconds of a layer."""
        known = self.measured.get(layer)
        if known is None:
            known = self.measured[layer] = self._fields[layer.kind].estimate(layer)
        return known

    def errors(self) -> NDArray[np.float64]:
        """Relative error of the estimate of every measured depthwise and pointwise layer from all the others."""
        return np.concatenate([np.abs(np.expm1(self._fields[kind].left_out)) for kind in ("depthwise", "pointwise")])


class _Field:
    """Kriging of one kind of layer."""

    def __init__(self, known: list[Layer], seconds: Mapping[Layer, float]) -> None:
        self.places = np.stack([_place(layer) for layer in known])
        values = np.log([seconds[layer] / layer.macs for layer in known])
        fits = [self._fit(values, *choice) for choice in itertools.product(LENGTHS, NOISES, SPREADS)]
        self.left_out, self.weights, self.length, self.spread = min(
            fits, key=lambda fit: float(np.square(fit[0]).sum())
        )

    def _fit(
        self, values: NDArray[np.float64], length: float, noise: float, spread: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
        """(leave-one-out errors in log seconds, weights of the measurements, length, spread)."""
        inverse = np.linalg.inv(_likeness(self.places, self.places, length, spread) + noise**2 * np.eye(len(values)))
        weights = inverse @ values
        return weights / inverse.diagonal(), weights, length, spread

    def estimate(self, layer: Layer) -> float:
        likeness = _likeness(_place(layer)[None], self.places, self.length, self.spread)
        return float(np.exp((likeness @ self.weights).item()) * layer.macs)


def _place(layer: Layer) -> NDArray[np.float64]:
    sizes = (layer.macs, layer.taps, layer.stride, layer.cin, layer.cout, layer.height * layer.width)
    return np.log(np.array(sizes, np.float64))


def _likeness(a: NDArray[np.float64], b: NDArray[np.float64], length: float, spread: float) -> NDArray[np.float64]:
    """Covariance of two sets of places: of a plane (coefficients of variance 1, but 25 for its height), and a deviation."""
    distance: NDArray[np.float64] = np.square(a[:, None, 1:] - b[None, :, 1:]).sum(-1)
    made: NDArray[np.float64] = 25.0 + a @ b.T + spread**2 * np.exp(-distance / (2 * length**2))
    return made
