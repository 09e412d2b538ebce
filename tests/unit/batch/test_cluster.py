"""A scheduler and workers that somebody else started."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dask
import pytest

from focuskit.batch import clients
from focuskit.batch.catalog import CATALOG_NAME, Catalog, Row
from focuskit.batch.crew import Crew, PathMap
from focuskit.batch.engine import Step, run_step
from focuskit.batch.library import Shot, find_shots
from focuskit.errors import BatchError, InputError
from tests.unit.batch.cluster import ByHand, by_hand, free_port


@dataclass(frozen=True)
class Seen:
    shot: Shot
    where: str
    bytes: int
    beside: Path


@dataclass(frozen=True)
class Look:
    """Says where a worker looked; bad files are refused, and some time may pass."""

    pause_s: float = 0.0

    def __call__(self, shot: Shot) -> Seen:
        time.sleep(self.pause_s)
        data = shot.judged.read_bytes()
        if data.startswith(b"bad"):
            raise InputError(f"{shot.judged.name} is bad.")
        return Seen(shot, f"at {shot.judged}", len(data), shot.judged.with_suffix(".txt"))


def _step(pause_s: float = 0.0) -> Step[Seen]:
    return Step(
        "look", Look(pause_s), "1", Seen, rebound=lambda seen, shot: replace(seen, shot=shot)
    )


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    (folder / "more").mkdir(parents=True)
    for number in range(60):
        place = folder / "more" if number % 3 else folder
        (place / f"{number:03d}.jpg").write_bytes(b"x" * number)
    (folder / "bad.jpg").write_bytes(b"bad")
    return folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    with by_hand(tmp_path_factory.mktemp("cluster")) as started:
        started.scheduler()
        started.worker()
        started.worker()
        yield started


def _rows(library: Path, crew: Crew, name: str, step: Step[Seen] | None = None) -> list[Row]:
    path = library.parent / name / CATALOG_NAME
    path.parent.mkdir()
    with Catalog.open(path) as catalog:
        for _ in run_step(step or _step(), find_shots([library]).shots, catalog, crew):
            pass
        return list(catalog.rows())


def _connect(crew: Crew, library: Path) -> None:
    with Catalog.in_memory() as catalog:
        list(run_step(_step(), find_shots([library]).shots, catalog, crew))


def test_a_cluster_finds_out_the_same_as_this_machine(cluster: ByHand, library: Path) -> None:
    here = _rows(library, Crew(2), "here")
    there = _rows(library, Crew(scheduler=cluster.address), "there")

    assert there == here
    assert len(here) == 61
    assert [row.shot for row in here if row.state != "done"] == ["bad.jpg"]


def test_a_cluster_serves_one_run_after_the_other(cluster: ByHand, library: Path) -> None:
    first = _rows(library, Crew(scheduler=cluster.address), "first")
    (library / "000.jpg").write_bytes(b"longer than before")
    second = _rows(library, Crew(scheduler=cluster.address), "second")

    changed = [one.shot for one, other in zip(first, second, strict=True) if one != other]
    assert changed == ["000.jpg"]


def test_workers_look_where_they_see_the_photos(cluster: ByHand, library: Path) -> None:
    mount = library.parent / "mount" / "nas"
    mount.parent.mkdir()
    mount.symlink_to(library)
    crew = Crew(scheduler=cluster.address, path_map=PathMap.parse([f"{library}={mount}"]))

    with Catalog.in_memory() as catalog:
        found = list(run_step(_step(), find_shots([library]).shots, catalog, crew))

    seen = [each.result for each in found if isinstance(each.result, Seen)]
    assert len(seen) == 60
    assert all(each.where.startswith(f"at {mount}") for each in seen)
    # Catalogs tell of this machine's folders, whoever looked.
    assert all(each.shot.judged.is_relative_to(library) for each in seen)
    assert all(each.beside == each.shot.judged.with_suffix(".txt") for each in seen)
    keys = [row.key for row in _rows(library, crew, "mapped")]
    assert keys == [row.key for row in _rows(library, Crew(2), "here")]


def test_a_map_that_leads_nowhere_costs_no_row(cluster: ByHand, library: Path) -> None:
    crew = Crew(scheduler=cluster.address, path_map=PathMap.parse([f"{library}=/nowhere"]))

    rows = _rows(library, crew, "out")

    assert {row.state for row in rows} == {"again"}
    assert len(rows) == 61
    assert all(row.key == () for row in rows)
    repeated = _repeat(library, Crew(scheduler=cluster.address), "out")
    assert {row.state for row in repeated if row.shot != "bad.jpg"} == {"done"}


def _repeat(library: Path, crew: Crew, name: str) -> list[Row]:
    with Catalog.open(library.parent / name / CATALOG_NAME) as catalog:
        list(run_step(_step(), find_shots([library]).shots, catalog, crew))
        return list(catalog.rows())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense://here", "127.0.0.1"])
def test_an_address_without_a_scheduler_is_named(
    address: str, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_CONNECT_S", 1)
    wrong = address.format(port=free_port())

    with pytest.raises(BatchError, match="no dask scheduler at") as told:
        _connect(Crew(scheduler=wrong), library)

    assert wrong in str(told.value)


def test_a_scheduler_without_workers_is_told(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_CONNECT_S", 5)
    with by_hand(tmp_path / "cluster") as lonely:
        lonely.scheduler()

        with pytest.raises(BatchError, match="has no workers; start some with `dask worker tcp"):
            _connect(Crew(scheduler=lonely.address), library)


def test_workers_of_another_version_are_refused(tmp_path: Path, library: Path) -> None:
    preload = tmp_path / "older.py"
    preload.write_text("import focuskit\nfocuskit.__version__ = '0.0.9'\n")
    with by_hand(tmp_path / "cluster") as older:
        older.scheduler()
        older.worker("--preload", str(preload))

        with pytest.raises(BatchError, match=r"has focuskit 0\.0\.9 instead of") as told:
            _connect(Crew(scheduler=older.address), library)

    assert "Install the same ones" in str(told.value)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_costs_time_only(tmp_path: Path, library: Path) -> None:
    undisturbed = _rows(library, Crew(2), "here")
    path = tmp_path / CATALOG_NAME
    with by_hand(tmp_path / "cluster") as cluster:
        first = cluster.scheduler()
        cluster.worker(again=True)
        cluster.worker(again=True)
        shots = find_shots([library]).shots
        seen: list[str] = []
        with Catalog.open(path) as catalog:
            crew = Crew(scheduler=cluster.address)
            for each in run_step(_step(0.05), shots, catalog, crew):
                seen.append(each.shot.name)
                if len(seen) == 10:
                    cluster.end(first)
                    time.sleep(3)
                    cluster.scheduler()
            rows = list(catalog.rows())

    assert sorted(seen) == sorted(shot.name for shot in shots)
    assert rows == undisturbed


@pytest.mark.slow
def test_workers_that_are_killed_on_a_cluster_cost_nothing(tmp_path: Path, library: Path) -> None:
    undisturbed = _rows(library, Crew(2), "here")
    with by_hand(tmp_path / "cluster") as cluster:
        cluster.scheduler()
        workers = [cluster.worker(), cluster.worker()]
        seen: list[str] = []
        with Catalog.in_memory() as catalog:
            crew = Crew(scheduler=cluster.address)
            shots = find_shots([library]).shots
            for each in run_step(_step(0.05), shots, catalog, crew):
                seen.append(each.shot.name)
                if len(seen) == 10:
                    cluster.end(workers[0])
                    cluster.worker()
            rows = list(catalog.rows())

    assert sorted(seen) == sorted(shot.name for shot in shots)
    assert rows == undisturbed


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of our own, which stands for the authority as well."""
    folder = tmp_path_factory.mktemp("keys")
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=focuskit"
        " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem".split(),
        cwd=folder,
        capture_output=True,
        check=True,
    )
    return folder


