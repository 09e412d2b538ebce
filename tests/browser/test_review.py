"""The review page in a real browser, with the real server behind it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.scenes import ROOT, SAMPLES

COMMAND = Path(sys.executable).parent / "focuskit"
SCRIPT = "<img src=x onerror=alert(1)>.jpg"
BURST = ["IMG_0020.jpg", "IMG_0021.jpg", "IMG_0022.jpg", "IMG_0023.jpg"]
BRACKET = ["IMG_0060.jpg", "IMG_0061.jpg", "IMG_0062.jpg"]
POST = {"Content-Type": "application/json", "X-Focuskit": "1"}
# The first picture of a run also waits for the server's first import of its decoders.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


class Review:
    """`focuskit review` as a process of its own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [COMMAND, "review", self._place, "--no-open"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        self.address = self._process.stdout.readline().strip()
        assert self.address.startswith("http://127.0.0.1:")
        self.root = self.address.split("/?")[0]

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)


@pytest.fixture(scope="session")
def culled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a culled library and its results: a burst, a bracket and single shots."""
    folder = tmp_path_factory.mktemp("review")
    library = folder / "library"
    library.mkdir()
    for name in ["IMG_0001.jpg", "IMG_0015.jpg", *BURST, *BRACKET]:
        shutil.copy(SAMPLES / name, library)
    shutil.copy(SAMPLES / "IMG_0050.jpg", library / SCRIPT)
    subprocess.run(
        [COMMAND, "cull", library, "-o", folder / "out"], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="session")
def review(culled: Path, browser: Browser) -> Iterator[Review]:
    started = Review(culled / "out")
    yield started
    started.stop()


@pytest.fixture
def troubles() -> Iterator[list[str]]:
    """What a page has complained of; a test that provokes a complaint takes it out."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(context: BrowserContext, troubles: list[str]) -> Open:
    def open_one(address: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: line.type == "error" and troubles.append(line.text))
        page.goto(address)
        expect(page.locator("#saved")).to_contain_text("All saved")
        return page

    return open_one


@pytest.fixture
def table(review: Review, context: BrowserContext, open_page: Open) -> Iterator[Page]:
    """The page on a library of which nobody has said anything yet."""
    page = open_page(review.address)
    yield page
    if not page.is_closed():
        page.unroute_all(behavior="ignoreErrors")
    context.request.get(review.address)
    changes = [
        {"id": row[0], "pick": None, "stars": None, "label": None} for row in _rows(context, review)
    ]
    answer = context.request.post(
        f"{review.root}/api/choices",
        headers={**POST, "Origin": review.root},
        data={"client": "00000000-0000-4000-8000-000000000000", "changes": changes, "what": "all"},
    )
    assert answer.ok


def _rows(context: BrowserContext, review: Review) -> list[Any]:
    answer = context.request.get(f"{review.root}/api/shots").json()
    return [row for group in answer["groups"] for row in group["shots"]]


Said = Callable[[], dict[str, Any]]


@pytest.fixture
def said(context: BrowserContext, review: Review) -> Said:
    """What the server has kept of what people said: name to (pick, stars, label)."""
    return lambda: {
        row[1]: tuple(row[4:7]) for row in _rows(context, review) if row[4:7] != [None, None, None]
    }


def _cell(page: Page, name: str) -> Locator:
    # Cells stay in the page to be used again: only those in sight count.
    return page.locator(".cell:visible").filter(has=page.get_by_text(name, exact=True))


def _go(page: Page, name: str) -> None:
    _cell(page, name).click()
    expect(_cell(page, name)).to_be_focused()


def _drawn(page: Page, view: str = "#large") -> None:
    expect(page.locator(f"{view} .pane[data-state=failed]")).to_have_count(0)
    expect(page.locator(f"{view} .pane:not([data-state=drawn])")).to_have_count(0)


def _open_large(page: Page, name: str) -> None:
    _go(page, name)
    page.keyboard.press("Enter")
    expect(page.locator("#shot-name")).to_have_text(name)
    _drawn(page)


