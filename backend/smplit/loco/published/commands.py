# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit loco original` does: a published checkpoint and a named path -> motion files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.export.whole_file import whole_file
from smplit.imports import import_motion
from smplit.loco.published.files import load
from smplit.loco.published.motions import original_rollout
from smplit.loco.published.options import RolloutOptions
from smplit.progress import Reporter


def walk_original(
    checkpoint: Path, output: Path, options: RolloutOptions, body: BodyModel, reporter: Reporter, *, statistics: Path | None = None,
    styles: Sequence[str] = (), starts: Sequence[Path] = (), seed: int = 10, device: str = "cpu",
) -> list[dict]:
    """Writes OUTPUT/<style>_pred_<number>_<path>_dir<0|1>_speed<m/s>_Face<0|1>.npz for each sample, as the original names them.

    Args:
        statistics: mean and std npz of a published checkpoint.
        styles: one for each sample, in turn; starts: motion files to go on from, in turn.

    Returns:
        A row per file: file, style, frames, path in m.

    Raises:
        BadInput: a file or an option cannot be used; nothing is written.
    """
    loco = load(checkpoint, statistics)
    begun = [import_motion(path) for path in starts]
    made = original_rollout(loco, options, body, styles=styles, starts=begun, seed=seed, device=device, reporter=reporter)
    rows = []
    for number, one in enumerate(made):
        name = f"{one.style or 'walk'}_pred_{number}_{options.difine_traj}_dir{int(bool(options.traj_rev_dir))}"
        file = output / f"{name}_speed{options.infer_walk_speed:g}_Face{options.traj_face_type}.npz"
        with whole_file(file) as temporary:
            one.motion.save(temporary)
        walked = np.linalg.norm(np.diff(one.motion.trans[:, :2], axis=0), axis=-1).sum()
        rows.append({"file": str(file), "style": one.style, "frames": len(one.motion), "path_m": round(float(walked), 2)})
    return rows
