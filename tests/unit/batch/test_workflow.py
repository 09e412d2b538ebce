"""Recipes of several steps: what is wrong with one is said before the first photo is touched."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from focuskit.batch.edits import Settings
from focuskit.batch.parameters import parameters_of
from focuskit.batch.recipe import Recipe, load_recipe, shipped_recipes
from focuskit.batch.workflow import Copying, Detecting, Editing, load_workflow
from focuskit.edit import OPERATIONS
from focuskit.errors import FocuskitError, InputError
from focuskit.optics.psf import Aperture

BOKEH = "[[steps]]\ndo = 'bokeh'\nstrength = 2\n"
CULL = "[[steps]]\ndo = 'cull'\n"
DETECT = "[[steps]]\ndo = 'detect'\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_whole_and_explains_itself(name: str) -> None:
    workflow = load_workflow(name)

    assert workflow.summary
    assert workflow.steps
    assert workflow.file.read_text(encoding="utf-8").startswith("# ")


def test_what_a_recipe_says_is_what_the_operation_gets(recipe: Path) -> None:
    recipe.write_text(
        CULL
        + BOKEH
        + "only = 'keepers'\nblades = 7\ncats_eye = 0.5\ngrain = false\nformat = 'tif'\nbits = 16\n"
        + DETECT
        + "detector = 'reblur'\n[[steps]]\ndo = 'deblur-masks'\nmap = 'detect'\n"
        + "[[steps]]\ndo = 'export'\nof = 'bokeh'\nlong_edge_px = 2048\n"
    )

    cull, bokeh, detect, masks, export = load_workflow(str(recipe)).steps

    assert isinstance(cull.what, Recipe)
    assert isinstance(bokeh.what, Editing)
    assert (bokeh.name, bokeh.only) == ("bokeh", "keepers")
    assert bokeh.what.settings == Settings(
        {
            "strength": 2.0,
            "aperture": Aperture(blades=7, cats_eye=0.5),
            "highlights": 0.5,
            "grain": False,
        }
    )
    assert (bokeh.what.naming.kind, bokeh.what.naming.bits) == ("tif", 16)
    assert detect.what == Detecting("reblur")
    assert isinstance(masks.what, Editing)
    assert (masks.name, masks.what.operation, masks.what.mapped) == ("deblur", "deblur", True)
    assert masks.what.settings.values["apply"] is False
    assert not masks.what.naming.photo
    assert isinstance(export.what, Copying)
    assert (export.what.of, export.what.long_edge_px, export.what.naming.kind) == (
        "bokeh",
        2048,
        "jpg",
    )


@pytest.mark.parametrize("operation", [row.name for row in OPERATIONS])
def test_every_parameter_of_an_operation_can_be_set(operation: str) -> None:
    known = set(parameters_of(operation))
    given_by_the_run = {"photo", "blur_map", "protect", "device", "tick"}
    own = set(inspect.signature(OPERATIONS.get(operation)).parameters) - given_by_the_run

    assert own - {"aperture"} <= known
    assert ("blades" in known) == ("aperture" in own)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[steps]]\ndo = 'bokhe'", ["step 1: there is no action 'bokhe'; did you mean bokeh?"]),
        ("[[steps]]\nstrength = 2", ["step 1: do is missing", "cull"]),
        ("steps = []", ["there is no step"]),
        ("steps = 3", ["write steps as [[steps]]"]),
        ("detector = 'lbp'\n" + BOKEH, ["no key beside [[steps]] 'detector'"]),
        (BOKEH + "strenght = 2", ["step 1 (bokeh)", "did you mean strength?"]),
        ("[[steps]]\ndo = 'bokeh'\nstrength = '2'", ["strength must be a number, found '2'"]),
        ("[[steps]]\ndo = 'bokeh'\nstrength = true", ["strength must be a number, found True"]),
        ("[[steps]]\ndo = 'bokeh'\nstrength = nan", ["strength must be a number"]),
        ("[[steps]]\ndo = 'bokeh'\nstrength = 0", ["strength must be above 0"]),
        ("[[steps]]\ndo = 'bokeh'\nstrength = 11", ["step 1 (bokeh)", "strength must be"]),
        ("[[steps]]\ndo = 'bokeh'\nf_number = 0.2", ["f_number must be"]),
        ("[[steps]]\ndo = 'bokeh'", ["exactly one of f_number, strength; none is there"]),
        (BOKEH + "f_number = 2", ["found f_number and strength"]),
        (BOKEH + "highlights = 3", ["highlights must be", "got 3"]),
        (BOKEH + "blades = 4", ["blades must be 0 (round) or 5 to 9, got 4"]),
        (BOKEH + "blades = 6.5", ["blades must be a whole number, found 6.5"]),
        (BOKEH + "ring = -2", ["ring must be", "got -2"]),
        (BOKEH + "grain = 1", ["grain must be true or false, found 1"]),
        (BOKEH + "format = 'jpeg'", ["no format = 'jpeg'; did you mean jpg?"]),
        (BOKEH + "format = 'jpg'\nbits = 16", ["jpg holds 8 bits per sample, got 16"]),
        (BOKEH + "bits = 12", ["bits must be 8 or 16 or 32, found 12"]),
        (BOKEH + "quality = 101", ["quality must be a whole number from 1 to 100, found 101"]),
        (BOKEH + "preview = 'yes'", ["preview must be true or false, found 'yes'"]),
        (BOKEH + "detector = 'lpb'", ["did you mean lbp?"]),
        (BOKEH + "name = 'a/b'", ["name must be letters, digits and _"]),
        (BOKEH + BOKEH, ["step 2 (bokeh)", "an earlier step is called bokeh too"]),
        (BOKEH + "only = 'keepers'", ["no step before it culls"]),
        (BOKEH + "only = 'keepers'\n" + CULL, ["step 1 (bokeh)", "no step before it culls"]),
        (CULL + BOKEH + "only = 'keeper'", ["no only = 'keeper'; did you mean keepers?"]),
        (BOKEH + "map = 'detect'", ["names no earlier step that detects"]),
        (DETECT + BOKEH + "map = 'detekt'", ["names no earlier step that detects"]),
        (DETECT + "name = 'maps'", ["leave out name"]),
        ("[[steps]]\ndo = 'magnify'\nfactor = 0.5", ["factor must be", "got 0.5"]),
        ("[[steps]]\ndo = 'refocus'\npoint = '50%'", ["point: '50%' is not X,Y"]),
        ("[[steps]]\ndo = 'refocus'\nbox = [1, 2]", ["box must be text in quotes"]),
        ("[[steps]]\ndo = 'refocus'\npoint = '5,5'\nhighlights = 4", ["highlights must be"]),
        ("[[steps]]\ndo = 'refocus'\ncoc_px = 900", ["coc_px must be"]),
        ("[[steps]]\ndo = 'deblur'\napply = false\ncompare = true", ["compare shows"]),
        ("[[steps]]\ndo = 'deblur-masks'\napply = true", ["no key 'apply'"]),
        ("[[steps]]\ndo = 'export'\nlong_edge_px = 3", ["from 16 to 60000, found 3"]),
        ("[[steps]]\ndo = 'export'\nof = 'bokeh'", ["no earlier step that writes photos; none"]),
        (BOKEH + "[[steps]]\ndo = 'export'\nof = 'boke'", ["those before it are bokeh"]),
        (
            "[[steps]]\ndo = 'deblur-masks'\n[[steps]]\ndo = 'export'\nof = 'deblur'",
            ["no earlier step that writes photos"],
        ),
        (CULL + "use = 'wbe'", ["step 1 (cull)", "wbe"]),
        (CULL + "[steps.thresholds]\nleast_edge = 3", ["did you mean least_edges?"]),
    ],
)
def test_what_is_wrong_is_said_with_file_step_and_key(
    recipe: Path, text: str, words: list[str]
) -> None:
    recipe.write_text(text)

    with pytest.raises(FocuskitError) as raised:
        load_workflow(str(recipe))

    for word in words:
        assert word in str(raised.value)
    if "lpb" not in text:
        assert str(raised.value).startswith(str(recipe))


@given(st.sampled_from(parameters_of("bokeh")), st.data())
def test_a_key_with_one_wrong_letter_is_recognised(
    tmp_path_factory: pytest.TempPathFactory, key: str, data: st.DataObject
) -> None:
    assume(len(key) >= 4)
    at = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    typed = key[:at] + letter + key[at + 1 :]
    assume(typed not in parameters_of("bokeh"))
    path = tmp_path_factory.getbasetemp() / "typed.toml"
    path.write_text(f"[[steps]]\ndo = 'bokeh'\n{typed} = 2\n")

    with pytest.raises(InputError) as raised:
        load_workflow(str(path))

    assert f"there is no key {typed!r}; did you mean {key}?" in str(raised.value)


def test_the_short_form_is_a_recipe_of_one_step() -> None:
    workflow = load_workflow("portrait")

    assert workflow.judging == load_recipe("portrait", do="cull")
    assert len(workflow.steps) == 1


def test_a_recipe_with_steps_is_no_recipe_to_cull_by() -> None:
    with pytest.raises(
        InputError, match="has steps of its own; run it with `focuskit run keepers`"
    ):
        load_recipe("keepers", do="cull")
    assert load_workflow("keepers").judging is None