def _saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_text("All saved")


def test_sets_lie_side_by_side_best_first_and_brackets_closed(table: Page) -> None:
    expect(table.get_by_role("grid", name="Photos")).to_be_visible()
    row = table.locator(".row:visible").filter(has=_cell(table, BURST[0]))
    first = row.locator(".cell:visible .name").all_text_contents().index(BURST[0])
    names = row.locator(".cell:visible .name").all_text_contents()[first : first + 4]
    scores = [row.locator(".cell .verdict").nth(first + i).text_content() for i in range(4)]

    assert sorted(names) == BURST
    numbers = [int(re.sub(r"\D", "", score or "")) for score in scores]
    assert numbers == sorted(numbers, reverse=True)
    expect(_cell(table, BURST[0])).to_have_accessible_name(
        re.compile(r"IMG_0020\.jpg, Keeper, score \d+, 1 of burst of 4")
    )
    closed = table.locator(".cell.closed:visible")
    expect(closed).to_have_count(1)
    expect(closed.locator("button")).to_have_text("3 frames")

    closed.locator("button").click()

    for name in BRACKET:
        expect(_cell(table, name)).to_be_visible()


def test_a_burst_is_walked_and_decided_by_keys_alone(table: Page, said: Said) -> None:
    _go(table, BURST[0])
    table.keyboard.press("Enter")
    for name in BURST:
        expect(table.locator("#shot-name")).to_have_text(name)
        _drawn(table)
        expect(table.locator("#reasons li").first).not_to_be_empty()
        expect(table.locator("#film [aria-current=true]")).to_be_visible()
        table.keyboard.press("ArrowRight")
    table.keyboard.press("ArrowLeft")
    table.keyboard.press("p")
    expect(table.locator("#verdict-text")).to_have_text("Picked")
    expect(table.locator("#verdict-by")).to_contain_text("focuskit: reject")
    table.keyboard.press("3")
    table.keyboard.press("7")
    table.keyboard.press("ArrowLeft")
    table.keyboard.press("x")
    table.keyboard.press("ArrowUp")
    expect(table.locator("#shot-name")).not_to_have_text(re.compile("IMG_002[0123]"))
    table.keyboard.press("g")

    expect(_cell(table, BURST[3]).locator(".verdict")).to_contain_text("Picked")
    expect(_cell(table, BURST[3])).to_have_accessible_name(re.compile("3 stars, yellow label"))
    expect(_cell(table, BURST[2]).locator(".verdict")).to_contain_text("Rejected")
    _saved(table)
    assert said() == {
        BURST[3]: ("keeper", 3, "yellow"),
        BURST[2]: ("reject", None, None),
    }


def test_the_crop_is_shown_pixel_for_pixel(table: Page) -> None:
    _open_large(table, "IMG_0001.jpg")
    crop = table.get_by_alt_text("The judged point of IMG_0001.jpg, pixel for pixel")
    expect(crop).to_be_visible()

    table.wait_for_function("image => image.clientWidth > 0", arg=crop.element_handle())

    shown = crop.evaluate("image => [image.clientWidth * devicePixelRatio, image.naturalWidth]")

    assert shown[0] == shown[1] > 100


def test_zoom_overlay_and_points_by_key_and_by_click(table: Page) -> None:
    _open_large(table, "IMG_0001.jpg")
    pane = table.locator("#photo .pane")
    fit = pane.get_attribute("data-percent")

    table.keyboard.press("o")
    # First the small map that culling kept, then one of the photo's size.
    expect(pane.locator("img.overlay:not([src*=quick])")).to_be_visible()
    table.keyboard.press("o")
    expect(pane.locator("img.overlay")).to_have_count(0)
    expect(pane.locator(".judged")).to_be_visible()
    table.keyboard.press("a")
    expect(pane.locator(".judged")).to_be_hidden()

    table.keyboard.press("z")
    expect(pane).to_have_class(re.compile("zoomed"))
    # Pixel for pixel, or the next whole magnification: a whole number either way.
    assert int(pane.get_attribute("data-percent") or "") % 100 == 0
    table.keyboard.press("z")
    expect(pane).to_have_attribute("data-percent", fit or "")
    pane.click(position={"x": 300, "y": 300})
    expect(pane).to_have_class(re.compile("zoomed"))
    pane.click()
    expect(pane).to_have_attribute("data-percent", fit or "")
    table.mouse.wheel(0, -400)
    expect(pane).to_have_class(re.compile("zoomed"))


