"""One call after the other: who waits, who is worked for, and who has left."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from focuskit.bridge.calls import named_files, time_limit_s
from focuskit.bridge.child import Child
from focuskit.bridge.faults import Cancelled, TimeLimitError, WorkerDiedError
from focuskit.bridge.folders import empty_call_folder
from focuskit.errors import BridgeError, FocuskitError

__all__ = ["LEFT_OVER_S", "Desk", "Job"]

_LISTEN_S = 0.05
_REMIND_S = 1.0
# So long a call may take to see that it was cancelled, before its process is ended.
_GRACE_S = 1.0
_READY_WITHIN_S = 120.0

LEFT_OVER_S = 600.0
"""So long the results of a client that has gone are kept."""

Message = dict[str, Any]


@dataclass(eq=False)
class Job:
    """A call on its way.

    Attributes:
        message: of type "run".
        tell: sends a message to the client; says nothing where it has left.
        cancelled: set when the client wants it no more.
        left: set when the client has gone.
    """

    message: Mapping[str, Any]
    tell: Callable[[Message], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> Any:
        """What the client calls it."""
        return self.message.get("id")

    def answer(self, message: Mapping[str, Any]) -> None:
        """Tell the client something about this call."""
        self.tell({**message, "id": self.id})

    def clear_up(self) -> None:
        """Remove what a client that has gone left behind."""
        folder = self.message.get("folder")
        if isinstance(folder, str) and Path(folder).is_absolute():
            empty_call_folder(Path(folder), named_files(self.message))


class Desk:
    """Hands jobs to the process that works, and replaces it when it dies.

    Args:
        log: for what the process says.
    """

    def __init__(self, log: BinaryIO) -> None:
        self._log = log
        self._waiting: deque[Job] = deque()
        self._left_over: deque[tuple[float, Job]] = deque()
        self._changed = threading.Condition()
        self._job: Job | None = None
        self._closed = False
        self._number = 0
        self._heard = False
        self._operations: Message | None = None
        self._described = threading.Event()
        self._child = Child(log)
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        with self._changed:
            return self._job is None and not self._waiting

    def add(self, job: Job) -> None:
        """Let a job wait for its turn.

        Raises:
            BridgeError: the worker is ending.
        """
        with self._changed:
            if self._closed:
                raise BridgeError("The worker is ending; ask again, and a new one will start.")
            waits = self._job is not None or bool(self._waiting)
            self._waiting.append(job)
            self._changed.notify_all()
        if waits:
            job.answer(_progress("Waiting for another picture"))

    def leave(self, job: Job) -> None:
        """Take notice that a job's client has gone: nobody wants it any more.

        A client may read its results after it has left; what it has not removed in
        `LEFT_OVER_S` it never will.
        """
        with self._changed:
            job.left.set()
            job.cancelled.set()
            if job.done.is_set():
                self._left_over.append((time.monotonic() + LEFT_OVER_S, job))

    def operations(self) -> Message:
        """Return what the operations can be told.

        Raises:
            BridgeError: the process that knows does not start.
        """
        if not self._described.wait(_READY_WITHIN_S) or self._operations is None:
            raise BridgeError(
                "The process that works on pictures does not start; log.txt of the folder that "
                "`focuskit bridge --where` names tells why."
            )
        return self._operations

    def close(self, *, finish: bool) -> None:
        """End, once what is under way or waits is finished, or cancelled."""
        with self._changed:
            self._closed = True
            jobs = [*self._waiting, *([] if self._job is None else [self._job])]
            for job in jobs if not finish else ():
                job.cancelled.set()
            self._changed.notify_all()
        self._thread.join()
        self._child.end()

    def _go_on(self) -> None:
        while True:
            with self._changed:
                self._job = None
                if not self._waiting and self._closed:
                    return
                job = self._job = self._waiting.popleft() if self._waiting else None
            if job is None:
                self._listen_idly()
                continue
            try:
                answer = self._work_on(job)
            except FocuskitError as exc:
                answer = _error(exc)
            self._finish(job, answer)

    def _finish(self, job: Job, answer: Mapping[str, Any]) -> None:
        """Give the answer; of a client that has gone without it, remove what it left."""
        with self._changed:
            left = job.left.is_set()
            # Before the answer, upon which the client may ask again at once.
            job.done.set()
        if left:
            job.clear_up()
        else:
            job.answer(answer)

    def _listen_idly(self) -> None:
        """Hear when the process is ready, and replace it if it dies with nothing to do."""
        try:
            message = self._child.receive(0)
            if message is not None:
                self._hear(message)
        except WorkerDiedError:
            # Not at once: one that cannot start would be started without end.
            self._rest(_REMIND_S)
            with contextlib.suppress(BridgeError):
                self._replace()
        while self._left_over and self._left_over[0][0] < time.monotonic():
            self._left_over.popleft()[1].clear_up()
        self._rest(_REMIND_S if self._described.is_set() else _LISTEN_S)

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._waiting), seconds)

    def _hear(self, message: Message) -> None:
        if message["type"] == "ready":
            self._operations = message["operations"]
            self._described.set()

    def _replace(self) -> None:
        self._child.end()
        self._child = Child(self._log)

    def _work_on(self, job: Job) -> Message:
        limit_s = time_limit_s(job.message)
        if job.cancelled.is_set():
            raise _cancelled()
        if not self._child.alive:
            self._replace()
        if not self._described.is_set():
            job.answer(_progress("Starting focuskit"))
        try:
            return self._asked(job, limit_s)
        except WorkerDiedError:
            self._replace()
            if self._heard:
                raise
        # It was dead before it heard of this call.
        return self._asked(job, limit_s)

    def _asked(self, job: Job, limit_s: float) -> Message:
        self._number += 1
        self._heard = False
        self._child.send({**job.message, "id": self._number})
        return self._followed(job, limit_s)

    def _followed(self, job: Job, limit_s: float) -> Message:
        """Return the answer to the job that the process works on.

        Raises:
            Cancelled, TimeLimitError: it was given up.
            WorkerDiedError: the process has ended.
        """
        began = reminded = time.monotonic()
        why: BridgeError | None = None
        asked = 0.0
        while True:
            message = self._child.receive(_LISTEN_S)
            now = time.monotonic()
            if message is not None and message.get("id") == self._number:
                self._heard = True
                if message["type"] != "progress":
                    if why is not None:
                        raise why
                    return message
                job.answer(message)
            elif message is not None:
                self._hear(message)
            if why is None:
                why = _given_up(job, now - began, limit_s)
                if why is not None:
                    asked = now
                    self._child.send({"type": "cancel", "id": self._number})
            elif now - asked > _GRACE_S:
                self._replace()
                raise why
            if now - reminded > _REMIND_S:
                reminded = now
                self._remind()

    def _remind(self) -> None:
        with self._changed:
            waiting = list(self._waiting)
            for job in waiting:
                if job.cancelled.is_set():
                    self._waiting.remove(job)
        for job in waiting:
            if job.cancelled.is_set():
                self._finish(job, _error(_cancelled()))
            else:
                job.answer(_progress("Waiting for another picture"))


def _given_up(job: Job, seconds: float, limit_s: float) -> BridgeError | None:
    if job.cancelled.is_set():
        return _cancelled()
    if seconds > limit_s:
        return TimeLimitError(
            f"The picture took longer than {limit_s:g} s and was given up: allow more time, or "
            "scale it down first."
        )
    return None


def _cancelled() -> Cancelled:
    return Cancelled("The call was cancelled; nothing was changed.")


def _error(error: Exception) -> Message:
    return {"type": "error", "kind": type(error).__name__, "text": str(error)}


def _progress(text: str) -> Message:
    return {"type": "progress", "fraction": None, "text": text}
