from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from focuskit.detect.maps import MapNetwork
from focuskit.errors import InputError
from focuskit.training.kinds import kind_of, no_backbone
from focuskit.training.recipes import RECIPES, FocusRecipe, GaugeRecipe
from tests.unit.training._make import tiny_recipe, write_encoder


@pytest.mark.parametrize("name", ["focusnet", "gauge", "motion"])
def test_a_kind_makes_the_network_of_its_recipe(name: str) -> None:
    recipe = RECIPES[name]

    network = kind_of(recipe).fresh(recipe)

    assert isinstance(network, MapNetwork)
    assert network.KIND == name
    assert kind_of(recipe).origin(recipe)


def test_a_network_is_not_loaded_for_another() -> None:
    program = (
        "import sys\n"
        "from focuskit.training.kinds import kind_of\n"
        "from focuskit.training.recipes import GaugeRecipe\n"
        "kind_of(GaugeRecipe())\n"
        "loaded = [name for name in sys.modules if name.startswith('focuskit.training.')]\n"
        "sys.exit('focuskit.training.gauging' not in loaded or\n"
        "         any('focusing' in name or '.systems' in name for name in loaded))\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_backbone_of_the_users_own_is_what_the_network_starts_from(tmp_path: Path) -> None:
    recipe: FocusRecipe = tiny_recipe()
    own = tmp_path / "own.npz"
    write_encoder(own)
    write_encoder(tmp_path / "init" / "mobilenet_v2_imagenet.npz")

    given = kind_of(recipe).initial(recipe, tmp_path / "nowhere", own)
    usual = kind_of(recipe).initial(recipe, tmp_path, None)

    for one, other in zip(given.parameters(), usual.parameters(), strict=True):
        assert one.equal(other)
    with pytest.raises(InputError, match="does not hold the encoder"):
        kind_of(recipe).initial(recipe, tmp_path / "nowhere", None)


def test_a_backbone_for_a_network_without_one_is_refused(tmp_path: Path) -> None:
    recipe = GaugeRecipe()
    with pytest.raises(InputError, match=r"gauge has no backbone .*leave out --weights"):
        kind_of(recipe).initial(recipe, tmp_path, tmp_path / "own.npz")
    no_backbone(recipe, None)
