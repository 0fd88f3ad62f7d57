"""The JavaScript input recipes against zoo.image, bit for bit."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from conftest import ROOT
from zoo import image

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node")
RECIPES = ROOT / "kernels" / "targets" / "wasm" / "web" / "recipe.mjs"
SIZES = [(1, 1), (2, 3), (223, 225), (224, 224), (640, 480), (333, 250), (304, 228), (481, 639), (97, 1), (1201, 31)]
SIZES += [(int(w), int(h)) for w, h in np.random.default_rng(5).integers(1, 700, (12, 2))]


def through_node(folder, cases):
    """Results of (recipe, array, width, height, width wanted, height wanted), as float32."""
    keys = ("recipe", "width", "height", "toWidth", "toHeight")
    (folder / "cases.json").write_text(json.dumps([dict(zip(keys, (c[0], *c[2:]), strict=True)) for c in cases]))
    for i, case in enumerate(cases):
        (folder / f"{i}.in").write_bytes(np.ascontiguousarray(case[1]).tobytes())
    subprocess.run([NODE, ROOT / "tests" / "web_recipes.mjs", RECIPES, folder], check=True)
    return [np.fromfile(folder / f"{i}.out", np.float32) for i in range(len(cases))]


def rgba(pixels):
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def pictures():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (height, width, 3)).astype(np.uint8) for width, height in SIZES]


@pytest.mark.parametrize("recipe", ["whole", "published"])
def test_a_recipe_is_python_s(recipe, tmp_path):
    sides = [(224, 224), (64, 64), (256, 192), (224, 96)]
    given = [(pixels, *sides[i % len(sides)]) for i, pixels in enumerate(pictures())]
    cases = [(recipe, rgba(p), p.shape[1], p.shape[0], width, height) for p, width, height in given]
    for made, (pixels, width, height) in zip(through_node(tmp_path, cases), given, strict=True):
        expected = getattr(image, recipe)(pixels, height, width)
        assert np.array_equal(made.reshape(expected.shape), expected), (pixels.shape, width, height)


def test_what_is_transparent_lies_on_white(tmp_path):
    values, alphas = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    picture = np.dstack([values, 255 - values, values // 2, alphas])
    expected = image.whole(image.from_pillow(Image.fromarray(picture, "RGBA")), 256, 256)
    (made,) = through_node(tmp_path, [("whole", picture, 256, 256, 256, 256)])
    assert np.array_equal(made.reshape(expected.shape), expected)


def test_depth_is_resized_as_python_does(tmp_path):
    random = np.random.default_rng(1)
    given = [(random.uniform(0.3, 10, (224, 224)).astype(np.float32), *size) for size in SIZES]
    cases = [("resize", depth, 224, 224, width, height) for depth, width, height in given]
    for made, (depth, width, height) in zip(through_node(tmp_path, cases), given, strict=True):
        expected = image.resize_depth(depth, height, width)
        assert np.array_equal(made.reshape(expected.shape), expected), (width, height)


def test_panoramas_are_seen_in_python_s_windows(tmp_path):
    sizes = [*SIZES, (2000, 999), (999, 2000), (3001, 17), (77, 155), (1000, 400), (64, 200)]
    made = through_node(tmp_path, [("windows", np.zeros(1), *size, 0, 0) for size in sizes])
    for found, size in zip(made, sizes, strict=True):
        expected = [(w.left, w.top, w.width, w.height) for w in image.windows(*size)]
        assert [tuple(map(int, row)) for row in found.reshape(-1, 4)] == expected
    random, wide = np.random.default_rng(2), [(200, 64), (64, 200), (75, 31)]
    parts = [[(w, random.random((w.height, w.width), np.float32)) for w in image.windows(*size)] for size in wide]
    flat = [np.concatenate([depth.ravel() for _, depth in some]) for some in parts]
    cases = [("blend", values, *size, 0, 0) for values, size in zip(flat, wide, strict=True)]
    for found, some, (width, height) in zip(through_node(tmp_path, cases), parts, wide, strict=True):
        assert np.array_equal(found.reshape(height, width), image.blend(some, width, height))
