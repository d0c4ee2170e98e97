# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors a user may see. Each says what happened, where, and what to do about it."""

from __future__ import annotations


class SmplitError(Exception):
    """A failure with a remedy. The command line exits with `exit_code`, the server sends `failed`.

    Args:
        message: one sentence: what happened, naming the file or option and the offending value.
        remedy: one sentence: what the user can do.
        code: stable machine-readable name, e.g. "no_person".
    """

    exit_code = 1
    default_code = "failed"

    def __init__(self, message: str, remedy: str = "", code: str | None = None):
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or self.default_code

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class BadInput(SmplitError):
    """The user's file or option cannot be used: exit code 2, nothing was written."""

    exit_code = 2
    default_code = "bad_input"


class MissingModel(SmplitError):
    """A model file that an option asks for is not there: exit code 2."""

    exit_code = 2
    default_code = "missing_model"


class NoSpace(SmplitError):
    """The disk is full: exit code 1, half-written files were removed."""

    default_code = "no_space"


class Cancelled(SmplitError):
    """The user cancelled: exit code 1, half-written files were removed."""

    default_code = "cancelled"
