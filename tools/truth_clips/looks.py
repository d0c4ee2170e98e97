# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin, hair and clothes of the people in the truth clips (linear colours 0..1; lengths in rest metres)."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """`sleeve`: |x| at which the sleeve ends (elbow about 0.43, wrist 0.67); `leg`: y at which the
    trouser leg ends (knee about -0.83, ankle -1.25); `pattern` 0 print, 1 jacket, 2 stripes, 3 check;
    `puff` m: how far clothes stand off the skin."""

    skin: Colour
    hair: Colour
    shirt: Colour
    shirt2: Colour
    trousers: Colour
    shoes: Colour
    iris: Colour = (0.12, 0.07, 0.03)
    sleeve: float = 0.34
    leg: float = -1.235
    pattern: int = 0
    beard: float = 0.0
    hairline: float = 0.327
    puff: float = 0.008
    hair_puff: float = 0.014


LOOKS = {
    "ann": Look((0.62, 0.40, 0.30), (0.10, 0.05, 0.025), (0.55, 0.08, 0.08), (0.8, 0.75, 0.6), (0.06, 0.09, 0.2), (0.6, 0.6, 0.6)),
    "bo": Look((0.30, 0.17, 0.10), (0.012, 0.010, 0.010), (0.7, 0.7, 0.68), (0.1, 0.2, 0.5), (0.11, 0.10, 0.08), (0.04, 0.04, 0.05),
               sleeve=0.64, pattern=2, beard=0.5, hair_puff=0.008),
    "cem": Look((0.48, 0.29, 0.19), (0.02, 0.015, 0.012), (0.05, 0.14, 0.09), (0.75, 0.73, 0.7), (0.22, 0.17, 0.11), (0.3, 0.05, 0.04),
                sleeve=0.63, pattern=1, beard=0.25, puff=0.014),
    "dee": Look((0.70, 0.48, 0.38), (0.35, 0.20, 0.07), (0.08, 0.25, 0.5), (0.85, 0.8, 0.3), (0.03, 0.03, 0.035), (0.8, 0.8, 0.8),
                iris=(0.1, 0.2, 0.3), leg=-0.8, hair_puff=0.018),
    "eli": Look((0.55, 0.35, 0.25), (0.05, 0.03, 0.02), (0.6, 0.35, 0.06), (0.15, 0.12, 0.1), (0.25, 0.27, 0.3), (0.1, 0.1, 0.14),
                pattern=3, sleeve=0.40),
    "fay": Look((0.22, 0.12, 0.075), (0.01, 0.008, 0.008), (0.55, 0.5, 0.1), (0.2, 0.05, 0.25), (0.15, 0.04, 0.1), (0.55, 0.5, 0.45),
                hair_puff=0.022),
    "gus": Look((0.66, 0.44, 0.34), (0.28, 0.26, 0.25), (0.12, 0.12, 0.14), (0.6, 0.6, 0.62), (0.18, 0.2, 0.14), (0.12, 0.07, 0.04),
                iris=(0.12, 0.16, 0.12), sleeve=0.63, pattern=1, hairline=0.345, puff=0.012),
    "hua": Look((0.60, 0.42, 0.29), (0.015, 0.012, 0.012), (0.3, 0.5, 0.45), (0.9, 0.85, 0.8), (0.08, 0.08, 0.1), (0.5, 0.1, 0.15),
                pattern=2, leg=-1.05),
}
