import numpy as np
import pytest

from zoo.evaluation import metrics


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


def test_an_empty_mask_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        metrics.measure(np.ones((2, 2)), np.zeros((2, 2)))


def test_images_count_alike():
    assert metrics.mean([{"delta1": 0.0}, {"delta1": 1.0}]) == {"delta1": 0.5}
