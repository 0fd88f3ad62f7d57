"""The artifact's Python side: ctypes and numpy, nothing else, any Python from 3.6. A copy lies in every artifact.

from fastdepth import FastDepth
depth = FastDepth("folder", threads=2)(image)    # (3, H, W) float32 RGB in [0, 1] -> (H, W) float32 metres
"""

import ctypes
import hashlib
import json
import os
import platform

import numpy as np

try:
    from ..errors import KernelError as Root
except (ImportError, ValueError):  # a copy, by itself in an artifact
    Root = Exception

FORMAT = "fastdepth-artifact/1"
MANIFEST, LIBRARY, PARAMETERS = "manifest.json", "libfastdepth.so", "parameters.bin"
OBSERVER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float))


class ArtifactError(Root):
    """The artifact cannot run here; the message says why."""


def read_manifest(folder):
    """The manifest of an artifact whose files are all present and intact."""
    path = os.path.join(str(folder), MANIFEST)
    try:
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        if manifest["format"] != FORMAT:
            raise ArtifactError(f"{path}: format {manifest['format']!r}; this runtime reads {FORMAT!r}")
        files = {name: (entry["size"], entry["sha256"]) for name, entry in manifest["files"].items()}
        _, height, width = (int(side) for side in manifest["input"])
        complete = {LIBRARY, PARAMETERS} <= set(files) and height > 0 and width > 0
        machine, linked_for = str(manifest["machine"]), str(manifest["linked_for"])
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; an artifact is a folder that zoo compile made") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path}: damaged manifest ({type(error).__name__}: {error})") from None
    if not complete:
        raise ArtifactError(f"{path}: damaged manifest (files or input are missing)")
    if machine != platform.machine():
        raise ArtifactError(
            f"{folder}: compiled for {manifest['device']} ({machine}), this machine is {platform.machine()}"
        )
    needed, found = _numbers(linked_for.partition("gnu.")[2]), _glibc()
    if found is None or _numbers(found) < needed:
        mine = f"glibc {found}" if found else "another C library"
        raise ArtifactError(
            f"{folder}: compiled for {manifest['device']} with glibc {'.'.join(map(str, needed))} or newer, "
            f"this system has {mine}"
        )
    for name, (size, sha256) in files.items():
        _verify(os.path.join(str(folder), os.path.basename(name)), size, sha256)
    return manifest


def _glibc():
    """The version of this system's GNU C library, or None where that is not the one it has."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    except (ValueError, OSError, AttributeError, IndexError):
        return None


def _numbers(version):
    return [int(part) for part in version.split(".")[:2] if part.isdigit()]


def _verify(path, size, sha256):
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}") from None
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"{path}: differs from what the manifest promises; compile again")


class FastDepth:
    """An artifact, opened. Not for several threads at once; open one for each."""

    def __init__(self, folder, threads=1):
        """Open the artifact in `folder` with so many threads, the caller counted."""
        self._handle = None
        self.manifest = read_manifest(folder)
        _, self.height, self.width = self.manifest["input"]
        try:
            self._library = ctypes.CDLL(os.path.abspath(os.path.join(str(folder), LIBRARY)))
        except OSError as error:
            raise ArtifactError(f"{folder}: the library cannot be loaded here ({error})") from None
        self._library.fastdepth_create.restype = ctypes.c_void_p
        self._library.fastdepth_error.restype = ctypes.c_char_p
        parameters = os.path.join(str(folder), PARAMETERS)
        self._handle = self._library.fastdepth_create(os.fsencode(parameters), ctypes.c_int(threads))
        if not self._handle:
            raise ArtifactError(self._error())

    def __call__(self, image):
        """(3, H, W) float32 RGB in [0, 1] -> (H, W) float32 metres."""
        return self._call(self._library.fastdepth_run, image)

    def times(self, image, runs):
        """Seconds that every step took, in order, in each of so many runs: (runs, steps)."""
        seconds, depth = np.zeros((runs, len(self.manifest["steps"]))), np.zeros((self.height, self.width), np.float32)
        for row in seconds:
            self._call(self._library.fastdepth_time, image, row.ctypes.data_as(ctypes.c_void_p), depth=depth)
        return seconds

    def observe(self, image):
        """The depth, and every step's result by name as (channels, height, width)."""
        lanes, seen = self._describe()["lanes"], {}

        def look(_, index, pointer):
            step = self.manifest["steps"][index]
            channels, height, width = step["channels"], step["height"], step["width"]
            if index == len(self.manifest["steps"]) - 1:
                seen[step["name"]] = np.ctypeslib.as_array(pointer, (1, height, width)).copy()
                return
            blocks = np.ctypeslib.as_array(pointer, (-(-channels // lanes), height, width, lanes))
            planar = blocks.transpose(0, 3, 1, 2).reshape(-1, height, width)
            seen[step["name"]] = planar[:channels].copy()

        return self._call(self._library.fastdepth_observe, image, OBSERVER(look), None), seen

    def _call(self, function, image, *more, depth=None):
        image = np.ascontiguousarray(image, dtype=np.float32)
        if image.shape != (3, self.height, self.width):
            raise ValueError(f"this artifact takes (3, {self.height}, {self.width}), not {image.shape}")
        if depth is None:
            depth = np.empty((self.height, self.width), np.float32)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (image, depth)]
        if function(ctypes.c_void_p(self._handle), *pointers, *more):
            raise ArtifactError(self._error())
        return depth

    def _describe(self):
        self._library.fastdepth_describe.restype = ctypes.c_char_p
        return json.loads(self._library.fastdepth_describe().decode())

    def _error(self):
        return self._library.fastdepth_error().decode(errors="replace")

    def close(self):
        """Free its memory and threads."""
        if self._handle:
            self._library.fastdepth_destroy(ctypes.c_void_p(self._handle))
            self._handle = None

    __del__ = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
