from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
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


@pytest.mark.parametrize("shape", [(300, 400), (320, 416), (250, 375)])
@pytest.mark.parametrize(("stride", "size"), [(32, (64, 96)), (16, (32, 48))])
def test_opencv_runs_a_network_of_that_kind(
    tmp_path: Path, shape: tuple[int, int], stride: int, size: tuple[int, int]
) -> None:
    pytest.importorskip("onnx", reason="onnx, which makes a network here, is not installed")
    from tests.unit.cull._yunet import POINTS, write_network

    model = tmp_path / "yunet.onnx"
    write_network(model, find_at=stride)
    picture = np.zeros((*shape, 3), np.uint8)
    picture[96 : 96 + stride, 160 : 160 + stride] = (0, 0, 255)
    # Red is not blue: this one is no face.
    picture[200 : 200 + stride, 32 : 32 + stride] = (255, 0, 0)

    (face,) = find_faces(picture, model)

    wide, high = shape[1], shape[0]
    assert face.sure
    assert (face.width * wide, face.height * high) == pytest.approx(size, abs=1e-3)
    middle = (face.x + face.width / 2) * wide, (face.y + face.height / 2) * high
    assert middle == pytest.approx((160 + stride / 2, 96 + stride / 2), abs=1e-3)
    eyes = [(160 + POINTS[i] * stride, 96 + POINTS[i + 1] * stride) for i in (0, 2)]
    assert np.allclose([(x * wide, y * high) for x, y in face.eyes], eyes, atol=1e-3)


def test_another_network_is_no_face_detector(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx, which makes a network here, is missing")
    picture = onnx.helper.make_tensor_value_info("input", 1, [1, 3, 640, 640])
    answer = onnx.helper.make_tensor_value_info("answer", 1, [1, 3, 640, 640])
    node = onnx.helper.make_node("Relu", ["input"], ["answer"])
    graph = onnx.helper.make_graph([node], "relu", [picture], [answer])
    opset = [onnx.helper.make_opsetid("", 11)]
    model = tmp_path / "yunet.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), model)

    with pytest.raises(WeightsError, match="models get yunet"):
        find_faces(_portrait(), model)


def _many(model: Path | None) -> tuple[int, int]:
    """Return how many differ of what four threads find in pictures of many sizes, and of how many.

    Threads that share a cascade crash within a hundred pictures.
    """
    whole = _portrait()
    whole[96:128, 160:192] = (0, 0, 255)
    pictures = [whole[: 300 + 20 * i, : 260 + 12 * i] for i in range(10)]
    alone = [find_faces(picture, model) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda i: find_faces(pictures[i % 10], model), range(240)))
    return sum(each != alone[i % 10] for i, each in enumerate(found)), len(found)


def test_threads_do_not_disturb_each_other() -> None:
    assert _many(None) == (0, 240)


def test_networks_of_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx, which makes a network here, is not installed")
    from tests.unit.cull._yunet import write_network

    write_network(tmp_path / "yunet.onnx")

    assert _many(tmp_path / "yunet.onnx") == (0, 240)


def test_processes_find_the_same() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        found = list(processes.map(_many, [None, None]))

    assert found == [(0, 240), (0, 240)]
