"""Options of commands that go through a library: who works, and what is done again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli._options import WorkersOption

if TYPE_CHECKING:
    from focuskit.batch.crew import Crew

__all__ = ["CrewOptions"]


@dataclass(frozen=True)
class CrewOptions:
    """Options of the batch engine."""

    workers: WorkersOption = None
    memory: Annotated[
        float,
        typer.Option(
            "--memory",
            min=0.25,
            help="GiB that one worker may hold; a photo that needs more is named, the rest done.",
        ),
    ] = 2.0
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.1, help="Seconds that one photo may take.")
    ] = 120.0
    nice: Annotated[
        int, typer.Option("--nice", min=0, max=19, help="Leave the cores to other programs: 19.")
    ] = 0
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            envvar="DASK_SCHEDULER_ADDRESS",
            metavar="ADDRESS",
            help="Work on this dask cluster, such as tcp://10.0.0.1:8786, instead of this machine.",
        ),
    ] = None
    path_map: Annotated[
        list[str] | None,
        typer.Option(
            "--path-map",
            metavar="LOCAL=REMOTE",
            help="How the cluster calls a folder of this machine; as often as needed.",
        ),
    ] = None
    worker_resource: Annotated[
        list[str] | None,
        typer.Option(
            "--worker-resource",
            metavar="NAME=AMOUNT",
            help="Use only workers of the cluster with this resource, such as GPU=1.",
        ),
    ] = None
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try photos again that failed before and have not changed."
        ),
    ] = False

    def crew(self) -> Crew:
        """Return who works.

        Raises:
            InputError: an option makes no sense.
        """
        from focuskit.batch.crew import Crew, PathMap, parse_resources

        crew = Crew(
            workers=self.workers,
            memory_gib=self.memory,
            time_limit_s=self.time_limit,
            nice=self.nice,
            scheduler=self.scheduler,
            path_map=PathMap.parse(self.path_map or ()),
            resources=parse_resources(self.worker_resource or ()),
        )
        # Without a number as many are taken as fit, and dask need not be asked before the work.
        if crew.scheduler is None and crew.workers is not None:
            crew.count()
        return crew
