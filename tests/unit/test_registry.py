from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from focuskit import registry as registry_module
from focuskit.errors import DuplicateNameError, RegistryError, UnknownNameError
from focuskit.registry import Registry


@pytest.fixture
def table() -> Registry[object]:
    made: Registry[object] = Registry("detector", "focuskit.test-nothing")
    made.add("lbp", "math:pi", "a number")
    return made


def test_a_row_is_loaded_when_asked_for(table: Registry[object]) -> None:
    assert table.get("lbp") == pytest.approx(3.14159, abs=1e-5)
    assert "lbp" in table
    assert [row.name for row in table] == ["lbp"]
    assert len(table) == 1


def test_a_name_that_is_not_there_hints_at_near_ones(table: Registry[object]) -> None:
    with pytest.raises(UnknownNameError, match=r"no detector called 'lpb'; did you mean lbp\?"):
        table.get("lpb")
    with pytest.raises(UnknownNameError, match=r"no name like it\. Available: lbp"):
        table.get("xxxxxx")


def test_a_taken_name_is_an_error(table: Registry[object]) -> None:
    with pytest.raises(DuplicateNameError, match="'lbp' is taken by math:pi"):
        table.add("lbp", "math:e", "")


@pytest.mark.parametrize("target", ["math", "math:", ":pi", ""])
def test_a_target_has_a_module_and_a_name(table: Registry[object], target: str) -> None:
    with pytest.raises(RegistryError, match="'module:attr'"):
        table.add("other", target, "")


@pytest.mark.parametrize("target", ["no_such_module:x", "math:no_such_name"])
def test_a_broken_row_says_so_when_used(table: Registry[object], target: str) -> None:
    table.add("broken", target, "")

    with pytest.raises(RegistryError, match=r"'broken'.*could not be loaded"):
        table.get("broken")


def test_other_packages_add_rows(table: Registry[object], monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="mine", value="math:tau", group="focuskit.test-nothing")
    monkeypatch.setattr(registry_module, "entry_points", lambda group: EntryPoints([point]))

    assert table.get("mine") == pytest.approx(6.28318, abs=1e-5)
    assert [row.name for row in table] == ["lbp", "mine"]


def test_other_packages_cannot_take_our_names(
    table: Registry[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint(name="lbp", value="math:tau", group="focuskit.test-nothing")
    monkeypatch.setattr(registry_module, "entry_points", lambda group: EntryPoints([point]))

    with pytest.raises(DuplicateNameError):
        table.get("lbp")
