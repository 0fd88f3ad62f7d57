"""Hostile files, and a process that opens them: `python tests/attacks.py FOLDER` prints what came of each, a JSON line each.

It may take a gigabyte more memory than it has once PyTorch is imported, and an audit hook sees whatever it starts, connects
to, or writes outside the folder.
"""

import contextlib
import io
import json
import os
import pickle
import resource
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict
from functools import cache, partial
from pathlib import Path

ROOM = 2**30  # bytes of memory more than PyTorch takes
SWELLS = "a storage that swells"
SPARSE = 2**33  # bytes that a file says it has


class Calls:
    """Pickles as a call of a function, which is how a pickle attacks."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def unicode(text):
    return b"X" + struct.pack("<I", len(text)) + text


def tensor(name, size=1, stride=1, count=1):
    """A tensor in the opcodes of a pickle, with a storage of so many numbers."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + unicode(name) + unicode(b"cpu")
    storage += b"J" + struct.pack("<i", count) + b"tQ"
    numbers = [b"J" + struct.pack("<i", n) for n in (0, size, stride)]
    return b"ctorch._utils\n_rebuild_tensor\n(" + storage + numbers[0] + numbers[1] + b"\x85" + numbers[2] + b"\x85tR"


def laughs():
    """A dict of ten times one dict, of ten times one dict, …: 10^15 names for one tensor."""
    content = b"\x80\x02" + tensor(b"0") + b"q\x00"
    for level in range(15):
        keys = b"".join(unicode(b"%d" % i) + b"h" + bytes([level]) for i in range(10))
        content += b"}(" + keys + b"uq" + bytes([level + 1])
    return content + b"."


def echoes():
    """A large storage under many names, each a tensor of all of it: 64 MiB a time."""
    keys = b"".join(unicode(b"%d" % i) + tensor(b"0", 2**24, 1, 2**24) for i in range(200))
    return b"\x80\x02}(" + keys + b"u."


def pickles(marker):
    """Programs that a checkpoint may hold, as what pickles to them or as their bytes."""
    command, opened = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    return {
        "os.system": Calls(os.system, command),
        "nested": {"state_dict": OrderedDict(a=[{"b": Calls(os.system, command)}])},
        "eval": Calls(eval, opened),
        "exec": Calls(exec, opened),
        "import": Calls(__import__, "os"),
        "open": Calls(io.open, str(marker), "w"),
        "pickle in a pickle": Calls(pickle.loads, pickle.dumps(Calls(os.system, command))),
        "getattr of builtins": b"\x80\x02cbuiltins\ngetattr\ncbuiltins\nobject\nX\x01\x00\x00\x00a\x86R.",
        "torch.load": b"\x80\x02ctorch\nload\n" + unicode(b"x") + b"\x85R.",
        "a stand-in altered": b"\x80\x02cmodels\nNet\n}X\x05\x00\x00\x00statecos\nsystem\nsb.",
        "a function altered": b"\x80\x02ctorch._utils\n_rebuild_parameter\n}X\x08\x00\x00\x00__code__K\x01sb.",
        "a dotted name": b"\x80\x04\x8c\x06models\x8c\x0bos.system\x94\x93\x8c\x04true\x85R.",
        "an extension": b"\x80\x02\x82\x01.",
        "an endless memo": b"\x80\x02]r\xff\xff\xff\x7f.",
        "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
        "a bytearray of 16 GB": b"\x80\x05\x96" + struct.pack("<Q", 2**34) + b"x.",
        "lists in lists": b"\x80\x02" + b"]" * 100000 + b"a" * 99999 + b".",
        "hash of tuples in tuples": b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s.",
        "hash of sizes in sizes": b"\x80\x02}ctorch\nSize\nq\x00"
        + b"h\x00((" * 200_000
        + b")"
        + b"llR" * 200_000
        + b"K\x01s.",
        "a pickle without end": b"\x80\x02" + b"]" * 20_000_000 + b".",
        "a million classes": b"\x80\x02" + b"".join(b"cmodels\nA%d\n" % i for i in range(200_000)) + b".",
        "a number of a million digits": b"\x80\x02I" + b"9" * 1_000_000 + b"\n.",
        "billion laughs": laughs(),
        "a storage under many names": echoes(),
    }


