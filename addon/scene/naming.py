# SPDX-License-Identifier: GPL-3.0-or-later
"""What the things of a result are called, by what kind of job it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .marks import name_with


@dataclass(frozen=True)
class Naming:
    """`action` names the undo step; `ending` and `person_ending(number)` follow the source's name."""

    action: str
    ending: str
    person_ending: Callable[[int], str]

    def result(self, stem: str) -> str:
        """The name of the result's collection."""
        return name_with(stem, self.ending)

    def person(self, stem: str, number: int) -> str:
        """The name of a character, from 1."""
        return name_with(stem, self.person_ending(number))


CAPTURE = Naming("Capture", "", lambda number: f" p{number}")
TRAJECTORY = Naming("Trajectory", " travelling", lambda number: " travelling" + (f" {number}" if number > 1 else ""))
WALK = Naming("Walk", "", lambda number: f" {number}" if number > 1 else "")
_KINDS = {"difftraj": TRAJECTORY, "loco": WALK}


def of_kind(kind: str) -> Naming:
    """The naming of a kind of job."""
    return _KINDS.get(kind, CAPTURE)
