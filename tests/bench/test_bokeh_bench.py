"""`focuskit bench bokeh` on a small photo: what it compares, and that memory stays bounded."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from focuskit.cli import app
from focuskit.optics import render as renderer
from focuskit.optics.render import render


def test_the_benchmark_times_each_command_and_compares_them() -> None:
    asked = ["bench", "bokeh", "--megapixels", "0.3", "--coc", "20", "--repeats", "1", "-f", "json"]

    done = CliRunner().invoke(app, asked)

    assert done.exit_code == 0, done.output
    rows = {(row["what"], row["unit"]): row["value"] for row in json.loads(done.stdout)}
    assert rows["focuskit bokeh, blur given", "s, minimum"] > 0
    assert rows["preview / bokeh, blur estimated", ""] > 0
    if sys.platform != "win32":
        assert rows["focuskit bokeh, blur given", "MB, peak"] < 600
    assert (("gegl:lens-blur / bokeh, commands", "") in rows) == (shutil.which("gegl") is not None)


def test_what_is_sharp_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    light = np.full((600, 900, 3), 0.5, np.float32)
    coc = np.zeros((600, 900), np.float32)
    coc[:40, :40] = 30
    drawn: list[int] = []
    whole = renderer.split_outlines
    monkeypatch.setattr(renderer, "_TILE", 128)
    monkeypatch.setattr(renderer, "_TILE_MARGINS", 0)
    monkeypatch.setattr(
        renderer, "split_outlines", lambda *given: (drawn.append(1), whole(*given))[1]
    )

    seen = render(light, coc)

    assert len(drawn) == 1
    assert np.allclose(seen, 0.5, atol=1e-5)