def _tls(keys: Path) -> dict[str, str]:
    """Return dask's own settings for TLS."""
    tls = {"ca-file": "cert.pem"}
    for role in ("scheduler", "worker", "client"):
        tls |= {f"{role}.cert": "cert.pem", f"{role}.key": "key.pem"}
    return {f"distributed.comm.tls.{name}": str(keys / file) for name, file in tls.items()}


def _environment(settings: dict[str, str]) -> dict[str, str]:
    return {
        "DASK_" + name.replace(".", "__").replace("-", "_").upper(): value
        for name, value in settings.items()
    }


def test_encrypted_connections_follow_the_settings_of_dask(
    tmp_path: Path, keys: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_CONNECT_S", 5)
    environment = _environment(_tls(keys))
    with by_hand(tmp_path / "cluster", scheme="tls", environment=environment) as cluster:
        cluster.scheduler()
        cluster.worker()
        with dask.config.set(_tls(keys)):
            rows = _rows(library, Crew(scheduler=cluster.address), "out")
        with pytest.raises(BatchError, match="check address, firewall and TLS settings"):
            _connect(Crew(scheduler=cluster.address.replace("tls", "tcp")), library)

    assert [row.shot for row in rows if row.state != "done"] == ["bad.jpg"]
    assert len(rows) == 61
