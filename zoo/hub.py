"""Where weights come from: an explicit path, the cache of the pinned revision, the bundled copy, the Hub. Verified always."""

from __future__ import annotations

import os
from pathlib import Path

from .checkpoint import WEIGHTS, verify
from .errors import ZooError
from .variant import Variant, Weights

BUNDLED = Path(__file__).parent / "checkpoints"


def resolve(
    variant: Variant,
    *,
    weights: str | Path | None = None,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    progress: bool = True,
) -> Path:
    """The safetensors file of a variant, whose size and sha256 are what its record pins.

    `weights`: a safetensors file or a checkpoint folder of your own, used as it is. `revision`: a commit of the Hub
    repository other than the pinned one; its file has no pinned digest, so only its structure is checked.
    """
    if weights is not None:
        path = Path(weights)
        return path / WEIGHTS if path.is_dir() else path
    record = variant.weights
    if record is None:
        raise ZooError(
            f"{variant.name} has no pretrained weights; pass weights=<file.safetensors>, or pretrained=False for "
            f"random ones"
        )
    if revision is not None and revision != record.revision:
        return _download(record, revision, cache_dir, local_files_only, progress)
    bundled = BUNDLED / variant.name / record.file
    if bundled.is_file():
        verify(bundled, record.sha256, record.size)
        return bundled
    if record.revision is None:
        raise ZooError(f"{bundled}: no such file, and {variant.name} is not on the Hub yet; reinstall the package")
    path = _download(record, record.revision, cache_dir, local_files_only, progress)
    verify(path, record.sha256, record.size)
    return path


def _download(record: Weights, revision: str, cache_dir: str | Path | None, local: bool, progress: bool) -> Path:
    """The file of a Hub repository at a commit, from the cache where it is there. ZOO_NAMESPACE names the account."""
    namespace = os.environ.get("ZOO_NAMESPACE")
    if not namespace:
        raise ZooError(f"set ZOO_NAMESPACE to the Hub account that serves {record.repo}")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    (enable_progress_bars if progress else disable_progress_bars)()
    try:
        return Path(
            hf_hub_download(
                f"{namespace}/{record.repo}",
                record.file,
                revision=revision,
                cache_dir=cache_dir,
                local_files_only=local,
            )
        )
    except LocalEntryNotFoundError as error:
        raise ZooError(
            f"{namespace}/{record.repo} @ {revision[:12]}: not in the cache, and the Hub is out of reach"
        ) from (error)
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ZooError(f"{namespace}/{record.repo} @ {revision[:12]}: {str(error).splitlines()[0]}") from error
