# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of jobs that panels show and operators act on. Plain Python: no bpy, no sockets.

A job is made here when the user presses a button, and follows the backend's messages from then on
(their fields: `protocol.py`). Jobs of earlier sessions are added from the backend's journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..shared import protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WAITING = "waiting"  # not yet handed to the backend
OPEN = frozenset({WAITING, "queued", "running"})
MOST_EARLIER = 5  # jobs of earlier sessions that are listed
_RESULT_WORDS = {"capture": ("person", "people"), "difftraj": ("path", "paths"), "loco": ("walk", "walks")}  # what a kind of job makes: one, several


@dataclass(eq=False)  # a job is itself; arrays of a submit cannot be compared anyway
class Job:
    """One row of the list. Times in seconds, `fraction` 0..1 or None when unknown."""

    submit: protocol.Message | None  # what to send; None for jobs of an earlier session
    title: str
    request: str  # names the job until the backend has
    kind: str
    id: str = ""  # the backend's name of the job
    state: str = WAITING
    ahead: int = 0  # jobs of the queue that come first
    stage: str = ""
    fraction: float | None = None
    eta: float | None = None
    code: str = ""
    message: str = ""
    remedy: str = ""
    log: str = ""
    warnings: list[str] = field(default_factory=list)
    people: dict[tuple[int, int], int] = field(default_factory=dict)  # (clip, person) -> frames that arrived
    results: int = 0  # motions that the backend keeps
    cancelling: bool = False
    fetching: bool = False
    shown: bool = True  # its frames go into the open scene
    replaces: tuple[str, ...] = ()  # results in the scene (ids) that its own takes the place of
    superseded: bool = False  # its successor has begun: off the list as soon as it ends

    @property
    def open(self) -> bool:
        """Still to end, or on its way again."""
        return self.state in OPEN or self.fetching

    @property
    def keeps_pieces(self) -> bool:
        """Whether what has arrived stays when the job is cancelled: a part of a walk is a walk, half a person is none."""
        return self.kind == "loco"

    @property
    def key(self) -> str:
        """What operators call the job."""
        return self.request

    def video(self, clip: int) -> str | None:
        """The video that input number `clip` is; None for jobs of earlier sessions, and where no video went in."""
        if self.kind != "capture" or self.submit is None or clip >= len(self.submit["paths"]):
            return None
        return self.submit["paths"][clip]

    @property
    def origin(self) -> float:
        """Seconds of the video at which the captured part begins (`range`: 2.5:10 or 0:05-0:12)."""
        text = (self.submit["params"].get("range") if self.submit is not None else None) or ""
        start = text.split("-" if "-" in text else ":")[0].strip()
        try:
            return sum(float(part) * 60.0**power for power, part in enumerate(reversed(start.split(":"))))
        except ValueError:  # empty, or refused by the backend
            return 0.0

    def fail(self, code: str, message: str, remedy: str, log: str = "") -> None:
        self.state = "cancelled" if code == "cancelled" else "failed"
        self.code, self.message, self.remedy, self.log = code, message, remedy, log or self.log
        self.eta, self.fetching, self.cancelling = None, False, False

    def summary(self) -> str:
        """What the list says beside the title."""
        if self.fetching:
            return "bringing in"
        if self.cancelling:
            return "stopping"
        if self.state == "running":
            percent = "" if self.fraction is None else f"{100 * self.fraction:.0f} %  "
            left = "" if self.eta is None else f"  {clock(self.eta)} left"
            return f"{percent}{self.stage or 'starting'}{left}"
        if self.state == "queued":
            return f"waits for {self.ahead} other" if self.ahead else "queued"
        if self.state == "done":
            count = len({person for _, person in self.people}) or self.results
            one, many = _RESULT_WORDS.get(self.kind, _RESULT_WORDS["capture"])
            return f"{count} {one if count == 1 else many}"
        if self.state == "cancelled" and self.keeps_pieces and self.people:
            return "cancelled; what had arrived is kept"
        return {WAITING: "waits for the backend", "cancelled": "cancelled"}.get(self.state, f"failed: {self.message}")

    def details(self) -> str:
        """Everything known about a failure, for the clipboard (the log's end is added by the caller)."""
        lines = [f"SMPLit job {self.id or self.request}: {self.title}", f"{self.state} ({self.code or 'no code'}) at stage '{self.stage}'"]
        lines += [self.message, self.remedy, *self.warnings, f"Log: {self.log}" if self.log else ""]
        return "\n".join(line for line in lines if line)


