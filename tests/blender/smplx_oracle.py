# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the backend's Python: BODY.npz OUT.npz. The `smplx` package poses the body; Blender has to agree.

Pose correctives are switched off (`posedirs` zero): the body in Blender has none.
"""

import sys

import numpy as np
import smplx
import torch
from scipy.spatial.transform import Rotation

FRAMES = 12
FPS = 30.0


def main(body: str, output: str) -> None:
    generator = np.random.default_rng(11)
    axis_angle = generator.normal(0.0, 0.35, (FRAMES, 55, 3))
    axis_angle[0] = 0.0
    # The root as AMASS files have it: a person who stands upright with Z up, turned any way.
    upright = Rotation.from_euler("x", 90, degrees=True)
    heading = Rotation.from_euler("z", generator.uniform(-180, 180, (FRAMES, 1)), degrees=True)
    axis_angle[:, 0] = (heading * Rotation.from_rotvec(generator.normal(0.0, 0.3, (FRAMES, 3))) * upright).as_rotvec()
    betas = generator.normal(0.0, 1.2, 10)
    trans = generator.normal(0.0, 1.5, (FRAMES, 3))
    with np.load(body, allow_pickle=False) as archive:
        names = archive["smplit_expr_names"]
    expression = generator.uniform(0.0, 0.4, (FRAMES, len(names)))

    model = smplx.SMPLX(
        body, use_pca=False, flat_hand_mean=True, num_betas=10, num_expression_coeffs=len(names), ext="npz", dtype=torch.float64,
    )
    model.posedirs.zero_()
    vertices, joints = [], []
    parts = {"global_orient": (0, 1), "body_pose": (1, 22), "jaw_pose": (22, 23), "leye_pose": (23, 24), "reye_pose": (24, 25),
             "left_hand_pose": (25, 40), "right_hand_pose": (40, 55)}
    for frame in range(FRAMES):  # one at a time: smplx's face landmarks need the model's own batch size
        pose = {name: torch.as_tensor(axis_angle[frame, a:b].reshape(1, -1)) for name, (a, b) in parts.items()}
        pose.update(betas=torch.as_tensor(betas)[None], transl=torch.as_tensor(trans[frame])[None])
        smiling = model(expression=torch.as_tensor(expression[frame])[None], **pose)
        vertices.append(smiling.vertices[0].detach().numpy())
        # smplx lets expressions shift the joints of the head by half a millimetre; bones stay.
        calm = model(expression=torch.zeros(1, len(names), dtype=torch.float64), **pose)
        joints.append(calm.joints[0, :55].detach().numpy())
    np.savez(
        output, poses=axis_angle.reshape(FRAMES, 165), trans=trans, betas=betas, expression=expression, expression_names=names,
        mocap_frame_rate=FPS, vertices=np.stack(vertices), joints=np.stack(joints),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
