from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from focuskit.detect import local_metric
from focuskit.detect._working import Working
from focuskit.detect.local_metric import LocalMetric, refined, sharpness_metric
from focuskit.detect.systems.local_metric import LocalMetricConfig, LocalMetricNet
from focuskit.detect.weights import DESCRIPTION_KEY, Weights, description, find_weights
from focuskit.errors import WeightsError
from tests.scenes import as_photo, blurred, make_scene


def _filters() -> NDArray[np.float32]:
    """Second differences along x and y: of mean 0 and unit norm, as the trained ones."""
    filters = np.zeros((2, 7, 7), np.float32)
    filters[0, 3, 2:5] = filters[1, 2:5, 3] = (-1, 2, -1)
    return filters / np.float32(6**0.5)


def _half_sharp() -> NDArray[np.float32]:
    scene = make_scene(96, 160, seed=3)
    return np.hstack([scene[:, :80], blurred(scene, 9.0)[:, 80:]])


def test_the_sharp_half_of_a_scene_is_found() -> None:
    found = LocalMetric(filters=_filters())(as_photo(_half_sharp()))

    left = found.in_focus_probability[:, :70].mean()
    right = found.in_focus_probability[:, 90:].mean()
    assert left > 0.6
    assert right < 0.3


def test_a_photo_and_its_mirror_image_have_mirrored_maps() -> None:
    scene = _half_sharp()
    detect = LocalMetric(filters=_filters())

    straight = detect(as_photo(scene)).in_focus_probability
    mirrored = detect(as_photo(scene[:, ::-1])).in_focus_probability

    np.testing.assert_allclose(straight, mirrored[:, ::-1], atol=2e-3)


def test_a_frame_without_detail_is_low_everywhere() -> None:
    flat = np.full((64, 96, 3), 0.3, np.float32)
    haze = flat + np.linspace(0, 0.1, 96, dtype=np.float32)[None, :, None]

    for rgb in (flat, haze):
        found = LocalMetric(filters=_filters())(as_photo(rgb))
        assert found.in_focus_probability.max() < 0.4


def test_noise_alone_is_hardly_any_response(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    gray = np.clip(0.3 + rng.normal(0, 0.01, (64, 96, 1)), 0, 1).astype(np.float32)
    noisy = Working.of(as_photo(np.repeat(gray, 3, 2)), None)
    textured = Working.of(as_photo(make_scene(64, 96, seed=1)), None)

    noise, texture = (sharpness_metric(each, _filters()).mean() for each in (noisy, textured))
    monkeypatch.setattr(local_metric, "_NOISE_FACTOR", 0.0)

    assert noise < 0.2 * texture
    assert noise < 0.2 * sharpness_metric(noisy, _filters()).mean()


@settings(deadline=None, max_examples=25)
@given(arrays(np.float32, (9, 12), elements=st.floats(0, 1, width=32)))
def test_refined_maps_stay_in_range_and_do_not_change_their_input(levels) -> None:  # type: ignore[no-untyped-def]
    before = levels.copy()

    result = refined(levels)

    np.testing.assert_array_equal(levels, before)
    assert result.shape == levels.shape
    assert result.min() >= 0
    assert result.max() <= 1 + 1e-6


def _patch_of_focus() -> NDArray[np.float32]:
    levels = np.random.default_rng(0).uniform(0, 0.3, (40, 60)).astype(np.float32)
    levels[10:30, 15:40] += np.float32(0.6)
    return levels


def test_rescaled_rounds_converge_and_the_others_fade() -> None:
    levels = _patch_of_focus()

    def after(rounds: int, *, rescale: bool) -> NDArray[np.float32]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(local_metric, "_ROUNDS", {rounds: 1.0})
            return refined(levels, rescale=rescale)

    def change(first: int, second: int) -> float:
        maps = (after(rounds, rescale=True) for rounds in (first, second))
        return float(np.abs(np.subtract(*maps)).mean())

    # In the end the rim alternates between two states.
    assert change(398, 400) < 1e-3
    assert change(398, 400) < change(8, 10)
    assert change(399, 400) < 0.02
    assert after(400, rescale=True).max() == pytest.approx(1)
    fading = [after(rounds, rescale=False).max() for rounds in (10, 100, 400)]
    assert fading[0] > fading[1] >= fading[2]
    assert fading[2] < 0.01


def test_what_stands_out_is_raised_and_the_rest_becomes_nothing() -> None:
    result = refined(_patch_of_focus())

    assert result[15:25, 20:35].min() > 0.5
    assert result[:3, :].max() < 0.2


def test_filters_come_from_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"filters": _filters().tolist()}
    monkeypatch.setattr(local_metric, "weight_names", lambda: ["local-metric"])
    monkeypatch.setattr(
        local_metric, "chosen_weights", lambda name: Weights(name, {}, told), raising=True
    )
    photo = as_photo(_half_sharp())

    np.testing.assert_array_equal(
        LocalMetric()(photo).in_focus_probability,
        LocalMetric(filters=_filters())(photo).in_focus_probability,
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({}, "no filters"),
        ({"filters": [[1.0, 2.0]]}, r"shape \(1, 2\)"),
        ({"filters": "sharp"}, "no filters"),
        ({"filters": np.full((2, 7, 7), np.nan).tolist()}, "finite"),
    ],
)
def test_weights_without_fitting_filters_are_refused(  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch, facts, why: str
) -> None:
    monkeypatch.setattr(local_metric, "weight_names", lambda: ["local-metric"])
    monkeypatch.setattr(local_metric, "chosen_weights", lambda name: Weights(name, {}, facts))

    with pytest.raises(WeightsError, match=why):
        LocalMetric().prepare()


