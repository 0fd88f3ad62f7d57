"""Any picture -> depth of its own size. One class for torch networks and for compiled artifacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from .. import image
from ..camera.intrinsics import Camera
from ..camera.lens import Lens
from ..pickling import Portable
from .inputs import pictures, tags

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (3, height, width) in [0, 1] -> (height, width) metres


class Predictor(Portable):
    """The whole-picture recipe around a model: squeeze to the model's input, run, stretch back; panoramas in windows."""

    def __init__(
        self,
        model: Any,
        height: int | None = None,
        width: int | None = None,
        *,
        channels: str = "rgb",
        threads: int | None = None,
        camera: Camera | str | PathLike[str] | None = None,
    ) -> None:
        """`model`: a torch FastDepth, run at height x width, by default its variant's; or an opened artifact, which knows its
        own sides. `channels`: the order in arrays and tensors, rgb or, as OpenCV has it, bgr. `threads`: of torch, while
        it predicts. `camera`: of all pictures: 69deg, 26mm, exif, a camera's file, a Camera; default: what EXIF tells.
        Raises ZooError."""
        self.channels = channels
        self.lens = Lens.of(camera) if isinstance(camera, Camera) else Lens.parse(fspath(camera)) if camera else Lens()
        compiled = hasattr(model, "manifest")
        variant = getattr(model, "variant", None)
        own = (model.height, model.width) if compiled else variant.input if variant else (224, 224)
        self.run: Run = model if compiled else Runner(model, threads)
        self.height: int = own[0] if compiled else height or own[0]
        self.width: int = own[1] if compiled else width or own[1]

    @overload
    def __call__(self, picture: list[Any] | tuple[Any, ...]) -> list[image.Depth]: ...
    @overload
    def __call__(self, picture: str | PathLike[str] | Image | NDArray[Any] | Tensor) -> image.Depth: ...
    def __call__(self, picture: Any) -> image.Depth | list[image.Depth]:
        """A picture, as `zoo.inference.inputs` lists them -> (H, W) float32 metres; a list or batch of them -> a list."""
        found, several = pictures(picture, self.channels)
        known = tags(picture) if not self.lens.known else []
        depths = [
            self.depth(pixels, self.lens.camera(pixels.shape[1], pixels.shape[0], told))
            for pixels, told in zip_longest(found, known)
        ]
        return depths if several else depths[0]

    def depth(self, picture: image.Pixels, camera: Camera) -> image.Depth:
        """(H, W, 3) RGB seen by a camera -> (H, W) float32 metres, calibrated where the camera is."""
        height, width = picture.shape[:2]
        parts = []
        for window in image.windows(width, height):
            bottom, right = window.top + window.height, window.left + window.width
            seen = picture[window.top : bottom, window.left : right]
            depth = self.run(image.whole(seen, self.height, self.width))
            depth = depth * np.float32(camera.factor(window.width, window.height))
            parts.append((window, image.resize_depth(depth, window.height, window.width)))
        blended = image.blend(parts, width, height)
        return camera.calibration.apply(blended) if camera.calibration else blended


class Runner(Portable):
    """A torch network as a function of arrays: in eval mode, of its own dtype, on its own device, with so many threads."""

    def __init__(self, network: nn.Module, threads: int | None = None) -> None:
        self.network, self.threads = network, threads

    def __call__(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """(3, height, width) in [0, 1] -> (height, width) float32 metres."""
        import torch

        like = next(self.network.parameters())
        given = torch.from_numpy(array)[None].to(like.device, like.dtype)
        with torch.inference_mode(), _evaluating(self.network), _threads(self.threads):
            depth: NDArray[np.float32] = self.network(given)[0, 0].float().cpu().numpy()
        return depth


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every module is in the mode it was in."""
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads of torch; afterwards as many as there were."""
    import torch

    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
