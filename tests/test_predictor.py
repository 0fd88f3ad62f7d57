"""What a predictor and a transform take, and what they leave alone."""

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from conftest import seeded
from zoo.errors import ZooError

RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
GREY = np.repeat(RGB[..., :1], 3, axis=2)
CLEAR = np.dstack([RGB, np.full((48, 64), 255, np.uint8)])
CHW = torch.from_numpy(RGB).permute(2, 0, 1)


@pytest.fixture(scope="module")
def network():
    return seeded("fastdepth_pruned")


def small(network, **options):
    return zoo.Predictor(network, 32, 32, **{"threads": 1} | options)


FORMS = {
    "path as text": (lambda path: str(path), RGB),
    "path": (lambda path: path, RGB),
    "Pillow": (lambda _: Image.fromarray(RGB), RGB),
    "Pillow RGBA": (lambda _: Image.fromarray(CLEAR), RGB),
    "Pillow grey": (lambda _: Image.fromarray(RGB[..., 0]), GREY),
    "array": (lambda _: RGB, RGB),
    "array, strided": (lambda _: np.concatenate([RGB, RGB], 1)[:, :64][::-1][::-1], RGB),
    "array of floats": (lambda _: RGB.astype(np.float32) / 255, RGB),
    "array of doubles": (lambda _: RGB / 255, RGB),
    "array of halves": (lambda _: (RGB / 255).astype(np.float16), RGB),
    "array RGBA": (lambda _: CLEAR, RGB),
    "array RGBA of floats": (lambda _: CLEAR / 255, RGB),
    "array grey": (lambda _: RGB[..., 0], GREY),
    "array grey, one channel": (lambda _: RGB[..., :1], GREY),
    "array CHW": (lambda _: RGB.transpose(2, 0, 1), RGB),
    "tensor": (lambda _: CHW, RGB),
    "tensor of floats": (lambda _: CHW / 255, RGB),
    "tensor of bfloat16 that learns": (lambda _: (CHW[:1] > 127).to(torch.bfloat16).requires_grad_(), None),
    "tensor grey": (lambda _: CHW[0], GREY),
    "tensor HWC": (lambda _: torch.from_numpy(RGB), RGB),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture_is_the_same_picture(form, network, tmp_path):
    make, same = FORMS[form]
    Image.fromarray(RGB).save(tmp_path / "a.png")
    same = np.repeat(np.where(RGB[..., :1] > 127, 255, 0), 3, axis=2).astype(np.uint8) if same is None else same
    given, predict = make(tmp_path / "a.png"), small(network)
    assert np.array_equal(predict(given), predict(same))
    for crop in (True, False):
        transform = zoo.Transform(crop=crop)
        assert torch.equal(transform(given), transform(same))


def test_lists_and_batches_give_lists(network):
    predict, transform = small(network), zoo.Transform()
    other = RGB[::-1]
    batches = ([RGB, Image.fromarray(other)], (RGB, other), np.stack([RGB, other]), torch.stack([CHW, CHW.flip(1)]))
    for batch in batches:
        depths, inputs = predict(batch), transform(batch)
        assert isinstance(depths, list)
        assert [np.array_equal(depth, predict(x)) for depth, x in zip(depths, (RGB, other), strict=True)] == [
            True,
            True,
        ]
        assert all(torch.equal(x, transform(y)) for x, y in zip(inputs, (RGB, other), strict=True))
    assert predict([]) == transform([]) == []
    assert [depth.shape for depth in predict([RGB, RGB[:20]])] == [(48, 64), (20, 64)]


def test_channels_in_the_order_of_opencv(network):
    for made in (small, lambda _, **options: zoo.Transform(**options)):
        plain, turned = made(network), made(network, channels="bgr")
        for rgb, bgr in ((RGB, RGB[..., ::-1]), (CHW, CHW.flip(0)), (CLEAR, CLEAR[..., [2, 1, 0, 3]])):
            assert np.array_equal(plain(rgb), turned(bgr))
        assert not np.array_equal(plain(RGB), turned(RGB))
        assert np.array_equal(plain(RGB[..., 0]), turned(RGB[..., 0]))
        assert np.array_equal(plain(Image.fromarray(RGB)), turned(Image.fromarray(RGB)))  # which knows its order
        with pytest.raises(ZooError, match="channels='gbr': give rgb, or bgr"):
            made(network, channels="gbr")(RGB)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "a picture is a path, a Pillow image, .*; not NoneType"),
        (b"jpeg", "not bytes"),
        (7, "not int"),
        ({"image": RGB}, "not dict"),
        ([RGB, None], "not NoneType"),
        (RGB[..., :2], r"not uint8 of shape \(48, 64, 2\)"),
        (RGB[0, 0], r"not uint8 of shape \(3,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"not uint8 of shape \(0, 4, 3\)"),
        (np.zeros((1, 1, 4, 4, 3), np.uint8), r"of shape \(1, 1, 4, 4, 3\)"),
        (RGB.astype(np.int64), "a picture of int64: give uint8, or floats in"),
        (RGB > 9, "a picture of bool"),
        (RGB.astype(np.float32), "a picture of floats from 0 to 255: give floats in"),
        (RGB / 127.5 - 1, "a picture of floats from -1 to 1: give floats in"),
        (np.full((4, 4, 3), np.nan), "a picture of floats from nan to nan"),
        (RGB * 1j, "a picture of complex128"),
        ("none.jpg", "none.jpg: no such file"),
    ],
)
def test_other_things_are_refused_in_one_line(given, message, network):
    for take in (small(network), zoo.Transform()):
        with pytest.raises(ZooError, match=message) as caught:
            take(given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "off"), [(torch.float16, 0.01), (torch.bfloat16, 0.1), (torch.float64, 1e-4)], ids=str
)
def test_a_predictor_follows_the_network_s_dtype(dtype, off):
    network = seeded("fastdepth_pruned")
    predict = small(network)
    expected = predict(RGB)
    network.to(dtype)  # after the predictor was made
    found = predict(RGB)
    assert (found.dtype, found.shape) == (np.float32, (48, 64))
    assert np.abs(found - expected).max() <= off * expected.max()
    assert {p.dtype for p in network.parameters()} == {dtype}