def test_undo_and_redo(table: Page, said: Said) -> None:
    _go(table, BURST[1])
    verdict = _cell(table, BURST[1]).locator(".verdict")
    table.keyboard.press("p")
    table.keyboard.press("5")
    expect(verdict).to_contain_text("Picked")

    table.keyboard.press("Control+z")
    table.keyboard.press("Control+z")
    expect(verdict).to_contain_text("Reject ")
    _saved(table)
    assert said() == {}

    table.keyboard.press("Control+Shift+z")
    expect(verdict).to_contain_text("Picked")
    expect(table.locator("#said")).to_contain_text("Redone: pick IMG_0021.jpg")


def test_what_was_undone_before_it_was_sent_is_redone_last(table: Page, said: Said) -> None:
    held: list[Route] = []
    table.route("**/api/choices", lambda route: held.append(route))
    _go(table, BURST[1])
    verdict = _cell(table, BURST[1]).locator(".verdict")
    table.keyboard.press("p")
    table.keyboard.press("5")
    table.keyboard.press("Control+z")
    table.keyboard.press("Control+z")
    for each in held:
        each.continue_()
    table.unroute("**/api/choices")
    expect(verdict).to_contain_text("Reject ")
    _saved(table)
    assert said() == {}

    table.keyboard.press("Control+Shift+z")
    expect(verdict).to_contain_text("Picked")
    _saved(table)
    assert said() == {BURST[1]: ("keeper", None, None)}
    table.keyboard.press("Control+Shift+z")
    expect(_cell(table, BURST[1])).to_have_accessible_name(re.compile("5 stars"))
    _saved(table)
    assert said() == {BURST[1]: ("keeper", 5, None)}


def test_many_are_decided_at_once(table: Page, said: Said) -> None:
    _go(table, BURST[0])
    table.keyboard.press("Shift+ArrowRight")
    table.keyboard.press("Shift+ArrowRight")
    _cell(table, "IMG_0001.jpg").click(modifiers=["Control"])
    expect(table.locator(".cell[aria-selected=true]:visible")).to_have_count(4)
    expect(table.locator("#listed")).to_contain_text("4 chosen")
    table.keyboard.press("x")
    table.keyboard.press("Escape")
    table.locator(".cell.closed:visible").click()
    table.keyboard.press("p")
    _saved(table)

    assert {name: pick for name, (pick, _, _) in said().items()} == {
        **dict.fromkeys([*BURST[:3], "IMG_0001.jpg"], "reject"),
        **dict.fromkeys(BRACKET, "keeper"),
    }


def test_auto_advance_and_shift_go_on_after_a_decision(table: Page) -> None:
    _open_large(table, BURST[0])
    table.keyboard.press("Shift+P")
    expect(table.locator("#shot-name")).to_have_text(BURST[1])
    table.keyboard.press("x")
    expect(table.locator("#shot-name")).to_have_text(BURST[1])
    table.get_by_role("button", name="Auto-advance").click()
    table.keyboard.press("x")
    expect(table.locator("#shot-name")).to_have_text(BURST[2])


