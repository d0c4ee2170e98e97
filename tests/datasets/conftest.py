# SPDX-License-Identifier: GPL-3.0-or-later
"""Little data sets in the layouts of AMASS, 100STYLE and BVH folders."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.export import export_motion
from smplit.motion import Motion


def swaying(seconds, fps, seed=0):
    """poses (T,55,3) rad, trans (T,3) m of a person who stands, sways and bends the arms; Z up, soles near 1 m below the pelvis."""
    times = np.arange(round(seconds * fps)) / fps
    poses = np.zeros((len(times), 55, 3), np.float32)
    poses[:, 0] = (Rotation.from_euler("z", 40.0 * seed, degrees=True) * Rotation.from_euler("x", 90, degrees=True)).as_rotvec()
    poses[:, 16, 2] = -1.1 + 0.2 * np.sin(2 * times + seed)
    poses[:, 17, 2] = 1.1
    poses[:, 18, 1] = -0.6 * np.sin(3 * times) ** 2
    return poses, np.stack([np.full(len(times), 2.0 + seed), np.full(len(times), -1.0), np.full(len(times), 1.31)], 1).astype(np.float32)


@pytest.fixture(scope="session", name="swaying")
def swaying_fixture():
    return swaying


@pytest.fixture(scope="session")
def amass(tmp_path_factory):
    """An AMASS tree: SMPL-H and SMPL-X files at several rates, and files that must be dropped."""
    root = tmp_path_factory.mktemp("amass")

    def save(name, seconds, fps, joints=52, rate="mocap_framerate", change=None, **more):
        poses, trans = swaying(seconds, fps, len(name) % 5)
        entries = {"poses": poses[:, :joints].reshape(len(poses), -1), "trans": trans, rate: np.array(fps), **more}
        entries.update(betas=np.zeros(16), gender=np.array("male"))
        if change:
            change(entries)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(root / name, **entries)

    save("ACCAD/s001/wave_poses.npz", 3.0, 120.0)
    save("ACCAD/s002/stand_stageii.npz", 2.5, 59.0, 55, "mocap_frame_rate", surface_model_type=np.array("smplx"))
    save("CMU/02/02_01_poses.npz", 2.0, 100.0)
    save("CMU/02/short_poses.npz", 0.8, 120.0)
    save("CMU/03/nan_poses.npz", 2.0, 60.0, change=lambda entries: entries["trans"].__setitem__((3, 1), np.nan))
    save("BioMotionLab_NTroje/rub001/0005_treadmill_slow_poses.npz", 2.0, 120.0)
    save("CMU/79/skate_poses.npz", 2.0, 120.0)
    np.savez(root / "CMU" / "02" / "shape.npz", betas=np.zeros(16))
    (root / "CMU" / "02" / "broken_poses.npz").write_bytes(b"PK\x03\x04 nothing")
    return root


@pytest.fixture(scope="session")
def write_bvh():
    """`write_bvh(path, seconds, fps, seed)`: a swaying person as a BVH file with SMPL-X's joint names."""
    body = BodyModel.load()

    def write(path, seconds=2.0, fps=30.0, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        poses, trans = swaying(seconds, fps, seed)
        export_motion(Motion(poses.reshape(len(poses), -1), trans, fps), path, None, body)
        return path

    return write
