# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM's optional afterthought: pose, shape and camera are bent over the whole clip until the keypoints fit (SPEC, section 11).

The objective is the original's. Its optimisation gets less far (on the goldens' clip from 538 to 443, this to 354): its numbers
are those of a second stage that clears the camera's gradients alone, while pose's and shape's add up from call to call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smplit.mocap.wham.body import JOINTS, SmplBody
from smplit.mocap.wham.camera import BOX_UNIT, place_in_camera, project
from smplit.mocap.wham.lift import Lifted, Path, Scene, answers, to_world, whole_answer
from smplit.mocap.wham.network import KEYPOINTS, Inputs, Prediction, Wham
from smplit.mocap.wham.rotations import matrix_from_rows

_OUTLIER = 100.0  # px: errors far beyond it stop to count
_REPROJECTION, _REGULARISE, _SHAPE_CHANGE, _SHAPE_SIZE, _SMOOTH = 100.0, 60.0, 10.0, 0.04, 20.0
_STEPS, _ITERATIONS, _RATE = 10, 5, 0.01


@dataclass
class Bent:
    """What is varied: `pose` (B,F,144) 6D rows, `betas` (B,F,10), `cam` (B,F,3)."""

    pose: Tensor
    betas: Tensor
    cam: Tensor


def robust(error: Tensor, scale: float = _OUTLIER) -> Tensor:
    """Geman and McClure's: square when small, `scale` squared when large."""
    square = error.square()
    return scale**2 * square / (scale**2 + square)


def objective(bent: Bent, initial_pose: Tensor, keypoints: Tensor, scene: Scene, body: SmplBody) -> dict[str, Tensor]:
    """Weighted parts.

    Args:
        initial_pose: (B,F,144); keypoints: (B,F,17,3) px and confidence, COCO.
    """
    batch, frames = bent.pose.shape[:2]
    rotations = matrix_from_rows(bent.pose.view(-1, JOINTS, 6))
    points = body(rotations, bent.betas.flatten(0, 1)).keypoints[:, :KEYPOINTS].view(batch, frames, KEYPOINTS, 3)
    pixels = project(points + place_in_camera(bent.cam, scene.K, scene.bbox, scene.size)[:, :, None], scene.K)
    error = robust(pixels - keypoints[..., :2]) * keypoints[..., 2:] / (scene.bbox[..., None, 2:] * BOX_UNIT)
    change = bent.betas.std(1).mean() if frames > 1 else bent.betas.new_zeros(())
    return {
        "reprojection": _REPROJECTION * error.mean(),
        "regularize": _REGULARISE * (bent.pose - initial_pose).norm(dim=-1).mean(),
        "shape": _SHAPE_CHANGE * change + _SHAPE_SIZE * bent.betas.norm(dim=-1).mean(),
        "smooth": _SMOOTH * (_bends(bent.pose) + _bends(bent.cam)),
    }


def _bends(curves: Tensor) -> Tensor:
    """Mean norm of the second difference of (B,F,D); 0 below three frames."""
    second = curves[:, 2:] - 2.0 * curves[:, 1:-1] + curves[:, :-2]
    return second.norm(dim=-1).mean() if second.shape[1] else curves.new_zeros(())


@torch.no_grad()
def lift_and_bend(
    network: Wham, body: SmplBody, inputs: Inputs, scene: Scene, keypoints: Tensor, mirrored: Inputs | None = None,
    check: Callable[[], None] = lambda: None,
) -> Lifted:
    """`lift.lift` with the fit between the network and the world; a clip is bent as a whole, so memory grows with it.

    Args:
        keypoints: (B,F,17,3) px and confidence.
    """
    answer = fit(whole_answer(answers(network, inputs, mirrored)), keypoints, scene, body, check)
    return to_world(network, body, answer, scene, Path(inputs.init_root))[0]


def fit(answer: Prediction, keypoints: Tensor, scene: Scene, body: SmplBody, check: Callable[[], None] = lambda: None) -> Prediction:
    """The camera first, then everything, by L-BFGS; the world is to be made again from what comes out (`lift.to_world`).

    Args:
        keypoints: (B,F,17,3) px and confidence; check: called between steps, may raise.
    """
    start = answer.pose.detach()
    bent = Bent(*(values.detach().clone().requires_grad_() for values in (answer.pose, answer.betas, answer.cam)))
    for varied, rate in (([bent.cam], _RATE), ([bent.pose, bent.betas, bent.cam], _RATE * start.shape[1])):
        optimiser = torch.optim.LBFGS(varied, lr=rate, max_iter=_ITERATIONS, line_search_fn="strong_wolfe")

        def closure(optimiser: torch.optim.Optimizer = optimiser) -> Tensor:
            optimiser.zero_grad()
            loss = torch.stack(list(objective(bent, start, keypoints, scene, body).values())).sum()
            loss.backward()
            return loss

        for _ in range(_STEPS):
            check()
            with torch.enable_grad():
                optimiser.step(closure)
    return replace(answer, pose=bent.pose.detach(), betas=bent.betas.detach(), cam=bent.cam.detach())
