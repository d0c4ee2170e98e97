# SPDX-License-Identifier: GPL-3.0-or-later
"""Video motion capture.

    from smplit.mocap import init_model, mocap
    model = init_model()
    mocap(model, "in.mp4", "out.npz")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smplit.body.model import BodyModel
    from smplit.motion import Motion
    from smplit.progress import Reporter


def init_model(body_file: str | Path | None = None, device: str = "auto") -> BodyModel:
    """Loads what every capture needs, once; pass the result to `mocap`.

    Args:
        body_file: an SMPL-X npz; by default the best one found (`smplit models list`).
        device: auto, cpu, cuda, cuda:N or mps.
    """
    from smplit.body.model import BodyModel
    from smplit.device import resolve_device

    return BodyModel.load(body_file, device=resolve_device(device))


def mocap(model: BodyModel, video: str | Path, output: str | Path, reporter: Reporter | None = None, **options) -> list[Motion]:
    """Captures a video.

    Args:
        model: what `init_model` returned.
        video: path of the video.
        output: `X.npz` for the largest person alone, or a folder for one file per person.
        reporter: receives progress.
        **options: fields of `smplit.mocap.options.CaptureOptions`.

    Returns:
        The motions, in the order of the files.

    Raises:
        BadInput: the video or an option cannot be used; nothing is written.
    """
    from smplit.mocap.options import CaptureOptions
    from smplit.mocap.pipeline import capture

    output = Path(output)
    single = output.suffix == ".npz"
    if single:
        options.setdefault("people", "largest")
    results = capture(video, output.parent if single else output, CaptureOptions.from_dict(options), reporter, body=model)
    if single:
        results[0].path.replace(output)
    return [result.motion for result in results]
