"""What an edit of one photo is made of."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

import focuskit
from focuskit.batch.edits import Edit, Settings
from focuskit.batch.library import Shot
from focuskit.batch.naming import Naming, named
from focuskit.color import encoded_gray
from focuskit.detect import DETECTORS
from focuskit.io import read_photo
from focuskit.optics.blind import smallest_resolvable_coc_px, with_edges
from focuskit.optics.psf import Aperture
from tests.scenes import blurred, make_scene

WIDTH, HEIGHT = 2100, 80


def test_the_edges_of_a_large_photo_have_a_say(
    tmp_path: Path, save_jpeg: Callable[..., Path]
) -> None:
    scene = np.tile(make_scene(HEIGHT, WIDTH // 6, seed=3), (1, 6, 1))
    scene[:, WIDTH // 2 :] = blurred(scene, 5.0)[:, WIDTH // 2 :]
    path = save_jpeg("large.jpg", scene)
    shot = Shot(path.name, path, (path,))
    out = tmp_path / "out"
    settings = Settings({"grain": False})
    edit = Edit("magnify", out, Naming(kind="tif", bits=32), settings, detector="reblur")

    made = edit(named([shot])[0])

    photo = read_photo(path)
    alone = DETECTORS.get("reblur")(photo)
    both = with_edges(encoded_gray(photo), alone)
    written = read_photo(out / made.files["photo"].name).rgb
    expected, without = (focuskit.magnify(photo, each, grain=False).rgb for each in (both, alone))
    assert np.abs(written - expected).max() < 1e-5
    assert np.abs(written - without).max() > 1e-3
    smallest = smallest_resolvable_coc_px(encoded_gray(photo))
    assert made.said["smallest_coc_px"] == round(smallest, 2)


def test_a_task_does_not_grow_with_the_library(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:05d}.jpg" for number in range(10_000)]
    shots = named([Shot(path.name, path, (path,)) for path in paths])
    edit = Edit("bokeh", tmp_path / "out", settings=Settings({"aperture": Aperture(blades=7)}))

    task = pickle.dumps((edit, shots[:8]))

    assert len(task) < 8_000
    assert pickle.loads(task) == (edit, shots[:8])
