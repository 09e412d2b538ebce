from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from focuskit.batch.catalog import CATALOG_NAME, Catalog
from focuskit.batch.culling import Way
from focuskit.batch.judge import Judge
from focuskit.batch.library import find_shots
from focuskit.batch.recipe import load_recipe
from focuskit.batch.verdicts import cull_into
from focuskit.review.access import Access
from focuskit.review.app import Review, make_app
from focuskit.review.pictures import Pictures, Store
from focuskit.review.report import pictures_folder, pictures_place, write_results
from focuskit.review.server import LARGE
from focuskit.review.table import Table
from focuskit.review.writing import Writing
from tests.scenes import SAMPLES
from tests.unit.cli.conftest import inside as inside

PORT = 8123
PHOTOS = ("IMG_0010", "IMG_0011", "IMG_0012", "IMG_0015", "IMG_0030", "IMG_0042", "IMG_0050")


def cull(library: Path, output: Path) -> None:
    """What `focuskit cull` does, in this process."""
    output.mkdir(exist_ok=True)
    pictures = pictures_folder(output)
    recipe = load_recipe("cull")
    with Catalog.open(output / CATALOG_NAME) as catalog:
        judge = Judge(recipe.detector, pictures=pictures)
        verdicts = cull_into(catalog, find_shots([library]), judge, recipe, Way(catalog))
        write_results(output, verdicts, pictures)


@pytest.fixture(scope="session")
def samples_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few samples, culled; nobody may change them."""
    folder = tmp_path_factory.mktemp("reviewed")
    library = folder / "library"
    (library / "more").mkdir(parents=True)
    for name in PHOTOS:
        for path in SAMPLES.glob(f"{name}.*"):
            shutil.copy2(path, library / ("more" if name == "IMG_0050" else "") / path.name)
    (library / "broken.jpg").write_bytes((SAMPLES / "IMG_0001.jpg").read_bytes()[:900])
    cull(library, folder / "out")
    return folder


@pytest.fixture
def place(samples_once: Path, tmp_path: Path) -> Path:
    """The same for one test: `library` and `out`."""
    folder = tmp_path / "place"
    shutil.copytree(samples_once, folder)
    # Photos are known by their content: none is judged again.
    cull(folder / "library", folder / "out")
    return folder


@pytest.fixture
def output(samples_once: Path, tmp_path: Path) -> Path:
    """The output folder for one test; the library stays where it is, and nobody may change it."""
    folder = tmp_path / "out"
    shutil.copytree(samples_once / "out", folder)
    return folder


@pytest.fixture
def table(output: Path) -> Iterator[Table]:
    made = Table(output / CATALOG_NAME)
    yield made
    made.close()


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(table: Table) -> Iterator[Serve]:
    """Give a client of a server that answers in this process; workers are threads."""
    clients: list[TestClient] = []

    def start(access: Access | None = None, opened: bool = True, **headers: str) -> TestClient:
        access = access or Access(PORT)
        pictures = pictures_place(table.path.parent)
        made = Pictures(pictures, Store(pictures / LARGE), lambda: ThreadPoolExecutor(2))
        app = make_app(Review(table, made, Writing(table)), access)
        client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", headers=headers)
        client.__enter__()
        clients.append(client)
        if opened:
            client.headers |= {"origin": f"http://127.0.0.1:{PORT}", "x-focuskit": "1"}
            client.get(f"/?token={access.token}", follow_redirects=False)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A browser that the token has let in."""
    return serve()


@pytest.fixture
def numbers(table: Table) -> dict[str, int]:
    """The number of every shot by its name."""
    return {entry.name: entry.id for entry in table.everything()}
