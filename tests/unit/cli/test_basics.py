from __future__ import annotations

import json
from pathlib import Path

import pytest

from focuskit.batch.recipe import load_recipe, shipped_recipes
from focuskit.cull.decide import Thresholds
from tests.scenes import SAMPLES
from tests.unit.cli.conftest import Run

COMMANDS = ["bench", "bokeh", "cull", "deblur", "detect", "doctor", "evaluate", "magnify", "names"]
COMMANDS += ["refocus", "run", "score", "train"]


def test_help_lists_every_command(focuskit: Run) -> None:
    answer = focuskit("--help")

    assert answer.returncode == 0
    listed = answer.stdout.split("Commands:")[1]
    assert all(f"  {command}" in listed for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(focuskit: Run, command: str) -> None:
    answer = focuskit(command, "--help")

    assert answer.returncode == 0
    assert "Usage: focuskit" in answer.stdout


def test_version(focuskit: Run) -> None:
    assert focuskit("--version").stdout.startswith("focuskit 0.")


def test_a_wrong_option_is_a_usage_error(focuskit: Run) -> None:
    answer = focuskit("cull", "--colour", "red", SAMPLES)

    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "--colour" in answer.stderr


def test_completion_can_be_shown(focuskit: Run) -> None:
    answer = focuskit("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")

    assert answer.returncode == 0
    assert "_focuskit_completion" in answer.stdout


def test_completion_knows_detectors(focuskit: Run) -> None:
    answer = focuskit(
        _FOCUSKIT_COMPLETE="complete_bash",
        COMP_WORDS="focuskit cull --detector re",
        COMP_CWORD="3",
    )

    assert answer.stdout.split() == ["reblur"]


def test_names_lists_all_that_has_names(focuskit: Run) -> None:
    rows = json.loads(focuskit("names", "--format", "json").stdout)

    kinds = {(row["kind"], row["name"]) for row in rows}
    assert {("detector", "lbp"), ("operation", "bokeh"), ("scorer", "edge_width")} <= kinds
    assert ("recipe", "cull") in kinds
    assert all(row["what"] for row in rows)


def test_doctor_tells_what_it_found(focuskit: Run) -> None:
    answer = focuskit("doctor", "--format", "json")

    rows = {(row["what"], row["name"]): row for row in json.loads(answer.stdout)}
    assert answer.returncode == 0
    assert rows["version", "torch"]["state"] == "ok"
    assert rows["codec", "RAW"]["detail"].startswith("LibRaw 0.")
    assert ("program", "exiftool") in rows
    assert ("program", "GIMP") in rows
    assert any(what == "weights" for what, _ in rows)
    assert any(what == "device" for what, _ in rows)


def test_the_shipped_cull_recipe_says_what_the_defaults_are() -> None:
    assert load_recipe("cull").thresholds == Thresholds()
    genres = {"event", "landscape", "macro", "portrait", "wildlife"}
    several = {"bokeh", "deblur-masks", "keepers", "web-export"}
    assert set(shipped_recipes()) == {"cull", "score"} | genres | several
    lines = [load_recipe(name, do="cull").thresholds for name in ["cull", *sorted(genres)]]
    assert len({repr(each) for each in lines}) == len(lines)


@pytest.mark.parametrize("diagonal_px", [800, 7200, 11000])
def test_genres_forgive_as_much_as_they_say(diagonal_px: float) -> None:
    def limit(name: str) -> float:
        return load_recipe(name).thresholds.limit_width_px(diagonal_px)

    assert limit("landscape") < limit("wildlife") < limit("cull") < limit("event")
    assert limit("portrait") == limit("cull")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("do = 'clul'", "must be one of cull, score, found 'clul'"),
        ("do = 'cull'\ndetektor = 'lbp'", "no key 'detektor'; did you mean detector?"),
        ("do = 'cull'\ndetector = 'lpb'", "did you mean lbp?"),
        ("do = 'cull'\n[thresholds]\nleast_edge = 3", "did you mean least_edges?"),
        ("do = 'cull'\n[thresholds]\nleast_edges = 'x'", "must be a number, found 'x'"),
        (
            "do = 'cull'\n[thresholds]\nsharp_width_px = nan",
            "must be >= 0.01 and <= 1e+06, got nan",
        ),
        ("do = 'cull'\n[thresholds]\nsharp_width_px = 0", "must be >= 0.01 and <= 1e+06, got 0"),
        ("do = 'cull'\n[thresholds]\nclose_call = 0.5", "must be >= 1 and <= 1e+06, got 0.5"),
        ("do = 'cull'\n[thresholds]\nclose_call = inf", "must be >= 1 and <= 1e+06, got inf"),
        ("do = 'cull'\nthresholds = 3", "'thresholds' must be a table"),
        ("do = ", "cannot be read as TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_before_any_work(
    focuskit: Run, tmp_path: Path, text: str, words: str
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(text)

    answer = focuskit("run", recipe, SAMPLES)

    assert answer.returncode == 1
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_recipe_that_is_not_there_is_named(focuskit: Run) -> None:
    answer = focuskit("run", "culll", SAMPLES)

    assert answer.returncode == 1
    assert "no recipe 'culll'" in answer.stderr
    assert "Did you mean cull?" in answer.stderr
