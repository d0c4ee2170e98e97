# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion npz as a row of chunks, and what a slow or late client gets: the same chunks from the files."""

from __future__ import annotations

import queue
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from smplit.errors import SmplitError
from smplit.protocol import Message, failed
from smplit.server.journal import Job

PER_FRAME = ("poses", "trans", "expression", "contacts", "joint_confidence", "valid", "frame_times", "camera_R", "camera_t")
_CHUNK_FRAMES = 120  # as the pipeline streams them


def split(arrays: Mapping[str, np.ndarray], size: int = _CHUNK_FRAMES) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(first frame, slices) of motion npz entries; the first piece also holds what does not depend on time."""
    timed = {name: array for name, array in arrays.items() if name in PER_FRAME}
    frames = len(arrays["poses"])
    for first in range(0, frames, size):
        piece = {name: array[first : first + size] for name, array in timed.items()}
        if first == 0:
            piece.update({name: array for name, array in arrays.items() if name not in timed})
        yield first, piece


class Replay:
    """Reads an ended job's results in a thread and hands out its messages as fast as the client takes them."""

    def __init__(self, job: Job, folder: Path, end: Message, request: str):
        """`end` closes the replay, `request` goes into `re` of each message."""
        self._messages: queue.Queue[Message] = queue.Queue(4)
        self._stop = threading.Event()
        arguments = (job.id, list(job.results), folder, end, request)
        self._thread = threading.Thread(target=self._run, args=arguments, name=f"replay-{job.id}", daemon=True)
        self.ended = False

    def take(self) -> Message | None:
        """The next message if there is one by now; the first call starts the reading."""
        if self._thread.ident is None:
            self._thread.start()
        try:
            message = self._messages.get_nowait()
        except queue.Empty:
            return None
        self.ended = message.type != "chunk"
        return message

    def stop(self) -> None:
        self._stop.set()

    def _run(self, job: str, results: list[dict], folder: Path, end: Message, request: str) -> None:
        try:
            for result in results:
                with np.load(folder / result["path"], allow_pickle=False) as archive:
                    arrays = {name: archive[name] for name in archive.files}
                fields = {name: result[name] for name in ("clip", "source", "person")}
                for first, piece in split(arrays):
                    more = {"job": job, "first": first, "frames": len(piece["poses"])}
                    if not self._hand_over(Message("chunk", {**fields, **more}, piece, re=request)):
                        return
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            problem = SmplitError(f"A result of job {job} cannot be read any more ({error}).", "Start the job again.", "unreadable")
            end = failed(problem, job=job, re=request)
        self._hand_over(end)

    def _hand_over(self, message: Message) -> bool:
        while not self._stop.is_set():
            try:
                self._messages.put(message, timeout=0.5)
                return True
            except queue.Full:
                continue
        return False
