"""The artifact's Python side: ctypes and numpy, nothing else, any Python from 3.6. A copy lies in every artifact.

from fastdepth import FastDepth
depth = FastDepth("folder", threads=2)(image)    # (3, H, W) float32 RGB in [0, 1] -> (H, W) float32 metres
"""

import ctypes
import hashlib
import json
import os
import platform
import stat
import struct

import numpy as np

try:
    from ..errors import KernelError as Root
except (ImportError, ValueError):  # a copy, by itself in an artifact
    Root = Exception

FORMAT = "fastdepth-artifact/2"
MANIFEST, LIBRARY, PARAMETERS = "manifest.json", "libfastdepth.so", "parameters.bin"
LARGEST = 1 << 24  # bytes of a manifest
RESULTS = {"f32": ctypes.c_float, "int8": ctypes.c_uint8}  # what hidden results are held in
OBSERVER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class ArtifactError(Root):
    """The artifact cannot run here; the message says why."""


def read_manifest(folder):
    """The manifest of an artifact whose files are all present and intact."""
    path = os.path.join(str(folder), MANIFEST)
    try:
        content = _content(path, LARGEST)
        if len(content) > LARGEST:
            raise ValueError(f"more than {LARGEST} bytes")
        manifest = json.loads(content.decode("utf-8"))
        if manifest["format"] != FORMAT:
            raise ArtifactError(
                f"{path}: format {_short(manifest['format'])}; this runtime reads {FORMAT!r}; compile again"
            )
        files = {name: (entry["size"], entry["sha256"]) for name, entry in manifest["files"].items()}
        texts = [manifest[name] for name in ("device", "arch", "zig_target")]
        complete = PARAMETERS in files and all(isinstance(t, str) and t.isprintable() for t in texts)
        device, arch, zig_target = texts
        needed = _numbers(zig_target.partition("gnu.")[2]) if complete else []
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; an artifact is a folder that zoo compile made") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"{path}: damaged manifest ({type(error).__name__}: {error})") from None
    if not complete:
        raise ArtifactError(f"{path}: damaged manifest (files, device, arch or zig_target)")
    if arch != platform.machine():
        raise ArtifactError(f"{folder}: compiled for {device} ({arch}), this machine is {platform.machine()}")
    if LIBRARY not in files:
        raise ArtifactError(f"{path}: damaged manifest (no {LIBRARY} in its files)")
    found = _glibc()
    if found is None or _numbers(found) < needed:
        mine = f"glibc {found}" if found else "another C library"
        raise ArtifactError(
            f"{folder}: compiled for {device} with glibc {'.'.join(map(str, needed))} or newer, this system has {mine}"
        )
    for name, (size, sha256) in files.items():
        _verify(folder, name, size, sha256)
    return manifest


def _glibc():
    """The version of this system's GNU C library, or None where that is not the one it has."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    except (ValueError, OSError, AttributeError, IndexError):
        return None


def _numbers(version):
    return [int(part) for part in version.split(".")[:2] if part.isdigit()]


def _short(value):
    """On one line, whatever it is."""
    return repr(value)[:80]


def _content(path, most):
    """A file's bytes, cut to one more than `most`. Raises OSError; ArtifactError where reading might never end."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ArtifactError(f"{path}: not a regular file")
        return file.read(most + 1)


def _verify(folder, name, size, sha256):
    path = os.path.join(str(folder), name)
    if os.path.basename(name) != name or not name.isprintable() or type(size) is not int or size < 0:
        raise ArtifactError(f"{os.path.join(str(folder), MANIFEST)}: damaged manifest (file {_short(name)})")
    try:
        content = _content(path, size)
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror}") from None
    if len(content) != size or hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"{path}: differs from what the manifest promises; compile again")
    if name == LIBRARY and not _is_whole(content):
        raise ArtifactError(f"{path}: not a whole library; compile again")


def _is_whole(content):
    """Whether a 64-bit ELF file reaches to its last table: one that was cut is a bus error to whoever loads it."""
    if len(content) < 64 or content[:4] != b"\x7fELF":
        return False
    (offset,), (size, count) = struct.unpack_from("<Q", content, 40), struct.unpack_from("<2H", content, 58)
    return offset + size * count <= len(content)


def _repeats(said, fact):
    """Whether a manifest says what a library does, to the type; it may say more of a thing."""
    if isinstance(fact, dict):
        return isinstance(said, dict) and all(_repeats(said.get(name), fact[name]) for name in fact)
    if isinstance(fact, list):
        return isinstance(said, list) and len(said) == len(fact) and all(map(_repeats, said, fact))
    return type(said) is type(fact) and said == fact


class FastDepth:
    """An artifact, opened. Threads that share it take turns; the child of a fork opens its own."""

    _handle = None

    def __init__(self, folder, threads=1):
        """Open the artifact in `folder` with 1 to 1024 threads, the caller counted."""
        if ctypes.c_int(threads).value != threads:
            raise ArtifactError(f"{threads} threads; at least 1, at most 1024")
        self.manifest = read_manifest(folder)
        try:
            self._library = ctypes.CDLL(os.path.abspath(os.path.join(str(folder), LIBRARY)))
        except OSError as error:
            raise ArtifactError(f"{folder}: the library cannot be loaded here ({error})") from None
        if not hasattr(self._library, "fastdepth_height"):
            raise ArtifactError(
                f"{folder}: its library is older than {__file__}; compile again, or use the one in {folder}"
            )
        self.height, self.width = self._library.fastdepth_height(), self._library.fastdepth_width()
        self._library.fastdepth_describe.restype = ctypes.c_char_p
        for name, fact in json.loads(self._library.fastdepth_describe().decode()).items():
            if not _repeats(self.manifest.get(name), fact):
                raise ArtifactError(
                    f"{os.path.join(str(folder), MANIFEST)}: {name} is not what the library says; compile again"
                )
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
        """Seconds that every step took, in order, in each run: (runs, steps)."""
        seconds, depth = np.zeros((runs, len(self.manifest["steps"]))), np.zeros((self.height, self.width), np.float32)
        for row in seconds:
            self._call(self._library.fastdepth_time, image, row.ctypes.data_as(ctypes.c_void_p), depth=depth)
        return seconds

    def observe(self, image):
        """The depth, and every step's result by name as (channels, height, width): float32, or uint8 where quantised."""
        lanes, last, seen = self.manifest["simd_lanes"], len(self.manifest["steps"]) - 1, {}
        held = RESULTS[self.manifest["dtype"]]

        def look(_, index, pointer):
            step = self.manifest["steps"][index]
            channels, height, width = step["channels"], step["height"], step["width"]
            shape = (1, height, width, 1) if index == last else (-(-channels // lanes), height, width, lanes)
            kind = ctypes.c_float if index == last else held
            blocks = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(kind)), shape)
            seen[step["name"]] = blocks.transpose(0, 3, 1, 2).reshape(-1, height, width)[:channels].copy()

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

    def _error(self):
        return self._library.fastdepth_error().decode(errors="replace")

    def close(self):
        """Free its memory and threads."""
        handle, self._handle = self._handle, None
        if handle:
            self._library.fastdepth_destroy(ctypes.c_void_p(handle))

    __del__ = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
