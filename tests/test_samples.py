"""Samples of more than 8 bits: which of them are in use, and that what is seen is the same however they were stored."""

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from zoo import image, samples
from zoo.data.rooms import render

ROOM, _ = render(3, 48, 64)
EIGHT = np.asarray(Image.fromarray(ROOM).convert("L")).copy()
EIGHT[0, 0] = 255  # so that all bits are in use
COLOUR = np.dstack([EIGHT, EIGHT[::-1], 255 - EIGHT])


def stored(eight, bits):
    """The same picture with so many bits in use, low in 16."""
    return np.rint(eight.astype(float) / 255 * (2**bits - 1)).astype(np.uint16)


def png(values, declared=None):
    """A PNG file of 16 bits a sample: (H, W) grey, or with 2, 3, 4 channels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    channels = 1 if values.ndim == 2 else values.shape[2]
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = values.astype(">u2").reshape(height, -1)
    # every row by a filter of its own, as the distance between samples hangs on their depth
    raw = np.frombuffer(rows.tobytes(), np.uint8).reshape(height, -1)
    size = 2 * channels
    left = np.pad(raw, ((0, 0), (size, 0)))[:, : raw.shape[1]]
    lines = b"".join(bytes([i % 2]) + (row - left[i] * (i % 2)).tobytes() for i, row in enumerate(raw))
    chunks = chunk(b"IHDR", header)
    chunks += chunk(b"sBIT", bytes([declared] * channels)) if declared else b""
    return samples.PNG + chunks + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def tiff(values, path, tags=None, **options):
    """Grey by Pillow with tags."""
    told = ImageFileDirectory_v2()
    for tag, value in (tags or {}).items():
        told[tag] = value
    Image.fromarray(values).save(path, tiffinfo=told, **options)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_low_bits_of_grey_are_recognised_and_said(tmp_path, bits):
    (tmp_path / "a.png").write_bytes(png(stored(EIGHT, bits)))
    tiff(stored(EIGHT, bits), tmp_path / "a.tif")
    tiff(stored(EIGHT, bits), tmp_path / "packed.tif", compression="tiff_lzw")
    for name in ("a.png", "a.tif", "packed.tif"):
        pixels, remarks = image.read_with_remarks(tmp_path / name)
        assert np.array_equal(pixels, np.repeat(EIGHT[..., None], 3, 2))
        assert remarks == [f"samples taken for {bits} bits, so {2**bits - 1} is white (--bits, if they are others)"]


def test_sixteen_bits_are_sixteen(tmp_path):
    for values in (stored(EIGHT, 16), stored(COLOUR, 16)):
        (tmp_path / "a.png").write_bytes(png(values))
        pixels, remarks = image.read_with_remarks(tmp_path / "a.png")
        assert np.abs(pixels.astype(int) - (values >> 8 if values.ndim > 2 else (values >> 8)[..., None])).max() <= 1
        assert remarks == []


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_low_bits_of_colour_are_recognised_too(tmp_path, bits, channels):
    opaque = np.full_like(EIGHT, 255)
    eight = {2: np.dstack([EIGHT, opaque]), 3: COLOUR, 4: np.dstack([COLOUR, opaque])}[channels]
    (tmp_path / "a.png").write_bytes(png(stored(eight, bits)))
    pixels, remarks = image.read_with_remarks(tmp_path / "a.png")
    assert np.array_equal(pixels, COLOUR if channels > 2 else np.repeat(EIGHT[..., None], 3, 2))
    assert remarks[0].startswith(f"samples taken for {bits} bits")


@pytest.mark.parametrize("order", ["<", ">"])
def test_low_bits_of_a_colour_tiff(tmp_path, order):
    """Written by hand, as Pillow writes none of 16 bits."""
    values = stored(COLOUR, 12)
    height, width = EIGHT.shape
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0)]
    entries += [(277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, values.nbytes)]
    after = 8 + 2 + 12 * len(entries) + 4
    where = {258: after, 273: after + 6}
    made = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIH", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        field = (
            struct.pack(f"{order}HH", value, 0)
            if kind == 3 and count == 1
            else struct.pack(f"{order}I", where.get(tag, value))
        )
        made += struct.pack(f"{order}HHI", tag, kind, count) + field
    made += bytes(4) + struct.pack(f"{order}HHH", 16, 16, 16) + values.astype(f"{order}u2").tobytes()
    (tmp_path / "a.tif").write_bytes(made)
    pixels, remarks = image.read_with_remarks(tmp_path / "a.tif")
    assert np.array_equal(pixels, COLOUR)
    assert remarks[0].startswith("samples taken for 12 bits")


DARK = stored(EIGHT // 8, 12)  # highest sample 497: 10 bits would hold it


def test_what_the_file_declares_wins(tmp_path):
    (tmp_path / "a.png").write_bytes(png(DARK, declared=12))
    tiff(DARK, tmp_path / "a.tif", {samples.MAX_SAMPLE_VALUE: 4095})
    for name in ("a.png", "a.tif"):
        pixels, remarks = image.read_with_remarks(tmp_path / name)
        assert np.array_equal(pixels[..., 0], EIGHT // 8)
        assert remarks[0].startswith("samples taken for 12 bits")
    # a dark picture of 16 bits; and 12 scaled to the whole of 16, as PNG asks for
    for values, declared in ((DARK, 16), (stored(EIGHT, 16), 12)):
        (tmp_path / "a.png").write_bytes(png(values, declared))
        pixels, remarks = image.read_with_remarks(tmp_path / "a.png")
        assert np.array_equal(pixels[..., 0], np.rint(values / 65535 * 255))
        assert remarks == []


def test_what_the_user_asks_wins_over_all(tmp_path):
    (tmp_path / "a.png").write_bytes(png(DARK, declared=16))
    pixels, remarks = image.read_with_remarks(tmp_path / "a.png", bits=12)
    assert np.array_equal(pixels[..., 0], EIGHT // 8)
    assert remarks == []
    pixels, remarks = image.read_with_remarks(tmp_path / "a.png", bits=8)
    assert pixels.max() == 255
    assert remarks == [f"samples reach {DARK.max()}: with 8 bits, all from 255 on is white"]
    (tmp_path / "b.png").write_bytes(png(stored(COLOUR, 12)))
    assert np.abs(image.read(tmp_path / "b.png", bits=16).astype(int) - (stored(COLOUR, 12) >> 8)).max() <= 1


def test_black_is_black(tmp_path):
    (tmp_path / "a.png").write_bytes(png(np.zeros((8, 8), np.uint16)))
    pixels, remarks = image.read_with_remarks(tmp_path / "a.png")
    assert (pixels.max(), remarks) == (0, [])


def test_a_chunk_of_any_length_is_no_trouble(tmp_path):
    whole = png(stored(EIGHT, 12), declared=12)
    for cut in range(8, 60):
        (tmp_path / "a.png").write_bytes(whole[:cut])
        with (tmp_path / "a.png").open("rb") as file:
            assert samples.significant(file) in (None, 12)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_a_file_of_several_pictures_is_said_to_be_one(tmp_path, name):
    first, second = Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1])
    options = {"lossless": True} if name == "a.webp" else {}
    first.save(tmp_path / name, save_all=True, append_images=[second], **options)
    pixels, remarks = image.read_with_remarks(tmp_path / name)
    assert remarks == [image.SEVERAL]
    if name != "a.gif":
        assert np.array_equal(pixels, COLOUR)
    first.save(tmp_path / name, **options)
    assert image.read_with_remarks(tmp_path / name)[1] == []


def test_remarks_reach_the_user(zoo, tmp_path):
    (tmp_path / "a.png").write_bytes(png(stored(EIGHT, 12)))
    code, out, err = zoo("predict", "a.png", "--json")
    assert code == 0, err
    remark = "samples taken for 12 bits, so 4095 is white (--bits, if they are others)"
    assert json.loads(out)[0]["remarks"] == [remark]
    assert err.strip() == f"note: a.png: {remark}"
    Image.fromarray(EIGHT).save(tmp_path / "eight.png")
    plain = json.loads(zoo("predict", "eight.png", "--json")[1])[0]
    assert json.loads(out)[0]["median_m"] == pytest.approx(plain["median_m"], abs=1e-4)
    given = json.loads(zoo("predict", "a.png", "--json", "--bits", "16")[1])[0]
    assert given["remarks"] == []
    for bits, kept in ((), 0), ((), 1), (("--bits", "16"), 0), (("--bits", "16"), 1):
        code, out, err = zoo("predict", "a.png", "--engine", "process", "-o", "out", "--json", *bits)
        assert json.loads(out)["kept"] == kept, err
        assert (remark in err) == (not bits)