def test_filters_find_and_order(table: Page) -> None:
    table.get_by_role("button", name="Rejects").click()
    expect(table.locator("#listed")).to_have_text("3 photos")
    assert sorted(table.locator(".cell:visible .name").all_text_contents()) == BURST[1:]

    # What no longer fits stays until one asks.
    _go(table, BURST[1])
    table.keyboard.press("p")
    expect(_cell(table, BURST[1]).locator(".verdict")).to_contain_text("Picked")
    table.get_by_role("button", name="list again").click()
    expect(table.locator("#listed")).to_have_text("2 photos")

    table.get_by_role("button", name=re.compile(r"^All \d")).click()
    table.get_by_role("button", name="Changed by me").click()
    expect(table.locator("#listed")).to_have_text("1 photo")
    table.get_by_role("button", name="Changed by me").click()
    table.get_by_label("Find by name").fill("IMG_006")
    expect(table.locator("#listed")).to_have_text("3 photos")
    table.get_by_label("Find by name").fill("")
    table.get_by_label("Order").select_option("score")
    expect(table.locator("#listed")).to_have_text("10 photos")
    table.get_by_role("button", name=re.compile("^Filter")).click()
    table.get_by_label("no texture").check()
    table.get_by_role("button", name="Show the photos").click()
    expect(table.locator("#listed")).to_have_text("1 photo")
    expect(_cell(table, "IMG_0015.jpg")).to_be_visible()


def test_frames_are_compared_zoomed_and_moved_as_one(table: Page, said: Said) -> None:
    _go(table, BURST[0])
    table.keyboard.press("c")
    panes = table.locator("#panes .pane")
    expect(panes).to_have_count(2)
    table.keyboard.press("+")
    expect(panes).to_have_count(3)
    _drawn(table, "#compare")
    table.keyboard.press("z")
    expect(table.locator("#panes .pane.zoomed")).to_have_count(3)
    before = [pane.locator(".stage").bounding_box() for pane in panes.all()]
    box = panes.first.bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    table.mouse.move(*middle)
    table.mouse.down()
    table.mouse.move(middle[0] - 20, middle[1] - 30, steps=3)
    table.mouse.up()
    after = [pane.locator(".stage").bounding_box() for pane in panes.all()]

    for old, new in zip(before, after, strict=True):
        assert old
        assert new
        assert new["width"] == pytest.approx(old["width"])
        assert new["y"] - old["y"] == pytest.approx(-30, abs=1.5)
    table.keyboard.press("ArrowRight")
    table.keyboard.press("p")
    expect(table.locator(".compared.at .verdict")).to_contain_text("Picked")
    table.keyboard.press("Escape")
    _saved(table)
    assert list(said()) == [BURST[1]]


def test_two_windows_stay_in_step(table: Page, open_page: Open, review: Review) -> None:
    other = open_page(f"{review.root}/")
    _go(table, BURST[2])

    table.keyboard.press("p")
    expect(_cell(other, BURST[2]).locator(".verdict")).to_contain_text("Picked")
    table.keyboard.press("Control+z")
    expect(_cell(other, BURST[2]).locator(".verdict")).to_contain_text("Reject ")


def test_decisions_and_undo_are_found_again_after_a_restart(
    table: Page, review: Review, open_page: Open
) -> None:
    _go(table, BURST[1])
    table.keyboard.press("p")
    _saved(table)
    table.close()
    review.stop()
    review.start()

    again = open_page(review.address)
    verdict = _cell(again, BURST[1]).locator(".verdict")
    expect(verdict).to_contain_text("Picked")
    _go(again, BURST[1])
    again.keyboard.press("Control+z")
    expect(verdict).to_contain_text("Reject ")


def test_a_reload_leads_back_to_the_same_photo(table: Page) -> None:
    table.get_by_role("button", name="Rejects").click()
    expect(table.locator("#listed")).to_have_text("3 photos")
    _open_large(table, BURST[2])
    table.reload()

    expect(table.locator("#shot-name")).to_have_text(BURST[2])
    expect(table.locator("#listed")).to_have_text("3 photos")
    table.go_back()
    expect(_cell(table, BURST[2])).to_be_focused()