def archived(content, storages=()):
    """As torch writes it now."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("evil/data.pkl", content)
        for name, size in storages:
            archive.writestr(f"evil/data/{name}", bytes(size))
    return buffer.getvalue()


def streamed(content):
    """As torch wrote it before 1.6."""
    from zoo.importers.legacy import MAGIC, PROTOCOL

    head = b"".join(pickle.dumps(value, 2) for value in (MAGIC, PROTOCOL, {}))
    return head + content + pickle.dumps([], 2)


def safetensors(header, data=b""):
    """A file with that header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@cache
def bundled(file="model.safetensors"):
    from zoo.weights.hub import BUNDLED

    return (BUNDLED / "fastdepth_pruned" / file).read_bytes()


def changed(key="head.conv.weight", **entry):
    """The bundled weights with another entry for a tensor in the header."""
    length = struct.unpack("<Q", bundled()[:8])[0]
    header = json.loads(bundled()[8 : 8 + length])
    header[key] |= entry
    return safetensors(header, bundled()[8 + length :])


def resaved(dtype):
    """The bundled weights with one tensor in another type."""
    import torch
    from safetensors.torch import load, save

    found = load(bundled())
    found["head.conv.weight"] = found["head.conv.weight"].to(getattr(torch, dtype))
    return save(found)


def first(value):
    """The bundled weights with another first number."""
    length = struct.unpack("<Q", bundled()[:8])[0]
    return bundled()[: 8 + length] + struct.pack("<f", value) + bundled()[12 + length :]


def tensors():
    """What makes safetensors files."""
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return {
        "a header of 2^62 bytes": lambda: struct.pack("<Q", 2**62) + b"{}",
        "a header that is deep": lambda: safetensors(b'{"a":' * 50_000),
        "an offset beyond the end": lambda: safetensors({"a": one | {"data_offsets": [0, 2**60]}}),
        "a shape of 2^60 numbers": lambda: safetensors({"a": one | {"shape": [2**60]}}, bytes(4)),
        "a shape beyond all numbers": lambda: safetensors({"a": one | {"shape": [2**62, 2**62]}}, bytes(4)),
        "tensors that overlap": lambda: safetensors({"a": one, "b": one}, bytes(4)),
        "offsets that end before they begin": lambda: safetensors({"a": one | {"data_offsets": [4, 0]}}, bytes(4)),
        "a hole": lambda: safetensors({"a": one | {"data_offsets": [4, 8]}}, bytes(8)),
        "filters of no size": lambda: safetensors(
            {"encoder.0.conv.weight": one | {"shape": [2**30, 0], "data_offsets": [0, 0]}}
        ),
        "whole numbers for weights": lambda: changed(dtype="I32"),
        "numbers of eight bits": lambda: resaved("float8_e4m3fn"),
        "numbers of 64 bits": lambda: resaved("int64"),
        "truths": lambda: resaved("bool"),
        "not a number": lambda: first(float("nan")),
        "infinity": lambda: first(float("inf")),
    }


def configs(folder):
    """What a checkpoint's config.json may say."""
    whole = json.loads(bundled("config.json"))

    def with_(**fields):
        return json.dumps(whole | {"variant": whole["variant"] | fields}).encode()

    wide = [2**40] * 14
    return {
        "a name that leads up": with_(name="../../../tmp/owned"),
        "a name that is a path": with_(name=str(folder / "owned")),
        "a name that steers a terminal": with_(name="\x1b]0;owned\x07"),
        "widths of 2^40": with_(encoder_widths=wide),
        "widths of 10^5000": with_(encoder_widths=["W"] * 14).replace(b'"W"', b"9" * 5000),
        "widths below zero": with_(decoder_widths=[-1] * 5),
        "widths that are no numbers": with_(decoder_widths=[1.5, True, None, "8", []]),
        "a million widths": with_(encoder_widths=[8] * 1_000_000),
        "skips from nowhere": with_(skips=[[99, 1]]),
        "an input of 2^40": with_(input=[2**40, 2**40]),
        "an encoder that is a path": with_(encoder="../x"),
        "a field that nobody knows": with_(__class__="x"),
        "a record that is a number": json.dumps(whole | {"variant": 7}).encode(),
        "a deep one": b'{"format":' + b"[" * 200_000,
        "another encoding": b"\xff\xfe{}",
    }


