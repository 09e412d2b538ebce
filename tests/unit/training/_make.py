"""Small data, networks and recipes that tests of training and of the network share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.detect.gauge import GaugeNet
from focuskit.detect.network import FocusNet, NetworkConfig
from focuskit.training import sources
from focuskit.training.example import Example
from focuskit.training.recipes import FocusRecipe, GaugeRecipe
from tests.scenes import blurred, make_scene

SWEEP_FRAMES = (1, 3, 5, 7, 9)


@contextmanager
def one_thread() -> Iterator[None]:
    """Small networks are faster on one thread, and far faster where the machine is busy."""
    before, before_cv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    cv2.setNumThreads(before_cv)


def lively_network(config: NetworkConfig | None = None, seed: int = 0) -> FocusNet:
    """A random network whose maps differ from place to place, unlike a fresh one's."""
    torch.manual_seed(seed)
    network = FocusNet(config).eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    torch.nn.init.normal_(network.head.bias, std=0.5)
    return network


def lively_gauge(seed: int = 0) -> GaugeNet:
    torch.manual_seed(seed)
    network = GaugeNet().eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    return network


def tiny_recipe(**changes: bool | int | float | str) -> FocusRecipe:
    fields: dict[str, bool | int | float | str] = {
        "name": "tiny",
        "steps": 4,
        "batch": 2,
        "size": 64,
        "warmup": 1,
        "width": 8,
        "swap": 0.5,
        "cuhk": 0.5,
        "pairs": 0.0,
        "sweeps": 0.0,
        "scenes": 0.5,
        "whole": 0.0,
    }
    return FocusRecipe(**(fields | changes))  # type: ignore[arg-type]


def tiny_gauge_recipe(**changes: bool | int | float | str) -> GaugeRecipe:
    fields: dict[str, bool | int | float | str] = {
        "name": "tiny",
        "steps": 4,
        "batch": 3,
        "size": 64,
        "warmup": 1,
    }
    return GaugeRecipe(**(fields | changes))  # type: ignore[arg-type]


def half_sharp(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Encoded; sharp left of the middle, blurred right of it."""
    scene = make_scene(height, width, seed)
    scene[:, width // 2 :] = blurred(scene, 8.0)[:, width // 2 :]
    return encoded(scene)


def encoded(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(encode_srgb(np.minimum(rgb, np.float32(1))) * 255).astype(np.uint8)


def half_sharp_example(seed: int, source: str = "cuhk", size: int = 96) -> Example:
    in_focus = np.zeros((size, size), np.float32)
    in_focus[:, : size // 2] = 1
    known = source in ("scene", "whole")
    coc = np.where(in_focus == 1, 0.0, 8.0) if known else np.full(in_focus.shape, np.nan)
    return Example(
        half_sharp(size, size, seed),
        in_focus,
        np.ones_like(in_focus),
        coc.astype(np.float32),
        source,
        f"{source}-{seed}",
    )


def write_encoder(path: Path) -> None:
    """An archive such as the one of ImageNet: every convolution, and one that is not used."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    arrays = {}
    for index, layer in enumerate(FocusNet(NetworkConfig(8)).encoder.convolutions()):
        arrays[f"conv{index:02}.weight"] = layer.weight.detach().numpy().astype(np.float16)
        arrays[f"conv{index:02}.bias"] = layer.bias.detach().numpy().astype(np.float16)
    arrays[f"conv{len(arrays) // 2}.weight"] = np.zeros((1280, 320, 1, 1), np.float16)
    np.savez(path, **arrays)


def write_data_root(root: Path) -> Path:
    """The folders that training reads, with as little in them as it takes."""
    write_encoder(root / "init" / "mobilenet_v2_imagenet.npz")
    for kind in ("photos", "masks"):
        (root / "cuhk-dbd" / kind).mkdir(parents=True)
    white = np.zeros((120, 160), np.uint8)
    white[:, 80:] = 255
    # CUHK's masks are white where blurred; one of the photos must be left out of training.
    for seed, number in enumerate((1, 2, 3, 4, 5, 6, 7, 509)):
        name = f"out_of_focus{number:04}"
        photo = half_sharp(120, 160, seed)[..., ::-1]
        cv2.imwrite(str(root / "cuhk-dbd" / "photos" / f"{name}.jpg"), photo)
        cv2.imwrite(str(root / "cuhk-dbd" / "masks" / f"{name}.png"), white)
    for seed, name in enumerate(("toys", "mffw_03")):
        first = half_sharp(120, 160, 20 + seed)
        second = encoded(blurred(make_scene(120, 160, 20 + seed), 8.0))
        second[:, 80:] = encoded(make_scene(120, 160, 20 + seed))[:, 80:]
        folder = root / "multifocus" / name
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f"{name}_A.png"), first)
        cv2.imwrite(str(folder / f"{name}_B.png"), second)
    for seed, name in enumerate(("shelf", "temple")):
        _write_sweep(root / "focal-sweeps" / name, 30 + seed)
    (root / "sharp").mkdir()
    for seed in range(4):
        photo = encoded(make_scene(120, 160, 40 + seed))
        cv2.imwrite(str(root / "sharp" / f"plain{seed}.jpg"), photo)
    return root


def few_renderings() -> dict[str, object]:
    """What `focuskit.training.sources` is patched with, so that rendering takes a moment."""
    few: dict[str, object] = {
        "_SCENES": 4,
        "_WHOLE": 4,
        "_CHUNK": 2,
        "_SCENE_SIZE": (64, 64),
        "_HELD_OUT_PLAIN": 2,
    }
    assert all(hasattr(sources, name) for name in few)
    return few


def _write_sweep(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    scene = make_scene(160, 200, seed)
    left = np.arange(200)[None, :, None] < 100
    near, far = SWEEP_FRAMES[0], SWEEP_FRAMES[-1]
    for number in SWEEP_FRAMES:
        ends = (blurred(scene, 1.5 * abs(number - best)) for best in (near, far))
        cv2.imwrite(str(folder / f"frame{number}.jpg"), encoded(np.where(left, *ends)))
    depth = np.full((160, 200), near, np.uint8)
    depth[:, 100:] = far
    cv2.imwrite(str(folder / "depth_index.png"), depth)
