# SPDX-License-Identifier: GPL-3.0-or-later
"""Which estimators a capture uses: what the options ask for, out of what the model files hold."""

from __future__ import annotations

from dataclasses import dataclass

from smplit import models
from smplit.mocap.options import CaptureOptions
from smplit.models import there


@dataclass(frozen=True)
class Estimators:
    """Names of the estimators.

    Attributes:
        body: "lifter", "wham", "hmr2" or "landmarks", of people whose legs are seen; half_body: the same of all others.
        hands: "landmarks", "acr" or "none"; face: "landmarks", "smirk" or "none".
        hmr2: the HMR2 file that tells bodies, "hmr2b" or "hmr2a"; None where there is neither.
        features: WHAM is given what HMR2.0a says of the pictures.
    """

    body: str
    half_body: str
    hands: str
    face: str
    hmr2: str | None
    features: bool

    @property
    def look_again(self) -> bool:
        """Whether any of them looks at the pictures themselves."""
        bodies = {self.body, self.half_body}
        return "hmr2" in bodies or ("wham" in bodies and self.features) or self.hands == "acr" or self.face == "smirk"

    def body_of(self, legs_seen: bool) -> str:
        """Who tells the body of somebody."""
        return self.body if legs_seen else self.half_body


def choose_estimators(options: CaptureOptions) -> Estimators:
    """`auto` takes the most accurate that is there.

    The published WHAM wins by `auto` with HMR2.0a's image features only: without them it is worse than published, by its
    authors' own ablation (Shin et al. 2024), and nobody has measured it against the shipped lifter.
    HMR2 takes half bodies, as in the original: WHAM learned from whole bodies.

    Raises:
        MissingModel: a named estimator's file is not there; says how to get it.
    """
    hmr2 = next((name for name in ("hmr2b", "hmr2a") if there(name)), None)
    features = there("hmr2a")
    whole, half = "lifter", "lifter"
    if options.preset == "half-body":
        whole = half = "hmr2" if hmr2 else "lifter"
    elif there("wham_published") and features:
        whole = "wham"
        half = "wham" if options.preset == "fast" else "hmr2"
    elif hmr2:
        half = "hmr2"
    if options.body != "auto":
        whole = half = options.body
        if options.body == "wham":
            models.find("wham_published")
        if options.body == "hmr2" and hmr2 is None:
            models.find("hmr2b")
    return Estimators(whole, half, _chosen(options.hands, "acr"), _chosen(options.face, "smirk"), hmr2, features)


def _chosen(asked: str, published: str) -> str:
    if asked == published:
        models.find(published)
    return (published if there(published) else "landmarks") if asked == "auto" else asked

