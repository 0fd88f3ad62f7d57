"""What a network costs: multiply-accumulates, weights, or the seconds of a device, layer by layer. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ZooError
from ..model.architecture import architecture
from ..model.walk import Shape
from ..variant import Variant

Cost = Callable[[Variant], float]
Split = Callable[[Shape], Sequence[Shape]]
LENGTHS, NOISES, SPREADS = (0.5, 1.0, 2.0, 4.0), (0.02, 0.05, 0.1), (0.1, 0.3, 1.0)
KINDS = ("stem", "depthwise", "pointwise", "head", "conv")  # of convolutions that there are kernels for
LEAST = 3  # measurements of one kind of layer that an estimate needs


def layers(variant: Variant) -> tuple[Shape, ...]:
    """The convolutions of a variant in order; the head after the last upsampling, as published."""
    return tuple(layer.shape for layer in architecture(variant).layers if layer.shape.kind != "pool")


def macs(variant: Variant) -> float:
    """Multiply-accumulates for one image."""
    return sum(layer.macs for layer in layers(variant))


def params(variant: Variant) -> float:
    """Weights of the convolutions."""
    return sum(layer.weights for layer in layers(variant))


def whole(layer: Shape) -> tuple[Shape, ...]:
    """A layer as one kernel."""
    return (layer,)


class Latency:
    """Seconds of a variant on a device, the sum over its layers: measured where they were, estimated elsewhere.

    An estimate is kriging (Rasmussen & Williams 2006, chapter 2) of log seconds per multiply-accumulate over the logarithms
    of a layer's sizes: a plane plus a smooth deviation. Smoothness, spread and noise are those with the least
    leave-one-out error, which has a closed form (ibid., equation 5.12).
    """

    def __init__(self, measured: Mapping[Shape, float], split: Split = whole) -> None:
        """`measured`: seconds by layer; `split`: the layers that a device runs in place of one. Raises ZooError if too few
        are measured."""
        self.split = split
        self.measured = {layer: seconds for layer, seconds in measured.items() if len(split(layer)) == 1}
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
        return sum(self.seconds(part) for layer in layers(variant) for part in self.split(layer))

    def seconds(self, layer: Shape) -> float:
        """Measured or, failing that, estimated seconds of a layer."""
        if layer.kind not in KINDS:
            raise ZooError(f"no kernel for a layer of kind {layer.kind}, so no latency; there are {', '.join(KINDS)}")
        known = self.measured.get(layer)
        if known is None:
            known = self.measured[layer] = self._fields[layer.kind].estimate(layer)
        return known

    def errors(self) -> NDArray[np.float64]:
        """Relative error of the estimate of every measured depthwise and pointwise layer from all the others."""
        return np.concatenate([np.abs(np.expm1(self._fields[kind].left_out)) for kind in ("depthwise", "pointwise")])


class _Field:
    """Kriging of one kind of layer."""

    def __init__(self, known: list[Shape], seconds: Mapping[Shape, float]) -> None:
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

    def estimate(self, layer: Shape) -> float:
        likeness = _likeness(_place(layer)[None], self.places, self.length, self.spread)
        return float(np.exp((likeness @ self.weights).item()) * layer.macs)


def _place(layer: Shape) -> NDArray[np.float64]:
    sizes = (
        layer.macs,
        layer.kernel_size,
        layer.stride,
        layer.in_channels,
        layer.out_channels,
        layer.height * layer.width,
    )
    return np.log(np.array(sizes, np.float64))


def _likeness(a: NDArray[np.float64], b: NDArray[np.float64], length: float, spread: float) -> NDArray[np.float64]:
    """Covariance of two sets of places: of a plane (coefficients of variance 1, but 25 for its height), and a deviation."""
    distance: NDArray[np.float64] = np.square(a[:, None, 1:] - b[None, :, 1:]).sum(-1)
    made: NDArray[np.float64] = 25.0 + a @ b.T + spread**2 * np.exp(-distance / (2 * length**2))
    return made
