from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest

from focuskit.detect.frame import GAUGE_STRIDE
from focuskit.detect.network import STRIDE
from focuskit.errors import InputError, UnknownNameError
from focuskit.training import recipe as recipe_module
from focuskit.training.recipes import RECIPES, FocusRecipe, GaugeRecipe, Recipe, recipe_named


def test_recipes_are_found_by_name() -> None:
    for name, recipe in RECIPES.items():
        assert recipe_named(name) is recipe
        assert recipe.name == name


def test_an_unknown_name_is_answered_with_the_list() -> None:
    with pytest.raises(UnknownNameError, match=r"no recipe 'nosuch'; there is .*focusnet"):
        recipe_named("nosuch")


def test_settings_change_what_they_name_and_nothing_else() -> None:
    recipe = FocusRecipe()

    changed = recipe.changed(
        ["steps=100", "learning_rate=2e-4", "high_frequency=False", "name=other", "seed=7"]
    )

    wanted = {
        "steps": 100,
        "learning_rate": 2e-4,
        "high_frequency": False,
        "name": "other",
        "seed": 7,
    }
    assert changed.as_record() == recipe.as_record() | wanted
    assert [type(value) for value in changed.as_record().values()] == [
        type(value) for value in recipe.as_record().values()
    ]
    assert recipe == FocusRecipe()


def test_no_settings_are_the_recipe_itself_and_the_last_of_two_counts() -> None:
    assert FocusRecipe().changed([]) == FocusRecipe()
    assert FocusRecipe().changed(["steps=5", "steps=6"]).steps == 6


