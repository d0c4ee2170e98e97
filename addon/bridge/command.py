# SPDX-License-Identifier: GPL-3.0-or-later
"""One `smplit` command run by the backend's Python, for what the add-on leaves to it. No bpy, no sockets."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..shared import errors
from .process import clean_environment, hidden_window


class Command:
    """A running command. It never asks anything; its output is kept for the error message.

    Raises:
        OSError: the interpreter cannot be started.
    """

    def __init__(self, python: Path, arguments: Sequence[str | Path]):
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop; a file, because a full pipe would stop the command
        words = [str(python), "-P", "-m", "smplit.cli", *(str(argument) for argument in arguments)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT, env=clean_environment(), **hidden_window(),
        )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        self._process.wait()

    def stop(self) -> None:
        """Ends it if it still runs."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(3.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()

    def check(self) -> None:
        """Raises:
            SmplitError: the command ended with an error; its own last line is the message.
        """
        if self._process.wait() == 0:
            return
        lines = self._lines()
        raise errors.SmplitError(lines[-1] if lines else f"It ended with exit code {self._process.returncode}.", "", "command")

    def answer(self) -> dict:
        """What a command with `--json` printed, after `check`.

        Raises:
            SmplitError: it printed no JSON object.
        """
        for line in reversed(self._lines()):
            if line.startswith("{"):
                try:
                    return json.loads(line)
                except ValueError:
                    break
        raise errors.SmplitError("The backend's Python gave no answer.", "Set the backend up again.", "command")

    def _lines(self) -> list[str]:
        self._output.seek(0)
        return [line.strip() for line in self._output.read().decode("utf-8", "replace").splitlines() if line.strip()]
