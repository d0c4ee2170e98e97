# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one model file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelFile:
    """One model: accepted relative paths, best first ("*" stands for any name), and what a user needs to know about it."""

    name: str
    paths: tuple[str, ...]
    enables: str
    licence: str
    shipped: bool
    source: str
    sha256: str | None = None  # of the shipped file; None where it is not fixed
    commercial: bool = True  # whether the licence allows commercial use
    title: str = ""  # as its authors call it; shipped ones go by their names
    expects: str = ""  # what to look for in the download: file names and sizes
    builds: tuple[tuple[str, str], ...] = ()  # known published files: (sha256, which build it is)
    steps: tuple[str, ...] = ()  # from nothing to the file, for somebody who has never heard of it
