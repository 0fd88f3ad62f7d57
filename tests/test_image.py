"""The input recipe, pixel by pixel, and every kind of picture people have."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo import image
from zoo.errors import ZooError

RNG = np.random.default_rng(0)


def nearest(size_out, size_in):
    """Index of the source pixel under the centre of each target pixel; the centre walks in steps, in doubles.

    Where a centre falls on the border of two pixels the walk's rounding decides, as in Pillow's own resampling.
    """
    step, centre, indices = size_in / size_out, size_in / size_out / 2, []
    for _ in range(size_out):
        indices.append(int(centre))
        centre += step
    return indices


def published_by_hand(frame):
    """The published recipe for 480x640 as composed indices, written without any image library."""
    rows = [nearest(250, 480)[i + 11] for i in range(228)]
    columns = [nearest(333, 640)[i + 14] for i in range(304)]
    rows = [rows[i] for i in nearest(224, 228)]
    columns = [columns[i] for i in nearest(224, 304)]
    return frame[rows][:, columns]


def test_the_published_recipe_pixel_by_pixel():
    frame = RNG.integers(0, 256, (480, 640, 3), np.uint8)
    expected = published_by_hand(frame).transpose(2, 0, 1).astype(np.float32) / 255
    assert np.array_equal(image.published(frame), expected)


def test_depth_takes_the_same_pixels():
    depth = RNG.random((480, 640), np.float32)
    assert np.array_equal(image.published_depth(depth), published_by_hand(depth))


@pytest.mark.parametrize("size", [(640, 480), (1280, 960), (333, 250), (100, 40), (40, 100), (1, 1), (5000, 700)])
def test_other_sizes_are_scaled_to_cover_the_crop(size):
    assert image.published(np.zeros((size[1], size[0], 3), np.uint8)).shape == (3, 224, 224)


def test_the_whole_recipe_keeps_corners_and_range():
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[:150], picture[150:, 200:] = 255, 128
    x = image.whole(picture)
    assert x.shape == (3, 224, 224)
    assert x.dtype == np.float32
    assert x[0, 0, 0] == 1
    assert x[0, -1, 0] == 0
    assert x[0, -1, -1] == np.float32(128) / np.float32(255)


def save(tmp_path, name, picture, **options):
    path = tmp_path / name
    picture.save(path, **options)
    return path


GREEN = np.full((20, 30, 3), (10, 200, 30), np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif", "a.ppm"])
def test_common_formats(tmp_path, name):
    pixels = image.read(save(tmp_path, name, Image.fromarray(GREEN)))
    assert pixels.shape == (20, 30, 3)
    assert np.abs(pixels.astype(int) - GREEN).max() <= 12


def test_exif_rotation_is_applied(tmp_path):
    picture = Image.fromarray(np.concatenate([GREEN[:10], GREEN[10:] // 4]))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate clockwise to view
    pixels = image.read(save(tmp_path, "a.png", picture, exif=exif))
    assert pixels.shape == (30, 20, 3)
    assert (pixels[:, 15:] == GREEN[0, 0]).all()


def test_transparency_lies_on_white(tmp_path):
    rgba = np.dstack([GREEN, np.zeros((20, 30), np.uint8)])
    assert (image.read(save(tmp_path, "a.png", Image.fromarray(rgba))) == 255).all()


def test_palette_transparency_lies_on_white(tmp_path):
    picture = Image.fromarray(GREEN).quantize(4)
    assert (image.read(save(tmp_path, "a.png", picture, transparency=picture.getpixel((0, 0)))) == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    grey = Image.fromarray(np.linspace(0, 255, 600, dtype=np.uint8).reshape(20, 30))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    elif mode == "I":
        picture = Image.fromarray(np.asarray(grey, np.int32) * 257)
    else:
        picture = grey.convert(mode)
    pixels = image.from_pillow(picture)
    assert pixels.shape == (20, 30, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].max() <= 5
    assert pixels[-1, -1].min() >= 250


def test_sixteen_bit_files_keep_their_range(tmp_path):
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    pixels = image.read(save(tmp_path, "a.png", Image.fromarray(values)))
    assert np.abs(pixels[..., 0].astype(int) - np.rint(values / 257)).max() <= 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.jpg", b"", "not a picture"),
        ("text.jpg", b"hello, this is text\n" * 9, "not a picture"),
        ("header.png", b"\x89PNG\r\n\x1a\n", "not a picture|damaged"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ZooError, match=f"{name}: .*({message})"):
        image.read(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ZooError, match=r"none\.jpg: no such file"):
        image.read(tmp_path / "none.jpg")


def encoded(form):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)).save(buffer, form)
    return buffer.getvalue()


FILES = {form: encoded(form) for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_picture_is_read_or_refused_never_worse(tmp_path_factory, form, data):
    content = bytearray(FILES[form][: data.draw(st.integers(0, len(FILES[form])))])
    for _ in range(data.draw(st.integers(0, 4)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "picture"
    path.write_bytes(bytes(content))
    try:
        assert image.read(path).dtype == np.uint8
    except ZooError as error:
        assert str(path) in str(error)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path):
    with pytest.raises(ZooError, match="30x20 pixels; the limit"):
        image.read(save(tmp_path, "bomb.png", Image.fromarray(GREEN)), most=500)


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_windows_cover_every_pixel_and_are_never_long(width, height):
    windows = image.windows(width, height)
    covered = np.zeros(max(width, height), bool)
    for w in windows:
        assert 0 <= w.left <= w.left + w.width <= width
        assert 0 <= w.top <= w.top + w.height <= height
        assert max(w.width, w.height) <= 2 * min(w.width, w.height)
        covered[w.left : w.left + w.width] |= width >= height
        covered[w.top : w.top + w.height] |= height > width
    assert covered.all()


@pytest.mark.parametrize(("width", "height"), [(900, 200), (200, 900), (400, 300)])
def test_blending_equal_depths_changes_nothing(width, height):
    parts = [(w, np.full((w.height, w.width), 2.5, np.float32)) for w in image.windows(width, height)]
    assert np.allclose(image.blend(parts, width, height), 2.5)
