from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.cull import faces as module
from focuskit.cull.faces import find_faces
from focuskit.errors import WeightsError
from tests.scenes import SAMPLES, make_scene


def _portrait() -> NDArray[np.uint8]:
    picture = cv2.imread(str(SAMPLES / "IMG_0020.jpg"))
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def test_a_face_and_its_eyes_are_found() -> None:
    (face,) = find_faces(_portrait())

    assert face.sure
    assert 0.2 < face.x < face.x + face.width < 0.7
    assert 0.05 < face.y < face.y + face.height < 0.45
    assert len(face.eyes) == 2
    for x, y in face.eyes:
        assert face.x < x < face.x + face.width
        assert face.y < y < face.y + face.height / 2


def test_all_faces_are_found_and_the_largest_comes_first() -> None:
    # The face fills the upper half of this cut.
    large = _portrait()[20:300, 60:300]
    small = cv2.resize(large, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    picture = np.full((280, 400, 3), 90, np.uint8)
    picture[: small.shape[0], : small.shape[1]] = small
    picture[:, 160:] = large

    first, second = find_faces(picture)

    assert first.x > 0.4 > second.x
    assert first.width > 1.3 * second.width


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shapes_are_no_faces(seed: int) -> None:
    scene = (make_scene(250, 375, seed) * 255).astype(np.uint8)

    assert not any(face.sure for face in find_faces(scene))


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 300, 3), (40, 40, 3)])
def test_there_is_none_in_a_speck(shape: tuple[int, int, int]) -> None:
    assert find_faces(np.zeros(shape, np.uint8)) == []


def test_a_model_that_is_none_is_named(tmp_path: Path) -> None:
    model = tmp_path / "yunet.onnx"
    model.write_bytes(b"not a network")

    with pytest.raises(WeightsError, match=r"yunet\.onnx.*models get yunet"):
        find_faces(_portrait(), model)


def test_what_the_network_says_is_read_in_opencvs_order(monkeypatch: pytest.MonkeyPatch) -> None:
    class Network:
        def setInputSize(self, size: tuple[int, int]) -> None:
            self.size = size

        def detect(self, picture: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32]]:
            assert self.size == (400, 500)
            row = [100, 50, 80, 100, 120, 90, 160, 95, 140, 110, 125, 130, 155, 130, 0.95]
            return 1, np.array([row], np.float32)

    monkeypatch.setattr(module, "_network", lambda model: Network())

    (face,) = find_faces(_portrait(), Path("any.onnx"))

    assert (face.x, face.y, face.width, face.height) == pytest.approx((0.25, 0.1, 0.2, 0.2))
    assert np.allclose(face.eyes, [(0.3, 0.18), (0.4, 0.19)])
