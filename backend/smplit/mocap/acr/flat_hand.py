# SPDX-License-Identifier: GPL-3.0-or-later
"""What ACR's fingers are relative to: MANO's mean hand. Ours are relative to a flat one."""

from __future__ import annotations

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput, MissingModel
from smplit.models import find

_IN_MANO = ("left_hands_mean", "right_hands_mean")
_IN_BODY = ("hands_meanl", "hands_meanr")  # the real SMPL-X's are MANO's


def mean_hands(body: BodyModel) -> tuple[np.ndarray, str | None]:
    """(2,15,3) rad of the left and the right mean hand, to be ADDED to ACR's axis-angles; and what the user should know.

    MANO's file says it, and the real SMPL-X does. The open body's own mean hand stands in for it.

    Raises:
        BadInput: a file that does not hold them.
    """
    try:
        path, names = find("mano"), _IN_MANO
    except MissingModel:
        path, names = body.path, _IN_BODY
    try:
        with np.load(path, allow_pickle=False) as archive:
            means = np.stack([np.asarray(archive[name], np.float64).reshape(15, 3) for name in names])
    except (KeyError, ValueError, OSError) as error:
        raise BadInput(f"'{path}' holds no mean hands ({error}).", "Add the file again with 'smplit models add'.", "no_mean_hands") from error
    if names is _IN_BODY and body.standin:
        return means, (
            "ACR's fingers are relative to MANO's mean hand, which is not there: the open body's stands in for it, and fingers may be "
            "bent a little more or less than they are. Add mano_v1_2.zip, or the real SMPL-X, with 'smplit models add'."
        )
    return means, None
