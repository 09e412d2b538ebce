"""The public names are these and no others; changing them is a decision."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import focuskit

PUBLIC = {
    "focuskit": [
        "DETECTORS",
        "OPERATIONS",
        "BlurMap",
        "Exif",
        "FocuskitError",
        "Photo",
        "__version__",
        "bokeh",
        "deblur",
        "magnify",
        "read_photo",
        "read_preview",
        "refocus",
        "write_photo",
    ],
    "focuskit.cull": [
        "SCORERS",
        "Evidence",
        "Measures",
        "ScoreInfo",
        "Scorer",
        "gather",
        "measure",
    ],
    "focuskit.detect": [
        "DEFAULT_DETECTOR",
        "DETECTORS",
        "LIBRARY_DETECTOR",
        "Detector",
        "detect_at",
        "is_ready",
        "open_detector",
    ],
    "focuskit.edit": ["OPERATIONS", "Edited", "Operation"],
    "focuskit.io": [
        "DEFAULT_MAX_MEGAPIXELS",
        "PHOTO_SUFFIXES",
        "RAW_SUFFIXES",
        "Depth",
        "Frame",
        "default_max_megapixels",
        "open_frame",
        "read_embedded_depth",
        "read_exif",
        "read_gray",
        "read_photo",
        "read_preview",
        "write_atomically",
        "write_photo",
    ],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_inventory(module: str) -> None:
    assert sorted(import_module(module).__all__) == sorted(PUBLIC[module])


@pytest.mark.parametrize("name", PUBLIC["focuskit"])
def test_every_public_name_loads(name: str) -> None:
    assert getattr(focuskit, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sharpen'"):
        _ = focuskit.sharpen


def test_the_command_line_starts_without_arrays() -> None:
    check = "import focuskit.cli, sys; print(sorted({'numpy', 'cv2', 'torch'} & set(sys.modules)))"

    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "import focuskit",
        "import focuskit; focuskit.read_photo; focuskit.DETECTORS; focuskit.OPERATIONS",
        "import focuskit; focuskit.bokeh; focuskit.magnify",
        "from focuskit.cli import app",
        "import focuskit.batch.judge, focuskit.review.report",
    ],
)
def test_torch_is_not_imported(code: str) -> None:
    check = f"{code}\nimport sys\nprint('torch' in sys.modules)"

    answer = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "False"