def png(width, height, *, depth=8, colour=2, extra=b""):
    """A picture of zeros, of next to no bytes."""
    row = bytes(1 + width * depth // 8 * {0: 1, 2: 3}[colour])
    packer, body = zlib.compressobj(1), []
    body = [packer.compress(row) for _ in range(height)] + [packer.flush()]
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    parts += [(b"zTXt", b"a\0\0" + extra)] * bool(extra) + [(b"IDAT", b"".join(body)), (b"IEND", b"")]
    written = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def pictures():
    """What makes pictures that are larger than they look."""
    header = bytearray(png(8, 8))
    header[16:24] = struct.pack(">II", 200_000, 200_000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    return {
        "a picture of 40 gigapixels": lambda: bytes(header),
        "a text of 128 MB": lambda: png(8, 8, extra=zlib.compress(bytes(2**27), 1)),
        "grey of 16 bits, 49 megapixels": lambda: png(7_000, 7_000, depth=16, colour=0),
    }


def cases(folder):
    """(what it is, what makes its file or the files of a folder, how it is opened), a case each."""
    from zoo import image
    from zoo import importers as convert
    from zoo.importers import legacy
    from zoo.weights import load as loading

    for name, attack in pickles(folder / "owned").items():
        content = attack if isinstance(attack, bytes) else pickle.dumps(attack, 2)
        storage = ("0", 2**26 if name == "a storage under many names" else 4)
        yield f"pickle, zip: {name}", partial(file, "evil.pth", archived, content, [storage]), legacy.read
        if len(content) < 2**20:
            yield f"pickle, stream: {name}", partial(file, "evil.pth.tar", streamed, content), legacy.read
    swelling = b"\x80\x02}" + unicode(b"a") + tensor(b"0", 4, 1, 2**25) + b"s."
    yield f"pickle, zip: {SWELLS}", partial(file, "evil.pth", archived, swelling, [("0", 2**27)]), legacy.read
    for name, make in tensors().items():
        yield f"safetensors: {name}", partial(checkpoint, weights=make), loading.load
        yield f"safetensors, imported: {name}", partial(file, "evil.safetensors", make), convert.import_file
    for name, content in configs(folder).items():
        yield f"config: {name}", partial(checkpoint, config=content), loading.load
    for name, make in pictures().items():
        yield f"picture: {name}", partial(file, "evil.png", make), image.read
    for suffix in (".pth", ".onnx", ".tflite", ".safetensors"):
        yield f"8 GB, most of it missing: {suffix}", partial(file, f"evil{suffix}", int, SPARSE), convert.import_file
    yield "config: 8 GB", partial(checkpoint, config=SPARSE), loading.load
    yield "config: a link to itself", partial(checkpoint, config=Path("config.json")), loading.load
    yield "config: a link to endless zeros", partial(checkpoint, config=Path("/dev/zero")), loading.load


def file(name, make, *arguments):
    return {name: make(*arguments)}


def checkpoint(weights=bundled, config=None):
    return {"config.json": bundled("config.json") if config is None else config, "model.safetensors": weights()}


def write(folder, files):
    """The file, or the folder of them; a size makes a file with nothing in it, a path a link."""
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        if isinstance(content, Path):
            path.symlink_to(content)
        elif isinstance(content, int):
            with path.open("wb") as file:
                file.truncate(content)
                file.write(b"\0\0\0\0TFL3" if name.endswith("tflite") else b"PK\3\4")
        else:
            path.write_bytes(content)
    return folder if "config.json" in files else folder / next(iter(files))


def watch(folder):
    """A list that gets whatever happens and should not."""
    seen = []
    starts = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "shutil.")

    def hook(event, arguments):
        if event.startswith(starts):
            seen.append(event)
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
            if not path.startswith((str(folder), "/dev/null")):
                seen.append(f"open {path}")

    sys.addaudithook(hook)
    return seen


def main(folder):
    import torch  # noqa: F401

    from zoo.errors import ZooError

    folder.mkdir(exist_ok=True)
    prepared = [(name, write(folder / str(i), make()), run) for i, (name, make, run) in enumerate(cases(folder))]
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    seen = watch(folder)
    for name, path, run in prepared:
        print(json.dumps({"case": name}), flush=True)
        try:
            found = run(str(path) if path.is_dir() else path)
            said = f"read: {type(found).__name__}"
        except ZooError as error:
            said = str(error)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
            seen.append("no ZooError")
        print(json.dumps({"case": name, "said": said, "path": str(path), "seen": seen[:]}), flush=True)
        seen.clear()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(Path(sys.argv[1]))
