"""Variants are data: one TOML file holds everything that tells one network of the family from another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import ZooError
from .model.architecture import architecture
from .model.decoders import DECODERS
from .model.encoders import ENCODERS
from .pickling import Portable

FOLDER = Path(__file__).parent / "variants"
SKIPS = ("none", "add", "concat")
DTYPES = ("f32", "int8")  # that a network computes in
STAGES = 5  # of the decoder
WIDEST = 2048  # filters of one layer
LARGEST_SIDE = 4096  # of an input


@dataclass(frozen=True)
class Claim:
    """A number somebody else measured. It never stands in one column with a number measured here."""

    value: float
    unit: str
    conditions: str
    source: str


@dataclass(frozen=True)
class Weights:
    """Where a variant's parameters live and what they must be, byte for byte."""

    repo: str  # name of the repository on the Hugging Face Hub, without its owner
    file: str
    sha256: str
    size: int  # bytes
    licence: str
    data: str  # what it was trained on, where that has terms of its own
    origin: str  # how these numbers came to be
    status: str  # "preview": works, not yet worth quoting; "released"
    revision: str | None = None  # 40 hex digits of the pinned commit; None while unpublished


@dataclass(frozen=True)
class Variant(Portable):
    """One network of the family: architecture, widths, input contract, and (where trained) its weights."""

    name: str
    summary: str
    encoder: str
    decoder: str
    encoder_widths: tuple[int, ...]  # of its blocks: see its file in zoo/model/encoders
    decoder_widths: tuple[int, ...]  # of stages 1..5; the head gives 1
    skip: str  # one of SKIPS
    skips: tuple[tuple[int, int], ...]  # (encoder block, decoder stage that takes its result, upsampled)
    input: tuple[int, int]  # height, width
    widths_from: str
    dtype: str = "f32"  # one of DTYPES
    weights: Weights | None = None
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        if complaint := self._malformed():
            raise ZooError(f"variant {str(self.name)[:40]!r}: {complaint}")
        if self.skip not in SKIPS or (self.skip == "none") != (not self.skips):
            raise ZooError(f"variant {self.name}: skip {self.skip!r} with {len(self.skips)} skips; there are {SKIPS}")
        for layer, stage in self.skips if self.skip == "add" else ():
            if self.encoder_widths[layer] != self.decoder_widths[stage - 1]:
                raise ZooError(
                    f"variant {self.name}: encoder layer {layer} has width {self.encoder_widths[layer]}, "
                    f"decoder stage {stage} has {self.decoder_widths[stage - 1]}; an additive skip needs equal widths"
                )
        architecture(self)  # refuses what cannot be added or concatenated

    def _malformed(self) -> str | None:
        """What is wrong with the record itself: it may come from anywhere, and its name becomes part of paths."""
        words = (self.name, self.summary, self.encoder, self.decoder, self.skip, self.widths_from)
        if not all(isinstance(word, str) for word in words) or not re.fullmatch(r"\w[\w.-]{0,99}", self.name):
            return (
                "name, summary, encoder, decoder, skip and widths_from are texts, the name of letters, digits and -._"
            )
        if self.dtype not in DTYPES:
            return f"dtype {str(self.dtype)[:20]!r}; there are {' and '.join(DTYPES)}"
        if self.encoder not in ENCODERS or self.decoder not in DECODERS:
            return (
                f"encoder {self.encoder[:40]!r} with decoder {self.decoder[:40]!r} is not of the family; "
                f"there are {', '.join(ENCODERS)} with {', '.join(DECODERS)}"
            )
        layers = ENCODERS[self.encoder].widths
        if not (_whole(self.encoder_widths, layers, WIDEST) and _whole(self.decoder_widths, STAGES, WIDEST)):
            return f"{layers} encoder_widths and {STAGES} decoder_widths, whole numbers from 1 to {WIDEST}"
        if not _whole(self.input, 2, LARGEST_SIDE) or any(side % 32 for side in self.input):
            return f"input is a height and a width, multiples of 32 up to {LARGEST_SIDE}"
        if not isinstance(self.skips, tuple) or not all(
            _whole(skip, 2, WIDEST, least=0) and skip[0] < layers and 1 <= skip[1] <= STAGES for skip in self.skips
        ):
            return f"skips are pairs: encoder layer 0 to {layers - 1}, decoder stage 1 to {STAGES}"
        if len({stage for _, stage in self.skips}) < len(self.skips):
            return "a decoder stage takes one skip"
        return None


def _whole(values: Any, count: int, most: int, least: int = 1) -> bool:
    """Whether these are so many whole numbers within limits."""
    return (
        isinstance(values, tuple)
        and len(values) == count
        and all(type(value) is int and least <= value <= most for value in values)
    )


def parse(record: Mapping[str, Any]) -> Variant:
    """Build a Variant from what a TOML or JSON file holds; lists become tuples, unknown keys are errors."""
    fields = dict(record)
    weights = fields.pop("weights", None)
    claims = fields.pop("claims", ())
    try:
        return Variant(
            **{key: _frozen(value) for key, value in fields.items()},
            weights=Weights(**weights) if weights else None,
            claims=tuple(Claim(**claim) for claim in claims),
        )
    except (TypeError, IndexError) as error:
        raise ZooError(f"variant record {fields.get('name', '?')!r} is malformed: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


@cache
def catalogue(*, study: bool = False, quantized: bool = False) -> tuple[Variant, ...]:
    """Every variant of the zoo, in order of name; or those without weights: for studies of the design, or not trained yet;
    or those in integers, made of others."""
    folder = FOLDER / "study" if study else FOLDER / "quantized" if quantized else FOLDER
    return tuple(parse(tomllib.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.toml")))


def variant(name: str) -> Variant:
    """The variant of that name. Raises ZooError with the known names."""
    for known in (*catalogue(), *catalogue(quantized=True), *catalogue(study=True)):
        if known.name == name:
            return known
    raise ZooError(
        f"unknown variant {name!r}; known: {', '.join(v.name for v in (*catalogue(), *catalogue(quantized=True)))}"
    )
