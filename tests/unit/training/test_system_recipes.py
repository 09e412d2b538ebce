from __future__ import annotations

import pytest

from focuskit.errors import InputError
from focuskit.training.recipes import RECIPES
from focuskit.training.system_recipes import (
    SYSTEM_RECIPES,
    M2csRecipe,
    RdbdRecipe,
    SystemRecipe,
)


def test_every_published_system_has_a_recipe() -> None:
    assert {recipe.name for recipe in SYSTEM_RECIPES} == {
        "r-dbd",
        "defusionnet",
        "distill-dbdgan-teacher",
        "distill-dbdgan-student",
        "m2cs",
        "local-metric",
    }
    assert all(RECIPES[recipe.name] is recipe for recipe in SYSTEM_RECIPES)


@pytest.mark.parametrize("recipe", SYSTEM_RECIPES, ids=lambda recipe: recipe.name)
def test_all_of_them_come_in_both_sizes(recipe: SystemRecipe) -> None:
    assert recipe.configuration == "small"
    assert recipe.changed(["configuration=full"]).configuration == "full"
    with pytest.raises(InputError, match=r"configuration is one of small, full; got 'tiny'"):
        recipe.changed(["configuration=tiny"])


@pytest.mark.parametrize(
    ("name", "setting", "sentence"),
    [
        ("distill-dbdgan-teacher", "discriminator=other", "relativistic, least-squares, plain"),
        ("distill-dbdgan-student", "adversarial=-1", "adversarial must be >= 0"),
        ("distill-dbdgan-student", "distill_output=-1", "distill_output must be >= 0"),
        ("defusionnet", "steps_recurrent=0", "steps_recurrent must be >= 1"),
        ("r-dbd", "swap_side=258", "Patches of 258 px do not fit views of 256 px"),
        ("m2cs", "coverage=1.5", "coverage must be"),
        ("m2cs", "temperature=0", "temperature must be"),
        ("m2cs", "local_patches=32,33", "local_patches are some of 32, 64, 96 and 128 .*'33'"),
        ("local-metric", "nets=0", "nets must be >= 1"),
    ],
)
def test_switches_that_make_no_sense_are_refused(name: str, setting: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        RECIPES[name].changed([setting])


def test_local_patches_are_read_as_sides() -> None:
    assert M2csRecipe().patch_sides == (32, 64, 96, 128)
    assert M2csRecipe(local_patches=" 64").patch_sides == (64,)
    assert M2csRecipe(local_patches="").patch_sides == ()
    with pytest.raises(InputError, match="Nothing would be compared"):
        M2csRecipe(local_patches="", global_similarity=False)


def test_what_m2cs_learns_from_needs_no_truth() -> None:
    """Of the kinds of data only photos are drawn, whose masks it leaves alone."""
    assert [kind for kind, share in M2csRecipe().shares.items() if share > 0] == ["cuhk"]


def test_the_ablations_are_settings() -> None:
    recipe = RdbdRecipe().changed(["gradients=false", "self_supervision=0", "hard=1"])

    assert (recipe.gradients, recipe.self_supervision, recipe.hard) == (False, 0, 1)
