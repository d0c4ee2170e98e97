# SPDX-License-Identifier: GPL-3.0-or-later
"""The image networks that the chosen estimators listen to, loaded for the second look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from smplit.mocap.estimators import Estimators
from smplit.mocap.fit.landmark_trust import legs_are_seen
from smplit.mocap.image_pass import ImageNetwork
from smplit.mocap.observations import CameraMotion, PersonLandmarks


class _OfSome:
    """An image network whose business some people are."""

    def __init__(self, network: ImageNetwork, wanted: Callable[[PersonLandmarks, CameraMotion], bool]):
        self._network, self._wanted = network, wanted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def plan(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> Any | None:
        return self._network.plan(landmarks, camera, times) if self._wanted(landmarks, camera) else None


def image_networks(chosen: Estimators, device: str, mirror: bool) -> list[ImageNetwork]:
    """Those that the chosen estimators listen to.

    Args:
        mirror: WHAM looks at the mirrored video too.

    Raises:
        BadInput, MissingModel: weights that are not there or do not fit.
    """
    told_by = lambda name: lambda landmarks, camera: chosen.body_of(legs_are_seen(landmarks, camera.K)) == name
    bodies = {chosen.body, chosen.half_body}
    networks: list[ImageNetwork] = []
    if "hmr2" in bodies or ("wham" in bodies and chosen.features):
        from smplit.mocap.hmr2.estimate import Hmr2
        from smplit.mocap.hmr2.look import BodyLook, FeatureLook

        wanted = {FeatureLook: "hmr2a"} if "wham" in bodies and chosen.features else {}
        wanted |= {BodyLook: chosen.hmr2} if "hmr2" in bodies else {}
        loaded = {file: Hmr2.load(device=device, which=file) for file in set(wanted.values())}  # one file may serve both
        if FeatureLook in wanted:
            networks.append(_OfSome(FeatureLook(loaded[wanted[FeatureLook]], mirror), told_by("wham")))
        if BodyLook in wanted:
            networks.append(_OfSome(BodyLook(loaded[wanted[BodyLook]]), told_by("hmr2")))
    if chosen.hands == "acr":
        from smplit.mocap.acr.look import AcrLook

        networks.append(AcrLook.load(device=device))
    if chosen.face == "smirk":
        from smplit.mocap.smirk.look import SmirkLook

        networks.append(SmirkLook.load(device=device))
    return networks
