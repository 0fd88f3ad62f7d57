"""FastDepth as the Hugging Face ecosystem expects a model: from_pretrained, save_pretrained, push_to_hub."""

from __future__ import annotations

from pathlib import Path

from ..errors import ZooError
from ..model import network
from . import checkpoint, hub, hub_cache


class FastDepth(network.FastDepth):
    """The network with the three methods. Loading is strict, and reads safetensors only."""

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path,
        *,
        revision: str = "main",
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> FastDepth:
        """A network in eval mode from a checkpoint folder or a Hub repository, `account/name`.

        What it finds has no pinned digest; its structure is checked. Raises ZooError.
        """
        folder = Path(model)
        if not folder.is_dir():
            if str(model).count("/") != 1:
                raise ZooError(f"{model}: neither a checkpoint folder nor a Hub repository (account/name)")
            for file in (checkpoint.CONFIG, checkpoint.WEIGHTS):
                folder = hub_cache.download(str(model), file, revision, cache_dir, local_files_only, True).parent
        made = cls(checkpoint.config(folder)[0])
        checkpoint.restore(made, folder / checkpoint.WEIGHTS)
        return made.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write model.safetensors and config.json."""
        checkpoint.save(self, Path(folder))

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Upload to `account/name` with a short card; the commit."""
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            self.save_pretrained(folder)
            front = "---\nlibrary_name: fastdepth-zoo\npipeline_tag: depth-estimation\ntags: [depth-estimation]\n---\n"
            text = f'# {self.variant.name}\n\nLoad it with `zoo.FastDepth.from_pretrained("{repository}")`.\n'
            (folder / hub.CARD).write_text(front + text)
            return hub.push(folder, repository, private=private)
