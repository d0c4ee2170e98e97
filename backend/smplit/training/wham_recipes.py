# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the published WHAM: stage 1 lifts keypoints of recorded motion, stage 2 adds image features of videos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from smplit.evaluation.metrics import mpjpe, pa_mpjpe, root_error
from smplit.mocap.wham.body import SmplBody
from smplit.mocap.wham.lift import Lifted, Scene, to_world
from smplit.mocap.wham.lift import Path as WorldPath
from smplit.mocap.wham.load import FEATURES, LIFTING, save_network
from smplit.mocap.wham.network import Inputs, Wham
from smplit.mocap.wham.rotations import matrix_from_rows
from smplit.mocap.wham.world import rollout
from smplit.training.wham_losses import LossWeights, Targets, Views, losses, views

Batch = tuple[Inputs, Scene, Targets]
_CAMERA_AFTER = 0.05  # share of the steps of stage 1 before the camera is looked at: 5 of 100 epochs
_INTEGRATOR_SHARE = 10.0  # of the learning rate
_LIMBS, _HIPS = slice(5, 17), (6, 7)  # COCO without the face, and the hips of these


class WhamTraining(nn.Module):
    """The network with all that its losses need, in one call, and with the number of steps made, so that both are saved."""

    def __init__(self, network: Wham, body: SmplBody, vertices: bool = False):
        super().__init__()
        self.network, self.body, self.vertices = network, body, vertices
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Inputs, scene: Scene) -> tuple[Lifted, Views]:
        if self.training:
            self.steps += 1
        answer, _ = self.network(inputs)
        lifted, _ = to_world(self.network, self.body, answer, scene, WorldPath(inputs.init_root), self.vertices)
        return lifted, views(lifted, scene)


class WhamRecipe:
    """What the trainer needs, of either stage.

    Args:
        network: new for stage 1, of stage 1 for stage 2.
        windows: makes a batch; held_out: made once and judged again and again.
        stage: `LIFTING` or `FEATURES`; weights: of the losses.
        steps: of the whole run; the first share of stage 1 does without the camera's loss.
        vertices: the windows also tell the true surface.
    """

    def __init__(
        self, network: Wham, body: SmplBody, windows: Callable[[torch.Generator], Batch], held_out: list[Batch], stage: int, weights: LossWeights,
        steps: int, device: str = "cpu", vertices: bool = False,
    ):
        self.name = "wham-stage1-original" if stage == LIFTING else "wham-stage2"
        self.model = WhamTraining(network, body, vertices).to(device)
        self.windows, self.held_out, self.stage, self.weights, self.device = windows, held_out, stage, weights, device
        self.camera_from = round(_CAMERA_AFTER * steps) if stage == LIFTING else 0
        # No gradient reaches the integrator in stage 1; workers that share gradients must know it.
        network.integrator.requires_grad_(stage == FEATURES)

    def prepare(self, generator: torch.Generator) -> None:
        """Nothing: inputs are used as they are."""

    def groups(self, model: WhamTraining) -> list[dict]:
        """The integrator is new in stage 2, the rest is not."""
        share = _INTEGRATOR_SHARE if self.stage == FEATURES else 1.0
        new = list(model.network.integrator.parameters())
        others = [value for value in model.parameters() if not any(value is one for one in new)]
        return [{"params": others, "share": 1.0}, {"params": new, "share": share}]

    def batch(self, generator: torch.Generator) -> Batch:
        with torch.no_grad():
            made = self.windows(generator)
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator, device=self.device)))  # dropout's, so that a resumed run is exact
        return made

    def loss(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        inputs, scene, truth = batch
        with torch.autocast("cuda", enabled=False):  # errors of half precision would be fed back frame by frame
            lifted, seen = model(inputs, scene)
            return losses(lifted, seen, truth, scene.bbox, self.weights, with_camera=bool(self.model.steps > self.camera_from))

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Held-out windows: the whole loss; errors of limbs and trunk without and with alignment, mm; of the path after a rigid one, m."""
        found: dict[str, list[float]] = {"held_out": [], "mpjpe_mm": [], "pa_mpjpe_mm": [], "path_m": []}
        model.eval()
        for inputs, scene, truth in self.held_out:
            lifted, seen = model(inputs, scene)
            found["held_out"].append(float(torch.stack(list(losses(lifted, seen, truth, scene.bbox, self.weights).values())).sum()))
            for item in torch.nonzero(truth.has_smpl).flatten().tolist():
                joints, true = (_numbers(points[item, :, _LIMBS, :3]) for points in (lifted.keypoints, truth.keypoints))
                found["mpjpe_mm"].append(mpjpe(joints, true, _HIPS))
                found["pa_mpjpe_mm"].append(pa_mpjpe(joints, true))
            way = rollout(matrix_from_rows(truth.root), truth.velocity)
            for item in torch.nonzero(truth.has_path).flatten().tolist():
                found["path_m"].append(root_error(_numbers(lifted.refined_place[item]), _numbers(way[item])))
        model.train()
        return {name: sum(values) / len(values) if values else float("nan") for name, values in found.items()}

    def export(self, model: WhamTraining, path: Path, card: dict[str, str]) -> None:
        save_network(model.network, path, self.stage, card)


def _numbers(values: Tensor) -> np.ndarray:
    return values.cpu().double().numpy()
