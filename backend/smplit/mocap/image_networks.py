# SPDX-License-Identifier: GPL-3.0-or-later
"""The published image networks as the second look takes them: where each cuts, and what it says of its crops."""

from __future__ import annotations

from smplit.mocap.estimators import Estimators
from smplit.mocap.image_pass import ImageNetwork
from smplit.mocap.options import CaptureOptions
from smplit.progress import Reporter

FEATURES, HMR2, ACR, SMIRK = "features", "hmr2", "acr", "smirk"  # their names among the answers


def image_networks(chosen: Estimators, options: CaptureOptions, device: str, reporter: Reporter) -> list[ImageNetwork]:
    """Those that the chosen estimators listen to, loaded."""
    return []
