# SPDX-License-Identifier: GPL-3.0-or-later
"""The face mesh as it would look from far away.

Expressions are read from shapes, and a near camera changes shapes: what is closer looks larger. A head that looks up brings
its chin forward and seems to have a longer chin and lower brows; half a metre from the lens that is as much as an expression.
"""

from __future__ import annotations

import numpy as np

MIDDLE = [33, 263, 61, 291]  # eyes and mouth: their middle is the face's


def seen_from_afar(mesh: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(N,468,3) px -> the same in parallel projection, with the size that it has at the face's middle.

    A point z px behind the middle (z in the picture's pixels, as the network gives it) is z / f of the face's distance
    farther away, whatever that distance is; so much smaller it was drawn.

    Args: K (3,3) px, whose focal length f is used.
    """
    mesh = np.asarray(mesh, np.float64)
    middle = mesh[:, MIDDLE].mean(1, keepdims=True)
    away = mesh - middle
    grown = 1.0 + away[..., 2:] / K[0, 0]
    return np.concatenate([middle[..., :2] + grown * away[..., :2], mesh[..., 2:]], axis=-1)
