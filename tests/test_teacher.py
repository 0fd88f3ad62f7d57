"""Teachers: one network, or the mean of several in log depth, and how the labels they gave are told apart."""

import pytest
import torch
from torch import nn

from conftest import complaint, seeded, small_frames
from zoo.data import sources
from zoo.data.sources import Request, prepare
from zoo.data.stream import batch
from zoo.data.teacher import Ensemble, teacher
from zoo.training.recipe import Phase
from zoo.weights import checkpoint


def quiet(what, done, total):
    pass


class Ramp(nn.Module):
    """A network that sees nothing: `factor` metres at the left edge, and one more for each column."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, images):
        columns = torch.arange(images.shape[-1], dtype=torch.float32)
        return (self.factor + columns).expand(len(images), 1, *images.shape[2:])


def test_the_mean_is_in_log_depth():
    images = torch.rand(2, 3, 4, 8)
    made = Ensemble([Ramp(1.0), Ramp(4.0), Ramp(16.0)])(images)
    assert made.shape == (2, 1, 4, 8)
    assert torch.allclose(made[..., 0], torch.tensor(4.0))
    assert torch.allclose(made[..., 7], torch.tensor((8.0 * 11 * 23) ** (1 / 3)))


def test_a_mirror_image_is_turned_back():
    made = Ensemble([Ramp(1.0)], mirror=True)(torch.rand(1, 3, 4, 8))
    assert torch.allclose(made, made.flip(-1))
    assert torch.allclose(made[..., 1], torch.tensor((2.0 * 7) ** 0.5))


def test_a_depth_of_zero_does_not_decide():
    zero = Ramp(0.0)
    assert Ensemble([zero, Ramp(5.0)])(torch.rand(1, 3, 2, 2))[0, 0, 0, 0] > 0.4


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Frames, photos, and two teachers."""
    path = tmp_path_factory.mktemp("place")
    (path / "frames").mkdir()
    small_frames(path / "frames", 3)
    for i in range(2):
        checkpoint.save(seeded("fastdepth_netadapt", i), path / f"teacher{i}")
    return path


def test_the_key_names_all_weights_and_the_mirror(place):
    names = [str(place / "teacher0"), str(place / "teacher1")]
    keys = [checkpoint.digest(place / name / checkpoint.WEIGHTS) for name in names]
    alone, key = teacher(names[:1])
    assert key == keys[0]  # as before there were several, so that labels made then are found
    assert not isinstance(alone, Ensemble)
    assert teacher(names)[1] == "+".join(keys)
    assert teacher(names, mirror=True)[1] == "+".join(keys) + " mirrored"
    assert teacher(["fastdepth_pruned"], mirror=True)[1].endswith(" mirrored")


def test_every_view_is_shown_to_all_teachers(place, tmp_path, monkeypatch):
    teachers = [str(place / "teacher0"), str(place / "teacher1")]

    def asked(cache, names, **more):
        photos = place / "frames" / "rgb"
        request = Request(place / "frames", tmp_path / cache, hold_out=1, photos=photos, teachers=names, **more)
        return prepare(request, quiet).stores["photos"]

    both = asked("both", teachers)
    singles = [asked(name[-1], [name]) for name in teachers]
    assert not torch.equal(singles[0].depths, singles[1].depths)
    logs = [made.depths.float().clamp(min=0.05).log() for made in (both, *singles)]
    assert torch.allclose(logs[0], (logs[1] + logs[2]) / 2, atol=0.01)

    def labels(store):
        return batch([(store, 3)], Phase(224, 3, 3, mixup=0.5), 5, 1.0, torch.Generator().manual_seed(0))[1]

    logs = [labels(made).clamp(min=0.05).log() for made in (both, *singles)]
    assert torch.allclose(logs[0], (logs[1] + logs[2]) / 2, atol=1e-4)

    monkeypatch.setattr(sources.store, "predict_teacher", None)  # all labels are there: nobody is asked again
    assert torch.equal(asked("both", teachers).depths, both.depths)
    for names, more in ((teachers[:1], {}), (teachers, {"mirror": True})):
        with pytest.raises(TypeError):
            asked("both", names, **more)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mirror"], "--mirror goes with --teacher"),
        (["--teacher", "a", "--photos", "none"], "none: no such folder"),
        (["--teacher", "a", "--photos", "teacher0/config.json"], "teacher0/config.json: no such folder"),
        (["--teacher", "teacher0", "--teacher", "b", "--photos", "frames/rgb"], "unknown variant 'b'"),
    ],
)
def test_what_does_not_go_together_is_said_in_a_line(zoo, place, words, said, tmp_path):
    line = ("train", "--dataset", "frames", "--hold-out", "1", *words, "-o", tmp_path / "x")
    assert said in complaint(zoo(*line, cwd=place))
