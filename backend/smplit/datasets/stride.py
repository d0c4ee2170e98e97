# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a path must shrink or grow for this body's planted feet to stay where they are.

Retargeting scales a path by the ratio of leg lengths; feet and hips of other proportions still make
strides 1 to 4 % shorter or longer than that (measured on the CMU sets), and a body that walks such
a path slides. What is learned from it would be that people slide.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_erosion, label

_POINTS = (0, 1, 3, 4)  # heel and big toe of each foot among the sole points, in the order of the contacts
_TRIM = 1  # frames left out at each end of a stance: the foot still rolls there
_SHORTEST = 0.12  # m of pelvis travel during a stance that tells a scale
_OUTLIER = 0.08  # from the median: a stance that slid for another reason
_PRIOR = 0.3  # m^2: so much travel speaks for the leg lengths' ratio
_MOST = 0.2  # beyond it the recording is wrong, not its scale


def path_scale(pelvis: np.ndarray, soles: np.ndarray, contacts: np.ndarray) -> float:
    """The factor of a clip's horizontal path, 1 when its stances do not tell.

    While a foot is planted the pelvis travels by as much as the foot moves back against it; the
    ratio of the two is taken over every stance and weighted by the square of the travel.

    Args:
        pelvis: (T,3) m.
        soles: (T,6,3) m, sole points, world.
        contacts: (T,4) bool.
    """
    ratios, weights = [], []
    for contact, point in enumerate(_POINTS):
        runs, count = label(binary_erosion(contacts[:, contact], np.ones(2 * _TRIM + 1)))
        for run in range(1, count + 1):
            frames = np.flatnonzero(runs == run)
            first, last = frames[0], frames[-1]
            travel = (pelvis[last] - pelvis[first])[:2]
            length = float(travel @ travel)
            if length > _SHORTEST**2:
                slid = (soles[last, point] - soles[first, point])[:2]
                ratios.append(1.0 - float(slid @ travel) / length)
                weights.append(length)
    if not ratios:
        return 1.0
    ratios, weights = np.array(ratios), np.array(weights)
    order = np.argsort(ratios)
    middle = ratios[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)]
    kept = np.abs(ratios - middle) < _OUTLIER
    scale = (_PRIOR + (ratios * weights)[kept].sum()) / (_PRIOR + weights[kept].sum())
    return float(np.clip(scale, 1 - _MOST, 1 + _MOST))
