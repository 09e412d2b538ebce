"""As a person sees it: the menu, the dialog with its preview, OK, and one Ctrl+Z."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from tests.gimp.conftest import ENTER, REPOSITORY, Gimp

pytestmark = pytest.mark.gimp

SCRIPT = Path(__file__).with_name("window.sh")


@pytest.mark.skipif(not ENTER.exists(), reason="the window's tools are in the tree")
@pytest.mark.skipif(not (ENTER.parents[2] / "bin/xdotool").exists(), reason="no xdotool there")
def test_each_of_the_menu_is_undone_in_one_step(gimp: Gimp) -> None:
    shots = gimp.base / "shots"
    shots.mkdir()
    photo = shutil.copy(REPOSITORY / "samples" / "IMG_0020.jpg", gimp.base / "portrait é.jpg")
    words = ["bash", str(SCRIPT), str(photo), str(shots), "87"]
    done = subprocess.run(gimp.command(words), capture_output=True, text=True, timeout=500)
    if kept := os.environ.get("FOCUSKIT_GIMP_SHOTS"):
        shutil.copytree(shots, kept, dirs_exist_ok=True)

    assert done.stdout.splitlines() == [
        "made",
        "undone",
        "magnify undone",
        "focus map undone",
        "deblur undone",
    ], done.stderr
    pictures = {path.stem: Image.open(path).convert("RGB") for path in shots.glob("*.png")}
    assert differ(pictures["menu"], pictures["undone"])
    assert differ(pictures["dialog"], pictures["result"])
    assert differ(pictures["result"], pictures["undone"])


def differ(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is not None
