"""The network as the Hugging Face ecosystem expects a model: from_pretrained, save_pretrained, push_to_hub.

Files and the Hub are another room's (`zoo.weights`), asked when they are needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from ..errors import ZooError

if TYPE_CHECKING:
    from .network import FastDepth


class Pretrained:
    """The three methods, for a module that is made of a variant. Loading is strict, and reads safetensors only."""

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        revision: str = "main",
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """A network in eval mode from a checkpoint folder or a Hub repository, `account/name`.

        What it finds has no pinned digest; its structure is checked. Raises ZooError.
        """
        from ..weights import checkpoint, hub
        from .network import network_of

        folder = hub.repository_folder(model, revision, cache_dir, local_files_only)
        made: FastDepth = network_of(checkpoint.config(folder)[0])
        if not isinstance(made, cls):
            raise ZooError(f"{model}: holds a {type(made).__name__}, not a {cls.__name__}")
        checkpoint.restore(cast("FastDepth", made), folder / checkpoint.WEIGHTS)
        return made.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write model.safetensors and config.json."""
        from ..weights import checkpoint

        checkpoint.save(cast("FastDepth", self), Path(folder))

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Upload to `account/name` with a short card; the commit."""
        import tempfile

        from ..weights import hub

        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            self.save_pretrained(folder)
            front = "---\nlibrary_name: fastdepth-zoo\npipeline_tag: depth-estimation\ntags: [depth-estimation]\n---\n"
            name = cast("FastDepth", self).variant.name
            text = f'# {name}\n\nLoad it with `zoo.FastDepth.from_pretrained("{repository}")`.\n'
            (folder / hub.CARD).write_text(front + text)
            return hub.push(folder, repository, private=private)