class JobList:
    """All jobs of this session, newest last."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._hidden: set[str] = set()

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs))

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, submit: protocol.Message, title: str) -> Job:
        """A new job, to be sent as soon as the backend listens."""
        job = Job(submit, title, submit.id, submit["kind"])
        self._jobs.append(job)
        return job

    def find(self, name: str) -> Job | None:
        """The job with this key or backend id."""
        return next((job for job in self._jobs if name and name in (job.request, job.id)), None)

    def of(self, message: protocol.Message) -> Job | None:
        """The job that a message is about."""
        return self.find(message.re) or self.find(str(message.get("job") or ""))

    def remove(self, job: Job) -> None:
        """Takes an ended job off the list; the backend keeps its files."""
        self._jobs.remove(job)
        self._hidden.add(job.id)

    def open_jobs(self) -> list[Job]:
        return [job for job in self._jobs if job.open]

    def backend_ended(self, reason: str, log: str) -> None:
        """The backend is gone: what it had begun has failed; what was never sent still waits."""
        for job in self._jobs:
            if job.open and job.state != WAITING:
                job.fail("interrupted", f"The backend stopped: {reason}.", "Press Retry; people that were finished can be brought in.", log)

    def detach(self) -> None:
        """Another file was opened: running jobs go on, their frames no longer go into the scene."""
        for job in self._jobs:
            if job.open:
                job.shown = False

    def adopt(self, rows: Iterable[dict]) -> None:
        """Takes over what the backend's journal (`jobs` of welcome) knows: results of our jobs, and
        the newest ended jobs of earlier sessions that have results."""
        rows = list(rows)
        known = {job.id for job in self._jobs} | self._hidden
        for row in rows:
            if (job := self.find(str(row.get("job") or ""))) is not None:
                job.results = row.get("results") or 0
        fresh = [row for row in rows if row.get("job") not in known and row.get("results") and row.get("state") in protocol.ENDED]
        newest = sorted(fresh, key=lambda row: row.get("created") or 0, reverse=True)[:MOST_EARLIER]
        for row in newest:
            kind = str(row.get("kind") or "capture")
            title = ", ".join(Path(str(source)).name for source in row.get("sources") or ()) or kind
            job = Job(None, title, row["job"], kind, id=row["job"], state=row["state"], results=row["results"], shown=False)
            job.code, job.message, job.remedy = (row.get(name) or "" for name in ("code", "message", "remedy"))
            self._jobs.insert(0, job)

    def apply(self, message: protocol.Message) -> Job | None:
        """Lets a message of the backend change the job it belongs to; returns that job."""
        job = self.of(message)
        if job is None:
            return None
        change = getattr(self, f"_on_{message.type}", None)
        if change is not None:
            change(job, message)
        return job

    @staticmethod
    def _on_accepted(job: Job, message: protocol.Message) -> None:
        job.id = message["job"]
        if job.state in OPEN and not job.cancelling:
            job.state, job.ahead = message["state"], message["position"]

    @staticmethod
    def _on_progress(job: Job, message: protocol.Message) -> None:
        if job.state in OPEN:
            job.state, job.stage = "running", message["stage"]
            job.fraction, job.eta = message.get("fraction"), message.get("eta")

    @staticmethod
    def _on_chunk(job: Job, message: protocol.Message) -> None:
        person = (message["clip"], message["person"])
        job.people[person] = max(job.people.get(person, 0), message["first"] + message["frames"])

    @staticmethod
    def _on_log(job: Job, message: protocol.Message) -> None:
        if message["level"] == "warning":
            job.warnings.append(message["text"])

    @staticmethod
    def _on_done(job: Job, message: protocol.Message) -> None:
        if not job.fetching:  # bringing in what a failed job finished does not make it a success
            job.state = "done"
            job.warnings += [f"{f.get('source')}: {f.get('message')} {f.get('remedy')}".strip() for f in message["failures"]]
        job.fraction, job.eta, job.fetching, job.cancelling = 1.0, None, False, False
        job.results = len(message["results"])

    @staticmethod
    def _on_failed(job: Job, message: protocol.Message) -> None:
        if job.fetching and message.re:  # the results cannot be read again; the job's own end stays as it was
            job.fetching = False
            job.warnings.append(f"{message['message']} {message['remedy']}".strip())
            return
        problems = "; ".join(str(problem) for problem in message["problems"])
        job.fail(message["code"], problems or message["message"], message["remedy"], message["log"])


def clock(seconds: float) -> str:
    """75 -> '1:15'."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