def test_under_autocast_a_predictor_gives_float32_and_training_goes_on():
    network = seeded("fastdepth_pruned")
    predict = small(network)
    expected = predict(RGB)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = predict(RGB)
        network(torch.rand(1, 3, 32, 32)).float().sum().backward()
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= 0.1 * expected.max()
    assert network.encoder[1].pointwise.conv.weight.grad is not None


def test_a_predictor_evaluates_and_leaves_every_module_s_mode():
    network = seeded("fastdepth_pruned")
    expected = small(network)(RGB)
    network.train()
    network.encoder.eval()
    modes, state = [m.training for m in network.modules()], {k: t.clone() for k, t in network.state_dict().items()}
    assert np.array_equal(small(network)(RGB), expected)
    assert [m.training for m in network.modules()] == modes
    assert all(torch.equal(tensor, state[key]) for key, tensor in network.state_dict().items())

    def fails(*_):
        raise RuntimeError("no")

    network.head.register_forward_hook(fails)
    with pytest.raises(RuntimeError):
        small(network)(RGB)
    assert [m.training for m in network.modules()] == modes


def test_threads_are_the_process_s_own_again(network):
    before = torch.get_num_threads()
    seen = []
    handle = network.head.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    small(network)(RGB)
    small(network, threads=None)(RGB)
    handle.remove()
    assert seen == [1, before]
    assert torch.get_num_threads() == before


def test_the_input_is_the_variant_s_own_size():
    wide = zoo.Predictor(seeded("resnet50_upproj"))
    assert (wide.height, wide.width) == (224, 320)
    assert (zoo.Predictor(seeded("fastdepth"), 64, 96).width) == 96
