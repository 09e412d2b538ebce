"""What Flatpak and Snap keep GIMP from doing, and the command that allows it. Runs none of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from focuskit.bridge.gimp_profiles import FLATPAK_APP, Profile
from focuskit.bridge.gimp_programs import Program, ask

__all__ = ["Sandbox", "sandboxes"]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that a profile's GIMP runs in.

    Args:
        name: "Flatpak" or "Snap".
        open: a worker can be reached from inside.
        detail: what was found; where it is closed, also what to do.
    """

    name: str
    open: bool
    detail: str


def sandboxes(profile: Profile, programs: list[Program]) -> Iterator[Sandbox]:
    """Tell what is known of the sandboxes of the GIMPs that use a profile.

    Args:
        profile: which one.
        programs: all that are on this machine.
    """
    kinds = {each.kind for each in programs if each.uses(profile.kind, profile.version)}
    if "flatpak" in (*kinds, profile.kind):
        yield _flatpak()
    if "snap" in (*kinds, profile.kind):
        yield _snap()


def _flatpak() -> Sandbox:
    said = ask(("flatpak", "info", "--show-permissions", FLATPAK_APP))
    lines = [] if said is None else [line.strip() for line in said.splitlines()]
    if "org.freedesktop.Flatpak=talk" in lines:
        return Sandbox("Flatpak", True, "may start programs outside its sandbox")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    folder = Path(runtime, "app", FLATPAK_APP, "focuskit")
    unsure = "" if said is not None else " (it did not answer, but by default it does)"
    return _closed(
        "Flatpak",
        folder,
        f"keeps GIMP from starting programs outside its sandbox{unsure}. This allows it to all "
        f"that this GIMP runs: flatpak override --user --talk-name=org.freedesktop.Flatpak "
        f"{FLATPAK_APP} – or, without,",
    )


def _snap() -> Sandbox:
    return _closed(
        "Snap",
        Path.home() / "snap" / "gimp" / "common" / "focuskit",
        "keeps GIMP from starting programs outside its sandbox, and no command allows it:",
    )


def _closed(name: str, folder: Path, why: str) -> Sandbox:
    if (folder / "address.json").exists():
        return Sandbox(name, True, f"finds the worker that you started for it in {folder}")
    by_hand = f"FOCUSKIT_BRIDGE_FOLDER='{folder}' focuskit bridge --idle-minutes 600"
    return Sandbox(name, False, f"{why} start the worker yourself before GIMP needs it: {by_hand}")
