"""Where focuskit's worker is found, and how it is started.

The order of interpreters: FOCUSKIT_PYTHON, focuskit-bridge.json beside this file (written by
`focuskit gimp install`), `focuskit` on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = os.path.join(HERE, "focuskit-bridge.json")

# What GIMP sets for its own Python and libraries would break another Python.
_GIMPS_OWN = ("PYTHON", "GI_", "GEGL", "BABL", "GIMP", "GTK", "GDK", "GIO_", "GST_", "LD_", "DYLD_")

_INSTALL = (
    "Install focuskit with `pipx install focuskit`, then run `focuskit gimp install`, which tells "
    "this plug-in where it is; `focuskit gimp doctor` says what is missing."
)


class CannotStart(Exception):
    """The worker is not there or does not come up; the text is for the user."""


def sandbox():
    """Return "flatpak", "snap" or ""."""
    if os.environ.get("FLATPAK_ID"):
        return "flatpak"
    if os.environ.get("SNAP") and os.environ.get("SNAP_USER_COMMON"):
        return "snap"
    return ""


def worker_folder():
    """Return the folder in which the worker writes down its address."""
    given = os.environ.get("FOCUSKIT_BRIDGE_FOLDER", "").strip()
    if given:
        return os.path.abspath(os.path.expanduser(given))
    # In a sandbox: the folders that it shares with the system outside, at the same path.
    if sandbox() == "flatpak":
        runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
        return os.path.join(runtime, "app", os.environ["FLATPAK_ID"], "focuskit")
    if sandbox() == "snap":
        return os.path.join(os.environ["SNAP_USER_COMMON"], "focuskit")
    return os.path.join(_runtime_folder(), "focuskit", _record().get("focuskit") or "gimp")


def may_be_anothers(folder):
    """Whether it is not a folder of this user, so that the address in it is not to be believed."""
    try:
        found = os.lstat(folder)
    except OSError:
        return True
    if not stat.S_ISDIR(found.st_mode):
        return True
    return hasattr(os, "geteuid") and found.st_uid != os.geteuid()


def jobs_folder():
    """Return the folder for private temporary files that the worker sees at the same path."""
    if sandbox() == "flatpak":
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        folder = os.path.join(cache, "focuskit")
    elif sandbox() == "snap":
        folder = os.path.join(os.environ["SNAP_USER_COMMON"], "focuskit-jobs")
    else:
        return tempfile.gettempdir()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def log_file():
    """Return the path of what the worker has to say."""
    return os.path.join(worker_folder(), "log.txt")


class Starting:
    """A worker on its way up."""

    def __init__(self):
        command, environment = _command(), _clean_environment()
        self._said = tempfile.TemporaryFile()
        options = {}
        if os.name == "nt":
            options["creationflags"] = (
                subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            )
        else:
            options["start_new_session"] = True
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                cwd=os.path.expanduser("~"),
                env=environment,
                **options,
            )
        except OSError as exc:
            raise CannotStart(
                f"focuskit could not be started: {command[0]}: {exc.strerror}. {_INSTALL}"
            ) from exc

    def check(self):
        """Raise CannotStart if it ended with an error."""
        code = self._process.poll()
        if not code:
            return
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace").strip()
        if sandbox() == "flatpak" and "org.freedesktop" in said:
            raise CannotStart(_flatpak_closed())
        if "No module named" in said and "focuskit" in said:
            raise CannotStart("The Python of focuskit no longer has focuskit. " + _INSTALL)
        last = said.splitlines()[-1] if said else "it said nothing"
        raise CannotStart(
            f"focuskit's worker ended at once with code {code}: {last.rstrip('.')}. `focuskit gimp "
            "doctor` tells more."
        )


def _runtime_folder():
    """Return where a user's run-time files are, as platformdirs says."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return os.path.join(local, "Temp")
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/TemporaryItems")
    given = os.environ.get("XDG_RUNTIME_DIR", "").strip()
    if given:
        return given
    system = f"/run/user/{os.getuid()}"
    if os.access(system, os.W_OK):
        return system
    return os.path.join(tempfile.gettempdir(), f"runtime-{os.getuid()}")


def _record():
    try:
        with open(RECORD, encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _command():
    inside = sandbox()
    if inside == "snap":
        raise CannotStart(
            "This GIMP is a Snap, which may not start other programs. Start focuskit's worker in a "
            "terminal, and try again: "
            f"FOCUSKIT_BRIDGE_FOLDER={_quoted(worker_folder())} focuskit bridge"
        )
    if inside == "flatpak":
        if not shutil.which("flatpak-spawn"):
            raise CannotStart(_flatpak_closed())
        python = os.environ.get("FOCUSKIT_PYTHON") or _record().get("python")
        own = [python, "-m", "focuskit", "bridge"] if python else ["focuskit", "bridge"]
        given = "--env=FOCUSKIT_BRIDGE_FOLDER=" + worker_folder()
        return ["flatpak-spawn", "--host", given, *own]
    return [*_interpreter(), "bridge"]


def _interpreter():
    chosen = os.environ.get("FOCUSKIT_PYTHON", "").strip()
    if chosen:
        if not shutil.which(chosen):
            raise CannotStart(
                f"FOCUSKIT_PYTHON is {chosen}, and there is no such program: set it to the Python "
                "that has focuskit, or unset it and run `focuskit gimp install`."
            )
        return [chosen, "-m", "focuskit"]
    recorded = _record().get("python")
    if recorded and shutil.which(recorded):
        return [recorded, "-m", "focuskit"]
    on_path = shutil.which("focuskit")
    if on_path:
        return [on_path]
    if recorded:
        raise CannotStart(f"The Python that has focuskit is gone: {recorded}. {_INSTALL}")
    raise CannotStart("focuskit was not found. " + _INSTALL)


def _clean_environment():
    kept = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(_GIMPS_OWN)
    }
    kept["FOCUSKIT_BRIDGE_FOLDER"] = worker_folder()
    return kept


def _flatpak_closed():
    return (
        "This GIMP is a Flatpak, which may not start other programs. Either allow it, and restart "
        "GIMP: flatpak override --user --talk-name=org.freedesktop.Flatpak {}\n"
        "Or start focuskit's worker in a terminal yourself: FOCUSKIT_BRIDGE_FOLDER={} "
        "focuskit bridge".format(os.environ.get("FLATPAK_ID", ""), _quoted(worker_folder()))
    )


def _quoted(path):
    return f"'{path}'" if " " in path else path
