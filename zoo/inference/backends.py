"""What computes: a torch network or a compiled artifact, by name, ready to use."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .predictor import Predictor


@dataclass(frozen=True)
class Runtime:
    """A predictor, and what every result names: the model, what computes it, the sha256 of its weights."""

    model: str
    name: str  # torch | the artifact's device
    weights: str
    status: str  # of the weights
    predict: Predictor = field(repr=False)

    @property
    def remark(self) -> str | None:
        """What to know about weights that are not released ones."""
        if self.status != "preview":
            return None
        return f"{self.model}: preview weights, shortly trained; good for trying out, not for measuring"


def find(model: str, artifact: Path | None, threads: int) -> Runtime:
    """An artifact's folder where there is one, else a variant or a checkpoint folder in torch. Raises ZooError."""
    if artifact is not None:
        from ..kernels.runtime.fastdepth import FastDepth

        opened = FastDepth(artifact, threads)
        made = opened.manifest["model"]
        digest = made.get("weights_sha256", "")
        return Runtime(made["name"], opened.manifest["device"], digest, made["status"], Predictor(opened))
    from ..weights import checkpoint, hub
    from ..weights.load import identify, load

    variant, folder = identify(model)
    predict = Predictor(load(model), threads=threads)
    if variant.weights:
        return Runtime(variant.name, "torch", variant.weights.sha256, variant.weights.status, predict)
    digest = checkpoint.digest(hub.resolve(variant, weights=folder))
    return Runtime(variant.name, "torch", digest, "released", predict)
