"""torch.hub entry points: torch.hub.load('<owner>/<repo>', 'fastdepth_pruned', trust_repo=True)."""

import hashlib as _hashlib
import importlib as _importlib
import importlib.util as _util
import pathlib as _pathlib
import sys as _sys

dependencies = ["torch", "numpy", "PIL", "safetensors", "huggingface_hub"]


def _zoo(module):
    """A module of this very folder's zoo/, under a name of its own: others may have imported another `zoo`."""
    folder = _pathlib.Path(__file__).resolve().parent / "zoo"
    known = _sys.modules.get("zoo")
    if known and getattr(known, "__file__", None) and _pathlib.Path(known.__file__).resolve().parent == folder:
        return _importlib.import_module(f"zoo.{module}")  # it is this very one
    name = "_fastdepth_zoo_" + _hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    if name not in _sys.modules:
        places = [str(folder), str(folder.parent)]  # zoo.kernels lies beside it
        spec = _util.spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=places)
        package = _util.module_from_spec(spec)
        _sys.modules[name] = package
        try:
            spec.loader.exec_module(package)
        except BaseException:
            del _sys.modules[name]
            raise
    return _importlib.import_module(f"{name}.{module}")


def fastdepth(
    pretrained=True,
    *,
    weights=None,
    progress=True,
    revision=None,
    cache_dir=None,
    local_files_only=False,
    device="cpu",
):
    """FastDepth, unpruned: MobileNet encoder, NNConv5 decoder, three additive skips; 0.74 GMAC at 224x224.

    Input (N, 3, H, W): RGB in [0, 1], sides multiples of 32, no mean subtracted. Output (N, 1, H, W): metres, >= 0.
    In eval mode. Weights: MIT; trained on NYU Depth v2 (research use), see zoo/checkpoints/fastdepth/README.md for
    their metrics and recipe. `weights`: your own safetensors file or checkpoint folder. `pretrained=False`: random.
    """
    options = {"weights": weights, "progress": progress, "revision": revision, "cache_dir": cache_dir}
    options |= {"local_files_only": local_files_only, "device": device}
    return _zoo("weights.load").load("fastdepth", pretrained, **options)


def fastdepth_lite(
    pretrained=True,
    *,
    weights=None,
    progress=True,
    revision=None,
    cache_dir=None,
    local_files_only=False,
    device="cpu",
):
    """EfficientNet-Lite0 that knows ImageNet, FastDepth's decoder with concatenated skips: 0.44 GMAC at 224x224.

    Input (N, 3, H, W): RGB in [0, 1], sides multiples of 32, no mean subtracted. Output (N, 1, H, W): metres, >= 0.
    In eval mode. Weights: Apache-2.0; trained on NYU Depth v2 (research use), see zoo/checkpoints/fastdepth_lite/README.md
    for their metrics and recipe. `weights`: your own safetensors file or checkpoint folder. `pretrained=False`: random.
    """
    options = {"weights": weights, "progress": progress, "revision": revision, "cache_dir": cache_dir}
    options |= {"local_files_only": local_files_only, "device": device}
    return _zoo("weights.load").load("fastdepth_lite", pretrained, **options)


def fastdepth_pruned(
    pretrained=True,
    *,
    weights=None,
    progress=True,
    revision=None,
    cache_dir=None,
    local_files_only=False,
    device="cpu",
):
    """FastDepth pruned by NetAdapt to the published widths: half the work, 0.37 GMAC at 224x224.

    Input (N, 3, H, W): RGB in [0, 1], sides multiples of 32, no mean subtracted. Output (N, 1, H, W): metres, >= 0.
    In eval mode. Weights: MIT; trained on NYU Depth v2 (research use), see zoo/checkpoints/fastdepth_pruned/README.md
    for their metrics and recipe. `weights`: your own safetensors file or checkpoint folder. `pretrained=False`: random.
    """
    options = {"weights": weights, "progress": progress, "revision": revision, "cache_dir": cache_dir}
    options |= {"local_files_only": local_files_only, "device": device}
    return _zoo("weights.load").load("fastdepth_pruned", pretrained, **options)


def fastdepth_pruned_int8(
    pretrained=True,
    *,
    weights=None,
    progress=True,
    revision=None,
    cache_dir=None,
    local_files_only=False,
    device="cpu",
):
    """fastdepth_pruned in integers: int8 weights, uint8 results, a quarter of the size. Compiled artifacts give the same.

    Input (N, 3, H, W): RGB in [0, 1], sides multiples of 32, no mean subtracted. Output (N, 1, H, W): metres, >= 0.
    In eval mode. Weights: MIT; made by `zoo quantize`, see zoo/checkpoints/fastdepth_pruned_int8/README.md. PyTorch computes
    it exactly and slowly; `zoo compile` makes it fast. `weights`: your own safetensors file or checkpoint folder.
    """
    options = {"weights": weights, "progress": progress, "revision": revision, "cache_dir": cache_dir}
    options |= {"local_files_only": local_files_only, "device": device}
    return _zoo("weights.load").load("fastdepth_pruned_int8", pretrained, **options)


def fastdepth_netadapt(
    pretrained=True,
    *,
    weights=None,
    progress=True,
    revision=None,
    cache_dir=None,
    local_files_only=False,
    device="cpu",
):
    """FastDepth narrowed by this repository's own NetAdapt search (docs/pruning.md): 0.36 GMAC at 224x224.

    Input (N, 3, H, W): RGB in [0, 1], sides multiples of 32, no mean subtracted. Output (N, 1, H, W): metres, >= 0.
    In eval mode. Weights: MIT; trained on NYU Depth v2 (research use), see zoo/checkpoints/fastdepth_netadapt/README.md
    for their metrics and recipe. `weights`: your own safetensors file or checkpoint folder. `pretrained=False`: random.
    """
    options = {"weights": weights, "progress": progress, "revision": revision, "cache_dir": cache_dir}
    options |= {"local_files_only": local_files_only, "device": device}
    return _zoo("weights.load").load("fastdepth_netadapt", pretrained, **options)


def transforms(*, crop=True, channels="rgb"):
    """What turns a picture into the networks' input, (1, 3, 224, 224); a list or batch of pictures into a list.

    A picture is a path, a Pillow image, an array (H, W, 3), (H, W, 4) or (H, W), or a tensor (C, H, W): uint8, or floats in
    [0, 1]. `channels="bgr"`: arrays and tensors have OpenCV's order.

    crop=True: the published recipe, made for 640x480 frames: scale to 333x250, centre crop 304x228, squeeze to 224x224,
    nearest neighbour throughout. crop=False: the whole picture, bilinear, so that every pixel gets a depth.
    """
    return _zoo("inference.transform").Transform(crop=crop, channels=channels)


def _maker():
    """What objects sent to another process are made by there (zoo/pickling.py)."""
    return _zoo("pickling").MAKER
