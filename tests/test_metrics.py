import numpy as np
import pytest

from zoo.evaluation import metrics
from zoo.evaluation.units import fitting_scale


def test_hand_computed_values():
    target = np.array([[1.0, 2.0], [4.0, 0.0]], np.float32)
    prediction = np.array([[1.0, 3.0], [4.5, 7.0]], np.float32)  # ratios 1, 1.5, 1.125; the last has no truth
    found = metrics.measure(prediction, target)
    assert found["delta1"] == pytest.approx(2 / 3)
    assert found["delta2"] == pytest.approx(1)
    assert found["rmse_m"] == pytest.approx(np.sqrt((0 + 1 + 0.25) / 3))
    assert found["mae_m"] == pytest.approx(0.5)
    assert found["abs_rel"] == pytest.approx((0 + 0.5 + 0.125) / 3)
    assert found["log10"] == pytest.approx((np.log10(1.5) + np.log10(1.125)) / 3)


def test_the_mask_chooses_the_pixels():
    target = np.array([[1.0, 2.0]], np.float32)
    assert metrics.measure(target * [[1, 9]], target, np.array([[True, False]]))["delta1"] == 1


def test_scaling_by_the_median_forgives_a_wrong_scale():
    target = np.random.default_rng(0).uniform(1, 5, (8, 8)).astype(np.float32)
    found = metrics.measure(target * 3, target)
    assert found["delta1"] == 0
    assert found["delta1_scaled"] == 1


def test_all_metrics_are_given_after_scaling_too():
    target = np.random.default_rng(0).uniform(1, 5, (8, 8)).astype(np.float32)
    off = np.random.default_rng(1).uniform(0.9, 1.1, (8, 8)).astype(np.float32)
    found, scaled = metrics.measure(target * off * 3, target), metrics.measure(target * off, target)
    for name in metrics.ERRORS:
        assert found[f"{name}_scaled"] == pytest.approx(scaled[f"{name}_scaled"], rel=1e-5)
    assert found["depth_ratio"] == pytest.approx(3 * scaled["depth_ratio"], rel=1e-5)


def test_predictions_are_limited_after_scaling():
    found = metrics.measure(np.array([[40.0, 40.0]]), np.array([[10.0, 10.0]]), limits=(0.001, 10))
    assert (found["rmse_m"], found["rmse_m_scaled"]) == (0, 0)


def test_bias_and_spread_of_the_scale():
    found = metrics.bias_and_spread([{"depth_ratio": 1.1}, {"depth_ratio": 1.1}])
    assert (found["depth_bias"], found["depth_spread"]) == (pytest.approx(0.1), pytest.approx(0))
    found = metrics.bias_and_spread([{"depth_ratio": 0.5}, {"depth_ratio": 2.0}])
    assert (found["depth_bias"], found["depth_spread"]) == (pytest.approx(0), pytest.approx(1))


@pytest.mark.parametrize(
    ("bias", "shapes", "scale", "fits"),
    [
        (0.1, 0.9, 1000, None),  # not far off
        (2.9, 0.3, 1000, None),  # shapes do not agree: the network may simply be wrong
        (2.9, 0.9, 1000, 256),
        (-0.8, 0.9, 1000, 5000),
        (-0.8, 0.9, 1, 5),  # no unit that is common
        (1000.0, 0.9, 1, 0.001),
    ],
)
def test_a_scale_that_would_fit_is_found(bias, shapes, scale, fits):
    assert fitting_scale({"depth_bias": bias, "delta1_scaled": shapes}, scale) == fits


def test_an_empty_mask_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        metrics.measure(np.ones((2, 2)), np.zeros((2, 2)))


def test_images_count_alike():
    assert metrics.mean([{"delta1": 0.0}, {"delta1": 1.0}]) == {"delta1": 0.5}