def test_own_weights_of_another_architecture_are_refused_with_the_first_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = find_weights("gauge").files["safetensors"]
    stored = load_file(other)
    monkeypatch.setenv("FOCUSKIT_WEIGHTS", f"local-metric={other}")

    with pytest.raises(WeightsError, match="cannot run local-metric: ") as e:
        LocalMetric().prepare()

    named = re.search(r"keys that differ: (.*) and \d+ more", str(e.value))
    assert named
    keys = [each.split(" (")[0] for each in named[1].split(", ")]
    assert len(keys) == 3
    assert not set(keys) & set(stored)


def test_own_weights_of_another_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"kind": "local-metric", "version": 99, "filters": _filters().tolist()}
    file = tmp_path / "new.safetensors"
    save_file({"a": np.zeros(2, np.float32)}, file, {DESCRIPTION_KEY: json.dumps(told)})
    monkeypatch.setenv("FOCUSKIT_WEIGHTS", f"local-metric={file}")

    with pytest.raises(WeightsError, match=r"of version 99, .* reads version 1; keys that differ"):
        LocalMetric().prepare()


def test_own_weights_with_other_nets_run_as_their_filters_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.safetensors"
    told = description("local-metric", {"filters": _filters().tolist()})
    save_file({"a": np.zeros(2, np.float32)}, file, told)
    monkeypatch.setenv("FOCUSKIT_WEIGHTS", f"local-metric={file}")
    photo = as_photo(_half_sharp())

    np.testing.assert_array_equal(
        LocalMetric()(photo).in_focus_probability,
        LocalMetric(filters=_filters())(photo).in_focus_probability,
    )


def test_without_weights_the_message_tells_how_to_train_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_metric, "weight_names", list)
    monkeypatch.delenv("FOCUSKIT_WEIGHTS", raising=False)

    with pytest.raises(WeightsError, match="focuskit train local-metric"):
        LocalMetric().prepare()


def test_detection_imports_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys, numpy as np\n"
        "from focuskit.detect.local_metric import LocalMetric\n"
        "from focuskit.photo import Photo\n"
        "filters = np.random.default_rng(0).normal(size=(2, 7, 7)).astype(np.float32)\n"
        "LocalMetric(filters=filters)(Photo(np.full((32, 40, 3), .2, np.float32)))\n"
        "print(sorted({'torch', 'onnxruntime', 'focuskit.detect.runtime'} & set(sys.modules)))\n"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("size", ["small", "full"])
def test_the_networks_map_has_the_pictures_size(size) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = LocalMetricNet(LocalMetricConfig(size, nets=2, filters=4)).eval()

    with torch.no_grad():
        (found,) = network.maps(torch.rand(2, 3, 36, 52))

    assert found.shape == (2, 1, 36, 52)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


def test_patches_get_one_decision_of_each_net() -> None:
    network = LocalMetricNet(LocalMetricConfig("small", nets=3, filters=4)).eval()

    assert network(torch.rand(5, 1, 32, 32)).shape == (3, 5, 2, 1, 1)
    assert network.kernels().shape == (12, 7, 7)


def test_crelu_sees_a_pattern_and_its_negative_alike() -> None:
    # With filters w and -w swapped in what follows, the negative patch is the same patch.
    torch.manual_seed(0)
    net = LocalMetricNet(LocalMetricConfig("small", nets=1, filters=4)).nets[0].eval()
    with torch.no_grad():
        net.first.bias.zero_()
        half = net.rest[1] if isinstance(net.rest[1], torch.nn.Conv2d) else net.rest[0]
        half.weight[:, 4:] = half.weight[:, :4]
        patch = torch.rand(1, 1, 32, 32) - 0.5

        torch.testing.assert_close(net(patch), net(-patch))


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size is one of small, full"):
        LocalMetricNet.from_facts({"size": "huge"})