def test_what_cannot_be_saved_waits_and_is_saved_later(
    table: Page, troubles: list[str], said: Said
) -> None:
    def full(route: Route) -> None:
        route.fulfill(status=507, json={"error": "The disk is full.", "kind": "OutputError"})

    table.route("**/api/choices", full)
    _go(table, BURST[1])
    table.keyboard.press("p")
    table.keyboard.press("2")
    expect(table.get_by_role("alert").filter(has_text="Not saved yet")).to_contain_text(
        "The disk is full. 2 changes waiting"
    )
    expect(_cell(table, BURST[1]).locator(".verdict")).to_contain_text("Picked")
    assert said() == {}
    # The last one is taken back although nothing can be saved.
    table.keyboard.press("Control+z")
    expect(table.locator("#trouble-text")).to_contain_text("1 change waiting")

    table.unroute("**/api/choices")
    table.get_by_role("button", name="Try again now").click()
    expect(table.locator("#trouble")).to_be_hidden()
    _saved(table)
    assert said() == {BURST[1]: ("keeper", None, None)}
    assert all("507" in line for line in troubles)
    troubles.clear()


def test_sidecars_are_written_and_taken_back(table: Page, culled: Path) -> None:
    _go(table, BURST[1])
    table.keyboard.press("p")
    table.keyboard.press("4")
    _saved(table)
    before = {path: path.read_bytes() for path in (culled / "library").iterdir()}

    table.keyboard.press("w")
    table.get_by_label("Only those I changed").check()
    table.get_by_role("button", name="Show the plan").click()
    expect(table.locator("#plan-rows tr")).to_have_count(1)
    expect(table.locator("#plan-rows")).to_contain_text("IMG_0021")
    assert {path: path.read_bytes() for path in (culled / "library").iterdir()} == before
    table.get_by_role("button", name="Apply").click()
    expect(table.locator("#written-summary")).to_be_visible()
    written = set((culled / "library").iterdir()) - set(before)
    assert [path.suffix for path in written] == [".xmp"]
    assert re.search(r"Rating[=>\"]+4", written.pop().read_text())
    table.get_by_role("button", name="Undo all of it").click()
    expect(table.locator("#written-summary")).to_contain_text("as before")

    assert {path: path.read_bytes() for path in (culled / "library").iterdir()} == before


def test_rejects_are_moved_and_put_back(table: Page, culled: Path, tmp_path: Path) -> None:
    _go(table, BURST[1])
    table.keyboard.press("x")
    _saved(table)
    before = {path: path.read_bytes() for path in (culled / "library").iterdir()}
    bin_ = tmp_path / "rejects"

    table.keyboard.press("w")
    table.get_by_role("radio", name=re.compile("^Move")).check()
    table.get_by_label("Rejects into").fill(str(bin_))
    table.get_by_label("Only those I changed").check()
    table.get_by_role("button", name="Show the plan").click()
    expect(table.locator("#plan-rows")).to_contain_text(BURST[1])
    assert not bin_.exists()
    table.get_by_role("button", name="Apply").click()
    expect(table.locator("#written-summary")).to_be_visible()
    (moved,) = (path for path in bin_.rglob("*") if path.is_file())
    assert moved.name == BURST[1]
    assert {path.name for path in set(before) - set((culled / "library").iterdir())} == {BURST[1]}
    table.get_by_role("button", name="Undo all of it").click()
    expect(table.locator("#written-summary")).to_contain_text("as before")

    assert {path: path.read_bytes() for path in (culled / "library").iterdir()} == before


def test_decisions_can_be_taken_along(table: Page) -> None:
    _go(table, BURST[1])
    table.keyboard.press("p")
    _saved(table)
    table.keyboard.press("w")

    with table.expect_download() as asked:
        table.get_by_role("link", name=re.compile("JSON")).click()
    decisions = json.loads(asked.value.path().read_text())
    assert [each["shot"] for each in decisions["decisions"]] == [BURST[1]]
    with table.expect_download() as zipped:
        table.get_by_role("button", name="XMP files in a ZIP").click()
    assert zipped.value.path().read_bytes()[:2] == b"PK"


