"""The report in a real browser: looked at, decided on, saved, and read by `cull apply`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.scenes import SAMPLES

COMMAND = Path(sys.executable).parent / "focuskit"


@pytest.fixture(scope="session")
def culled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("culled")
    for words in (["cull", SAMPLES, "-o", out], ["report", out]):
        subprocess.run([COMMAND, *words], check=True, capture_output=True)
    return out


@pytest.fixture
def report(culled: Path) -> Path:
    return culled / "focuskit-report.html"


def test_pictures_load_and_every_shot_is_there(page: Page, report: Path) -> None:
    page.goto(report.as_uri())

    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.evaluate("[...document.images].filter(i => i.naturalWidth === 0).length") == 0
    expect(page.locator(".tile")).to_have_count(25)
    expect(page.locator("#time-wide")).to_be_visible()
    expect(page.locator("#time-narrow")).to_be_hidden()
    expect(page.get_by_role("img", name="Scores over time")).to_be_visible()


def test_decisions_are_saved_and_cull_apply_reads_them(
    page: Page, report: Path, culled: Path, tmp_path: Path
) -> None:
    page.goto(report.as_uri())
    expect(page.locator("#bar")).to_be_hidden()

    page.get_by_role("button", name="Reject IMG_0001.jpg").first.click()
    page.locator(".tile").get_by_role("button", name="Keep IMG_0012.jpg").click()
    page.locator(".tile").get_by_role("button", name="Keep Blüte_é.tif").focus()
    page.keyboard.press("u")
    page.locator(".tile").get_by_role("button", name="Reject IMG_0030.jpg").click()
    page.locator(".tile").get_by_role("button", name="Reject IMG_0030.jpg").click()
    expect(page.locator("#count")).to_have_text("3 decisions of yours")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save decisions").click()
    file = tmp_path / "decisions.json"
    saving.value.save_as(file)

    assert saving.value.suggested_filename == "focuskit-decisions.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    assert {key: document[key] for key in ("focuskit", "version", "library")} == {
        "focuskit": "decisions",
        "version": 1,
        "library": "samples",
    }
    assert {each["shot"]: each["pick"] for each in document["decisions"]} == {
        "IMG_0001.jpg": "reject",
        "IMG_0012.jpg": "keeper",
        "Blüte_é.tif": "unset",
    }
    words = ["cull", "apply", culled, "--decisions", file, "--rejects", tmp_path / "r"]
    plan = subprocess.run(
        [COMMAND, *words, "--dry-run", "--format", "json"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    rejected = {row["shot"]: row["by"] for row in json.loads(plan.stdout)}
    assert rejected["IMG_0001.jpg"] == "you"
    assert rejected["IMG_0023.jpg"] == "focuskit"
    assert "IMG_0012.jpg" not in rejected
    assert not (tmp_path / "r").exists()


def test_a_decision_shows_wherever_the_shot_does_and_survives_a_reload(
    page: Page, report: Path
) -> None:
    page.goto(report.as_uri())
    buttons = page.get_by_role("button", name="Reject IMG_0001.jpg")
    assert buttons.count() == 2

    buttons.first.click()
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "true")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Take all back").click()

    expect(page.locator("#bar")).to_be_hidden()
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "false")


def test_the_filter_hides_what_was_not_asked_for(page: Page, report: Path) -> None:
    page.goto(report.as_uri())

    page.get_by_role("button", name="Rejects", exact=True).click()

    assert page.locator(".tile:visible").count() == page.locator(".tile.reject").count() > 0
    expect(page.get_by_role("heading", name="Bracket of 3")).to_be_hidden()
    page.get_by_role("button", name="All", exact=True).click()
    assert page.locator(".tile:visible").count() == 25


def test_it_fits_a_phone(page: Page, report: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(report.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#time-narrow")).to_be_visible()
    expect(page.locator("#time-wide")).to_be_hidden()


def test_it_is_light_and_without_controls_on_paper(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(media="print")

    assert dark == "rgb(23, 24, 26)"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".decide:visible").count() == 0


def test_it_reads_without_script(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())

    assert page.locator(".tile").count() == 25
    assert page.get_by_role("button").count() == 0
    page.locator("summary").first.click()
    assert page.locator("details[open] table").first.is_visible()
    context.close()
