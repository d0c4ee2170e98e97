# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pipeline tells its caller where it is: the terminal, the server's socket, or nobody.

Pipelines call a `Reporter`; they never print. Each front end implements one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class Reporter:
    """Receives progress. This base class is silent; front ends override what they show.

    Any method may raise `smplit.errors.Cancelled`; pipelines let it pass through.
    """

    def stage(self, name: str, done: int, total: int | None) -> None:
        """`done` of `total` units (frames, mostly) of the stage `name` are finished."""

    def chunk(self, person: int, first_frame: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Frames `first_frame ...` of one person's motion are ready.

        `arrays` holds slices of `smplit.motion.Motion` fields, keyed as in the npz file
        (`poses` (n,165), `trans` (n,3), `expression` (n,E), `frame_times` (n,), `valid` (n,) ...);
        the first chunk of a person also holds what does not depend on time (`betas`,
        `expression_names`, `mocap_frame_rate`, `camera_K` ...). A later chunk for the same
        frames replaces an earlier one.
        """

    def warn(self, text: str) -> None:
        """Something a user should know that does not stop the work."""

    def check(self) -> None:
        """Called between units of work; raises `Cancelled` when the user asked to stop."""
