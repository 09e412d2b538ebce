"""The contact sheet in a real browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.scenes import SAMPLES


@pytest.fixture(scope="session")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sheet")
    command = Path(sys.executable).parent / "focuskit"
    subprocess.run([command, "cull", SAMPLES, "-o", out], check=True, capture_output=True)
    return out / "focuskit-cull.html"


def test_every_shot_is_shown_with_pictures_that_load(page: Page, sheet: Path) -> None:
    page.goto(sheet.as_uri())

    expect(page.locator("article")).to_have_count(25)
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    assert page.evaluate("[...document.images].filter(i => i.naturalWidth === 0).length") == 0
    expect(page.locator("h1")).to_contain_text("1 can’t tell")


def test_the_filter_shows_one_verdict_and_hides_empty_groups(page: Page, sheet: Path) -> None:
    page.goto(sheet.as_uri())

    page.get_by_role("button", name="Rejects").click()

    shown = page.locator("article:visible")
    assert shown.count() > 0
    assert {shown.nth(i).get_attribute("data-verdict") for i in range(shown.count())} == {"reject"}
    expect(page.get_by_role("heading", name="Bracket of 3")).to_be_hidden()
    page.get_by_role("button", name="All").click()
    assert page.locator("article:visible").count() == 25


def test_the_map_can_be_taken_off_by_key_and_button(page: Page, sheet: Path) -> None:
    page.goto(sheet.as_uri())
    overlay, photo = page.locator("img.overlay").first, page.locator("img.photo").first
    expect(overlay).to_be_visible()
    expect(photo).to_be_hidden()

    page.keyboard.press("o")
    expect(photo).to_be_visible()
    expect(overlay).to_be_hidden()

    page.get_by_role("button", name="Photo without map").click()
    expect(overlay).to_be_visible()


def test_it_fits_a_phone(page: Page, sheet: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(sheet.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_crop_is_shown_pixel_for_pixel(page: Page, sheet: Path) -> None:
    page.goto(sheet.as_uri())

    fit = page.locator("figure.crop img").first.evaluate(
        "image => getComputedStyle(image).objectFit"
    )

    assert fit == "none"