def test_script_in_a_file_name_is_text(table: Page) -> None:
    table.on("dialog", lambda dialog: pytest.fail(dialog.message))
    _open_large(table, SCRIPT)
    expect(table.locator("#shot-name")).to_have_text(SCRIPT)
    expect(table.locator("#photo .pane")).to_have_accessible_name(re.compile("^<img src=x"))
    table.keyboard.press("x")
    expect(table.locator("#said")).to_contain_text(SCRIPT)
    table.keyboard.press("w")
    table.get_by_role("button", name="Show the plan").click()
    expect(table.locator("#plan-rows")).to_contain_text("<img src=x")
    expect(table.locator("img[src=x]")).to_have_count(0)


def test_twenty_thousand_shots_need_few_elements(table: Page) -> None:
    rows = [
        [100 + i, f"DSC_{i:05}.jpg", 1.5, "keeper", None, None, None, 50, [], "v"]
        for i in range(20_000)
    ]
    groups = [
        {"kind": "burst", "number": i, "shots": rows[i : i + 4]} for i in range(0, len(rows), 4)
    ]
    table.route(
        "**/api/shots?*",
        lambda route: route.fulfill(json={"version": 1, "total": len(rows), "groups": groups}),
    )
    table.route(
        "**/pictures/**",
        lambda route: route.fulfill(path=SAMPLES / "IMG_0015.jpg", content_type="image/jpeg"),
    )
    table.get_by_label("Find by name").fill("DSC")
    expect(table.locator("#listed")).to_have_text("20,000 photos")
    table.keyboard.press("Enter")
    table.keyboard.press("End")

    expect(_cell(table, "DSC_19999.jpg")).to_be_focused()
    expect(table.get_by_role("grid", name="Photos")).to_have_attribute(
        "aria-rowcount", re.compile(r"\d{4}")
    )
    assert table.locator(".row").count() < 20
    table.keyboard.press("Home")
    expect(_cell(table, "DSC_00000.jpg")).to_be_focused()
    assert table.locator(".row").count() < 20


def test_every_key_is_listed_on_the_page_and_in_the_docs(table: Page) -> None:
    table.keyboard.press("?")
    expect(table.get_by_role("dialog", name="Keys")).to_be_visible()
    lines = table.locator("#key-list dd").all_text_contents()
    documented = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")

    assert len(lines) > 20
    assert [line for line in lines if line not in documented] == []
    table.keyboard.press("?")
    expect(table.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_every_control_has_a_name_and_the_table_one_tab_stop(table: Page) -> None:
    unnamed = "e => !(e.ariaLabel || e.textContent.trim() || e.title || e.labels?.length)"
    controls = table.locator("button:visible, input:visible, select:visible")
    nameless = [each for each in controls.all() if each.evaluate(unnamed)]

    assert [each.evaluate("e => e.outerHTML") for each in nameless] == []
    assert table.locator(".cell[tabindex='0']").count() == 1


def test_a_phone(browser: Browser, review: Review, table: Page, troubles: list[str]) -> None:
    state: Any = table.context.storage_state()
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, storage_state=state
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("console", lambda line: line.type == "error" and troubles.append(line.text))
    page.goto(f"{review.root}/")
    expect(page.locator("#listed")).to_have_text("10 photos")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    _cell(page, BURST[0]).tap()
    expect(page.locator("#shot-name")).to_have_text(BURST[0])
    _drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    _swipe(page, from_x=320, to_x=60)
    expect(page.locator("#shot-name")).to_have_text(BURST[1])
    pick = page.locator("#large").get_by_role("button", name="Pick")
    box = pick.bounding_box()
    assert box
    assert box["height"] >= 44
    pick.tap()
    expect(page.locator("#verdict-text")).to_have_text("Picked")
    page.go_back()
    expect(_cell(page, BURST[1]).locator(".verdict")).to_contain_text("Picked")
    context.close()


def _swipe(page: Page, from_x: int, to_x: int) -> None:
    touch = page.context.new_cdp_session(page)
    steps = [from_x + (to_x - from_x) * i // 4 for i in range(5)]
    for i, x in enumerate(steps):
        kind = "touchMove" if i else "touchStart"
        points = [{"x": x, "y": 250}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