@pytest.mark.parametrize(("text", "value"), [("true", True), ("TRUE", True), ("false", False)])
def test_truth_is_written_as_a_word(text: str, value: bool) -> None:
    assert FocusRecipe().changed([f"high_frequency={text}"]).high_frequency is value


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("steps", "no setting of a recipe; write NAME=VALUE with one of .*steps"),
        ("nosuch=1", "'nosuch=1' is no setting of a recipe"),
        ("=1", "no setting"),
        ("", "no setting"),
        (" steps=1", "no setting"),
        ("shares=1", "no setting"),
        ("steps=many", "steps is a whole number, got 'many'"),
        ("steps=1.5", "steps is a whole number"),
        ("steps=", "steps is a whole number"),
        ("swap=often", "swap is a number, got 'often'"),
        ("high_frequency=1", "high_frequency is true or false, got '1'"),
        ("high_frequency=", "true or false"),
    ],
)
def test_what_is_no_setting_is_refused(setting: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        FocusRecipe().changed([setting])


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("steps=0", "steps must be >= 1"),
        ("batch=0", "batch must be >= 1"),
        ("batch=1", "batch must be at least 2, or swap 0"),
        ("size=0", "size must be >= 32"),
        ("size=100", "size must be a multiple of 32"),
        ("width=0", "width must be >= 1"),
        ("warmup=-1", "warmup must be >= 0"),
        ("seed=-1", "seed must be >= 0"),
        ("learning_rate=-0.1", "learning_rate must be >= 0"),
        ("learning_rate=nan", "learning_rate must be"),
        ("learning_rate=inf", "learning_rate must be"),
        ("swap=1.5", "swap must be >= 0 and <= 1"),
        ("average=1.1", "average must be"),
        ("cuhk=-1", "cuhk must be >= 0"),
        ("name=", "name is what the files will be called"),
        ("name=../elsewhere", "name is what the files will be called"),
        ("name=.hidden", "name is what the files will be called"),
    ],
)
def test_values_that_nothing_can_be_trained_with_are_refused(setting: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        FocusRecipe().changed([setting])


def test_without_any_data_nothing_can_be_trained() -> None:
    shares = FocusRecipe().shares

    with pytest.raises(InputError, match="At least one share"):
        FocusRecipe().changed([f"{kind}=0" for kind in shares])
    assert FocusRecipe().changed([f"{kind}=0" for kind in shares if kind != "cuhk"]).cuhk > 0


def test_a_single_picture_is_a_batch_where_nothing_is_swapped() -> None:
    assert FocusRecipe().changed(["swap=0", "batch=1"]).batch == 1


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_every_number_has_its_bound(recipe: Recipe) -> None:
    """A field that is added wants a thought about what makes sense."""
    numbers = {name for name, value in recipe.as_record().items() if type(value) in (int, float)}
    assert numbers == set(recipe.AT_LEAST) | recipe.WITHIN_ONE
    assert not set(recipe.AT_LEAST) & recipe.WITHIN_ONE
    assert set(recipe.CHOICES) <= {field.name for field in fields(recipe)} - numbers
    assert recipe_module.STRIDE == STRIDE
    assert STRIDE % GAUGE_STRIDE == 0


def test_shares_are_the_fields_of_the_kinds() -> None:
    assert FocusRecipe(cuhk=0.5).shares == {
        "cuhk": 0.5,
        "pairs": FocusRecipe().pairs,
        "sweeps": FocusRecipe().sweeps,
        "scenes": FocusRecipe().scenes,
        "whole": FocusRecipe().whole,
    }
    assert sum(FocusRecipe().shares.values()) == pytest.approx(1)


def test_the_record_of_focusnet_is_the_one_in_old_checkpoints() -> None:
    """Another name, default or field, and runs that were broken off cannot go on."""
    assert FocusRecipe().as_record() == {
        "name": "focusnet",
        "steps": 5500,
        "batch": 8,
        "size": 320,
        "learning_rate": 1e-3,
        "encoder_share": 0.3,
        "weight_decay": 1e-2,
        "warmup": 200,
        "average": 0.998,
        "width": 48,
        "high_frequency": True,
        "swap": 0.25,
        "consistency": 0.2,
        "hard": 2.0,
        "overlap": 0.5,
        "side": 0.3,
        "cuhk": 0.62,
        "pairs": 0.06,
        "sweeps": 0.06,
        "scenes": 0.14,
        "whole": 0.12,
        "seed": 0,
    }


def test_a_gauge_has_no_settings_of_focusnet() -> None:
    recipe = GaugeRecipe().changed(["steps=3", "size=64"])

    assert (type(recipe), recipe.steps, recipe.size) == (GaugeRecipe, 3, 64)
    with pytest.raises(InputError, match="'width=8' is no setting of a recipe"):
        recipe.changed(["width=8"])
    for setting, sentence in (
        ("size=200", "size must be a multiple of 32"),
        ("batch=0", "batch must be >= 1"),
        ("average=2", "average must be"),
        ("pairs=0.1", "pairs and sweeps must be 0"),
        ("sweeps=0.1", "pairs and sweeps must be 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            recipe.changed([setting])


def test_drawn_shares_leave_out_what_has_none_and_are_one_together() -> None:
    recipe = FocusRecipe(cuhk=0.3, pairs=0.0, sweeps=0.0, scenes=0.1, whole=0.0)

    shares = recipe.drawn_shares({"cuhk": [1], "scenes": [2, 3], "whole": []})

    assert list(shares) == ["cuhk", "scenes"]
    assert shares == pytest.approx({"cuhk": 0.75, "scenes": 0.25})


@pytest.mark.parametrize("pools", [{}, {"cuhk": [1], "scenes": []}, {"cuhk": [1]}])
def test_a_share_of_what_there_is_none_of_is_refused(pools: dict[str, list[int]]) -> None:
    recipe = GaugeRecipe()

    with pytest.raises(InputError, match=r"no examples of .*scenes, whole; .*set that share to 0"):
        recipe.drawn_shares(pools)


def test_fewer_photos_than_a_batch_are_refused() -> None:
    recipe = FocusRecipe(batch=4, pairs=0.0, sweeps=0.0, whole=0.0)

    recipe.check_pools({"cuhk": [1, 2, 3], "scenes": [4]})
    # Those of a kind without a share do not count.
    with pytest.raises(InputError, match=r"3 examples for batches of 4; .*batch to at most 3\.$"):
        recipe.check_pools({"cuhk": [1, 2], "scenes": [4], "whole": [5, 6, 7]})
    with pytest.raises(InputError, match="no examples of scenes"):
        recipe.check_pools({"cuhk": [1, 2, 3, 4], "scenes": []})


def test_options_are_for_the_recipes_that_have_them() -> None:
    full = recipe_named("r-dbd").with_option("--size", "configuration", "full")

    assert full.as_record() == recipe_named("r-dbd").as_record() | {"configuration": "full"}
    with pytest.raises(InputError, match=r"^--size means nothing to gauge; leave it out\.$"):
        recipe_named("gauge").with_option("--size", "configuration", "full")
    with pytest.raises(InputError, match="configuration is one of small, full; got 'huge'"):
        recipe_named("m2cs").with_option("--size", "configuration", "huge")


def test_naming_recipes_loads_no_torch() -> None:
    program = "import sys, focuskit.training.recipes; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
