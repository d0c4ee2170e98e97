# SPDX-License-Identifier: GPL-3.0-or-later
"""Which body model or prior a set of arrays is, told from names and shapes, and what of it is kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from smplit.errors import BadInput

_MANY = -1  # any length
_MANO_SIDES = {1: "left", -1: "right"}  # fingers point to +x of a left hand, as in SMPL's T-pose


@dataclass(frozen=True)
class Body:
    """Arrays that must be there with their shapes, and others that are kept when they are."""

    title: str
    model: str | None  # None: known, not used
    shapes: dict[str, tuple[int, ...]]
    optional: tuple[str, ...] = ()


def _skinned(vertices: int, joints: int, shapes: int) -> dict[str, tuple[int, ...]]:
    return {
        "v_template": (vertices, 3), "f": (_MANY, 3), "shapedirs": (vertices, 3, shapes), "posedirs": (vertices, 3, 9 * (joints - 1)),
        "J_regressor": (joints, vertices), "weights": (vertices, joints), "kintree_table": (2, joints),
    }


_SMPLX_MORE = (
    "hands_meanl", "hands_meanr", "hands_componentsl", "hands_componentsr", "lmk_faces_idx", "lmk_bary_coords", "dynamic_lmk_faces_idx",
    "dynamic_lmk_bary_coords", "vt", "ft",
)
# (vertices, joints) -> the body of that size.
_BODIES = {
    (10475, 55): Body("SMPL-X", "smplx", _skinned(10475, 55, _MANY), _SMPLX_MORE),
    (6890, 24): Body("SMPL", "smpl", _skinned(6890, 24, _MANY), ("J_regressor_wham", "J_regressor_feet")),
    (6890, 52): Body("SMPL-H", None, {}),
    (778, 16): Body("MANO", "mano", _skinned(778, 16, 10) | {"hands_mean": (45,), "hands_components": (45, 45)}),
    (5023, 5): Body("FLAME", "flame", _skinned(5023, 5, 400)),
}
_GMM = Body("SMPLify's mixture of poses", "gmm_prior", {"means": (_MANY, 69), "covars": (_MANY, 69, 69), "weights": (_MANY,)})
_STAND_IN = "smplit_standin"
WANTED = frozenset({
    _STAND_IN, *_GMM.shapes, *(name for body in _BODIES.values() for name in (*body.shapes, *body.optional)),
})


@dataclass(frozen=True)
class Arrays:
    """Recognised arrays: the registry's name, what they are in words, what to keep. `side` of a MANO hand."""

    model: str
    title: str
    arrays: dict[str, np.ndarray]
    side: str = ""


def recognise(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Which body model or prior the arrays are.

    Raises:
        BadInput: none that SMPLit uses, or arrays are missing, of another shape, or not finite (named).
    """
    body = of_size(arrays.keys(), arrays["weights"].shape if "weights" in arrays else None)
    if _STAND_IN in arrays:
        raise BadInput("The file is the open body, which SMPLit has.", "Nothing needs to be added.", "shipped_model")
    if body is None:
        names = ", ".join(sorted(arrays)[:6])
        raise BadInput(f"The file holds arrays of no model that SMPLit uses ({names or 'none of the known names'}).",
                       "'smplit models list' tells the files that are used.", "other_model")
    if body.model is None:
        raise BadInput(f"The file is {body.title}, which SMPLit does not use.", "Add SMPL-X or SMPL instead.", "other_model")
    kept = {name: _checked(body.title, name, arrays.get(name), shape) for name, shape in body.shapes.items()}
    kept |= {name: arrays[name] for name in body.optional if name in arrays and arrays[name].dtype.kind in "fiu"}
    if "f" in kept and (kept["f"].dtype.kind not in "iu" or kept["f"].min() < 0 or kept["f"].max() >= len(kept["v_template"])):
        raise BadInput(f"The file is {body.title}, but its triangles name vertices that are not there.", "Download it again.", "bad_body")
    side = _side(kept) if body.model == "mano" else ""
    return Arrays(body.model, f"{body.title} ({side} hand)" if side else body.title, kept, side)


def of_size(names: Collection[str], weights: tuple[int, ...] | None) -> Body | None:
    """The body or prior that has these names, and skinning weights of this shape."""
    if "means" in names and "covars" in names:
        return _GMM
    return _BODIES.get(weights) if "v_template" in names else None


def _checked(title: str, name: str, value: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    wanted = "x".join("any" if length == _MANY else str(length) for length in shape)
    remedy = f"Use {title}'s file as its authors published it."
    if value is None:
        raise BadInput(f"The file looks like {title}, but has no '{name}' ({wanted}).", remedy, "bad_body")
    if name == "weights" and value.ndim == 2 and 1 in value.shape and len(shape) == 1:  # a row or a column of numbers
        value = value.reshape(-1)
    fits = value.ndim == len(shape) and all(want in (_MANY, have) for want, have in zip(shape, value.shape, strict=True))
    if not fits or value.dtype.kind not in "fiu" or value.size == 0:
        raise BadInput(f"The file looks like {title}, but its '{name}' is {value.dtype} {value.shape}, not {wanted} numbers.", remedy, "bad_body")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise BadInput(f"The file is {title}, but its '{name}' holds numbers that are not finite.", "Download it again.", "not_finite")
    return value


def _side(arrays: Mapping[str, np.ndarray]) -> str:
    joints = arrays["J_regressor"] @ arrays["v_template"]
    return _MANO_SIDES[1 if float((joints[1:].mean(0) - joints[0])[0]) > 0 else -1]


def both_hands(hands: Mapping[str, Arrays]) -> Arrays:
    """MANO's two files as one: names with `left_` or `right_` before them.

    Raises:
        BadInput: one is missing.
    """
    missing = [side for side in ("left", "right") if side not in hands]
    if missing:
        raise BadInput(f"MANO's {missing[0]} hand is missing: its two files are one model here.",
                       "Add both at once: smplit models add MANO_LEFT.pkl MANO_RIGHT.pkl, or the zip as downloaded.", "half_mano")
    joined = {f"{side}_{name}": value for side, hand in hands.items() for name, value in hand.arrays.items()}
    return Arrays("mano", "MANO (both hands)", joined)
