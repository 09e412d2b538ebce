from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        # Without these Chromium talks to its maker's servers at every start.
        quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *quiet]
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test if it writes an error to its console or asks for anything."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda line: line.type == "error" and troubles.append(line.text))
    opened.on(
        "request",
        lambda request: request.url.startswith("http") and troubles.append(request.url),
    )
    yield opened
    opened.close()
    assert troubles == []
