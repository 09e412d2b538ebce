"""`focuskit gimp`: the plug-in for GIMP 3, in and out of its profiles."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli import _exit
from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, printable, say
from focuskit.errors import FocuskitError

if TYPE_CHECKING:
    from focuskit.bridge.gimp_files import Installed
    from focuskit.bridge.gimp_install import Change
    from focuskit.bridge.gimp_profiles import Profile
    from focuskit.bridge.gimp_programs import Program

__all__ = ["gimp"]

gimp = typer.Typer(
    name="gimp", help="Put the plug-in into GIMP 3, look after it, remove it.", no_args_is_help=True
)

ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="FOLDER",
        help="Only this profile, such as ~/.config/GIMP/3.0; default: all that are found.",
        show_default=False,
    ),
]


@gimp.command()
def install(
    profile: ProfileOption = None,
    python: Annotated[
        Path | None,
        typer.Option(
            metavar="PROGRAM",
            help="Python that runs focuskit for GIMP; default: the one that runs this command.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done where, and do nothing.")
    ] = False,
) -> None:
    """Put the plug-in into every profile of GIMP 3 that is found, or bring it up to date.

    Other plug-ins are not touched. The menu is Filters > Focus, after GIMP's next start.
    """
    import focuskit
    from focuskit.bridge.gimp_install import install as put

    runs = _python(python)
    profiles, failed = _profiles_to_install(profile, dry_run=dry_run)
    if dry_run:
        _tell_plan(profiles, runs)
        return
    version, done = focuskit.__version__, 0
    for each in profiles:
        try:
            change = put(each, runs, version)
        except FocuskitError as exc:
            failed += 1
            say(f"{each.title}: {exc}")
            continue
        done += 1
        typer.echo(printable(str(each.plug_in)))
        say(f"{each.title}: focuskit {version} {_how(change.before, version)}.")
        _tell_kept(change)
    if done:
        say(
            "Start GIMP again: the menu is Filters > Focus. `focuskit gimp doctor` tells whether "
            "all is well."
        )
    if failed:
        raise typer.Exit(_exit.FATAL)


@gimp.command()
def uninstall(profile: ProfileOption = None) -> None:
    """Remove the plug-in from the profiles, exactly what `focuskit gimp install` wrote."""
    from focuskit.bridge.gimp_install import uninstall as take_out
    from focuskit.bridge.gimp_profiles import find_profiles, profile_at

    profiles = find_profiles() if profile is None else [profile_at(profile)]
    failed = removed = 0
    for each in profiles:
        try:
            change = take_out(each)
        except FocuskitError as exc:
            failed += 1
            say(f"{each.title}: {exc}")
            continue
        if change is not None:
            removed += 1
            typer.echo(printable(str(each.plug_in)))
            say(f"{each.title}: removed.")
            _tell_kept(change)
    if failed:
        raise typer.Exit(_exit.FATAL)
    if not removed:
        say("No profile of GIMP 3 holds focuskit's plug-in.")
        raise typer.Exit(_exit.NOTHING_MATCHED)


def _python(named: Path | None) -> Path:
    from focuskit.bridge.gimp_worker import focuskit_of
    from focuskit.errors import BridgeError

    if named is None:
        return Path(sys.executable)
    # The link of a virtual environment must not be followed: it is what makes it one.
    found = shutil.which(named.expanduser())
    path = Path(os.path.abspath(found or named.expanduser()))
    try:
        focuskit_of(path)
    except BridgeError as exc:
        raise typer.BadParameter(str(exc), param_hint="--python") from exc
    return path


def _profiles_to_install(named: Path | None, *, dry_run: bool) -> tuple[list[Profile], int]:
    """Return the profiles, and how many GIMPs have none and could not make one."""
    from focuskit.bridge.gimp_profiles import find_profiles, profile_at
    from focuskit.bridge.gimp_programs import find_programs

    if named is not None:
        return [profile_at(named)], 0
    profiles, failed = find_profiles(), 0
    for program in find_programs():
        if any(program.uses(each.kind, each.version) for each in profiles):
            continue
        if program.kind != "native":
            say(f"{_name(program)} has no profile yet. Start it once, close it, and repeat.")
            continue
        say(f"{_name(program)} was never started: starting it without a window for its profile …")
        made = _first_profile(program, dry_run=dry_run)
        profiles += made
        failed += not made
    if not profiles and not failed:
        from focuskit.bridge.gimp_doctor import no_profile

        say(no_profile())
    if not profiles:
        raise typer.Exit(_exit.FATAL)
    return profiles, failed


def _first_profile(program: Program, *, dry_run: bool) -> list[Profile]:
    from focuskit.bridge.gimp_profiles import find_profiles, native_profile
    from focuskit.bridge.gimp_programs import start

    if dry_run:
        return [native_profile(program.version)]
    try:
        start(program)
    except FocuskitError as exc:
        say(str(exc))
        return []
    made = [each for each in find_profiles() if program.uses(each.kind, each.version)]
    if not made:
        say(f"{_name(program)} made no profile. Start it once, close it, and repeat.")
    return made[:1]


def _name(program: Program) -> str:
    kind = "" if program.kind == "native" else f" ({program.kind.capitalize()})"
    return f"GIMP {program.version}{kind}"


def _tell_plan(profiles: list[Profile], python: Path) -> None:
    import focuskit
    from focuskit.bridge.gimp_files import shipped_files
    from focuskit.bridge.gimp_install import check_place

    version, count = focuskit.__version__, len(shipped_files())
    failed = False
    for each in profiles:
        try:
            before = check_place(each)
        except FocuskitError as exc:
            failed = True
            say(f"{each.title}: {exc}")
            continue
        typer.echo(printable(str(each.plug_in)))
        say(f"{each.title}: focuskit {version} would be {_how(before, version)}, {count} files.")
    say(f"The worker would be run by {python}. Nothing was changed.")
    if failed:
        raise typer.Exit(_exit.FATAL)


def _how(before: Installed, version: str) -> str:
    from focuskit.bridge.gimp_files import State

    if before.state is State.ABSENT:
        return "installed"
    if before.version == version:
        return "installed again"
    return f"installed in place of {before.version or 'another version'}"


def _tell_kept(change: Change) -> None:
    for path in change.kept:
        say(f"{change.profile.title}: kept {path}, which focuskit did not write.")


@gimp.command()
def doctor(profile: ProfileOption = None, output_format: FormatOption = Format.TABLE) -> None:
    """Check every profile: plug-in, GIMP, Python, worker, a test picture there and back.

    Changes nothing. The exit code is 0 if all is well, else 1.
    """
    from focuskit.bridge.gimp_doctor import examine
    from focuskit.bridge.gimp_profiles import find_profiles, profile_at

    profiles = find_profiles() if profile is None else [profile_at(profile)]
    rows = [finding.row() for finding in examine(profiles)]
    print_rows(rows, rows, ("profile", "check", "state", "detail"), output_format)
    if any(row["state"] == "failed" for row in rows):
        raise typer.Exit(_exit.FATAL)
