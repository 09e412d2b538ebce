"""Options that say which photos."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli._options import LibraryArgument
from focuskit.cli._output import shots_or_exit

if TYPE_CHECKING:
    from focuskit.batch.library import Library
    from focuskit.batch.moments import Moments

__all__ = ["Which"]


@dataclass(frozen=True)
class Which:
    """Options of every command that goes through a library."""

    photos: LibraryArgument = None
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from",
            metavar="FILE",
            help="Also the photos and folders listed in FILE, one per line or with a NUL after "
            "each; - is standard input.",
        ),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DATE",
            help='Only photos taken since 2026-11-01, 2026-11-01T18:00, "yesterday" or "3 days": '
            "by EXIF where the beginning of the file tells it, else by the file's time.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Only the first so many shots, in order of names."),
    ] = None

    def shots(self, moments: Moments | None = None) -> Library:
        """Return the shots; leave with exit code 4 if there is nothing.

        Args:
            moments: remembers times of capture from one listing to the next.

        Raises:
            typer.BadParameter: neither photos nor a list were given, or there is no such date.
            InputError: nothing of that name exists.
        """
        from focuskit.batch.listing import read_paths

        if not self.photos and self.files_from is None:
            raise typer.BadParameter("say which photos, or --files-from.", param_hint="LIBRARY")
        since = self._since()
        listed = [] if self.files_from is None else read_paths(self.files_from)
        return shots_or_exit(
            self.photos or [], listed, since=since, limit=self.limit, moments=moments
        )

    def _since(self) -> datetime | None:
        from focuskit.batch.moments import parse_since
        from focuskit.errors import InputError

        if self.since is None:
            return None
        try:
            return parse_since(self.since, datetime.now())
        except InputError as exc:
            raise typer.BadParameter(str(exc), param_hint="--since") from exc
