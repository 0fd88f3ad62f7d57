"""From a model's name to what kernels are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ZooError

if TYPE_CHECKING:
    from ..kernels.ir.plan import Plan
    from ..model.network import FastDepth


def in_dtype(model: str, dtype: str) -> str:
    """The model itself where it is in that dtype, or the zoo's variant that was made of it. Raises ZooError."""
    from ..variant import DTYPES, catalogue
    from ..weights.load import identify

    if dtype not in DTYPES:
        raise ZooError(f"--dtype {dtype}: there are {' and '.join(DTYPES)}")
    variant, folder = identify(model)
    if variant.dtype == dtype:
        return model
    made = f"{variant.name}_{dtype}"
    if folder is None and made in (known.name for known in catalogue(quantized=True)):
        return made
    if dtype == "f32":
        raise ZooError(f"{model} is in {variant.dtype}; give the network that it was made of")
    raise ZooError(
        f"{model} is in {variant.dtype}: zoo quantize -m {model} --dataset FRAMES -o DIR makes it {dtype}; then -m DIR"
    )


def plan_of(network: FastDepth, height: int, width: int) -> Plan:
    """A network at that size as kernels see it, in its own dtype."""
    from ..kernels.ir.quantize import Integers, quantize
    from ..kernels.ir.rewrite.fold_norm import fold_norm
    from ..kernels.ir.trace import trace
    from ..model.network import FastDepth
    from ..model.quantized import QuantizedFastDepth

    if not isinstance(network, QuantizedFastDepth):
        return trace(network, height, width)
    layers = {
        name: Integers(
            layer.weight.numpy(), layer.bias.numpy(), layer.weight_scale.detach().numpy(), float(layer.input_scale)
        )
        for name in network.order
        for layer in [network.layer(name)]
    }
    return quantize(fold_norm(trace(FastDepth(network.variant).eval(), height, width)), layers)


def traced(model: str) -> Plan:
    """The plan of a model at its own input size; of a variant in float32 without its weights, which do not matter to it."""
    from ..weights.load import identify, load

    variant, folder = identify(model)
    return plan_of(load(model, pretrained=folder is not None or variant.dtype != "f32"), *variant.input)
