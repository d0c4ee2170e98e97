# SPDX-License-Identifier: GPL-3.0-or-later
"""Truth clips: the person in the picture is where the truth says, and cameras and times are what was asked for."""

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.evaluation.truth import read_truth
from smplit.motion import joint_transforms

moderngl = pytest.importorskip("moderngl", reason="the truth renderer needs moderngl")
ROOT = Path(__file__).resolve().parents[2]
MOTION = ROOT.parent / "shared" / "motion"
SIZE = (320, 180)


@pytest.fixture(scope="module", autouse=True)
def tool_path():
    """The tool's own modules are found as they are when it runs: beside it."""
    sys.path.insert(0, str(ROOT / "tools"))
    yield
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz")


@pytest.fixture(scope="module")
def renderer(body):
    from truth_clips.looks import LOOKS
    from truth_clips.places import build
    from truth_clips.renderer import Renderer

    try:
        made = Renderer(SIZE, body)
    except Exception as error:  # moderngl raises plain Exception without an EGL driver
        pytest.skip(f"no EGL driver for off-screen OpenGL: {error}")
    made.set_place(build("room", 1, np.zeros((1, 2))), [LOOKS["ann"]], (-0.4, -0.7, 1.0), (0.5, 0.5, 0.5), 1)
    return made


def standing(body):
    """Vertices (V,3) and joints (55,3) of a T-pose on the floor, Z up."""
    poses = np.zeros((1, 165))
    poses[0, 0] = np.pi / 2
    rest = body.rest_joints().numpy()
    trans = np.zeros((1, 3))
    joints = joint_transforms(poses, rest)[1][0] + trans
    vertices = body.vertices(poses, trans)[0]
    lift = -vertices[:, 2].min()
    return vertices + [0, 0, lift], joints + [0, 0, lift]


@pytest.mark.parametrize("roll", [0.0, 15.0])
def test_the_silhouette_is_where_the_truth_projects(renderer, body, roll):
    from truth_clips.cameras import Camera, camera_path, intrinsics

    vertices, joints = standing(body)
    camera = Camera(distance=4.0, focal=0.8, roll=roll)
    R, t = camera_path(camera, np.arange(3) / 30, np.zeros((3, 3)), 1)
    K = intrinsics(camera, SIZE)
    renderer._shadow.compare_func = "1"  # shadows would count as person
    shown = renderer.draw([vertices], R[0], t[0], K).astype(int)
    empty = renderer.draw([vertices + [0, 0, -50]], R[0], t[0], K).astype(int)
    renderer._shadow.compare_func = "<="
    rows, columns = np.nonzero(np.abs(shown - empty).max(-1) > 24)

    def pixels(points):
        seen = points @ R[0].T + t[0]
        return seen[:, :2] / seen[:, 2:] * K[0, 0] + K[:2, 2]

    low, high = pixels(vertices).min(0), pixels(vertices).max(0)
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(found, [*low, *high], atol=3.0)  # clothes and hair stand off by a centimetre: about half a pixel
    inside = set(zip(columns.tolist(), rows.tolist(), strict=True))
    body_joints = np.floor(pixels(joints[:22])).astype(int)
    assert all(any((x + dx, y + dy) in inside for dx in (-1, 0, 1) for dy in (-1, 0, 1)) for x, y in body_joints.tolist())


@pytest.mark.parametrize("roll", [0.0, 15.0, -15.0])
def test_a_rolled_camera_is_rolled_by_its_angle(roll):
    from truth_clips.cameras import Camera, camera_path

    R, t = camera_path(Camera(roll=roll, height=0.95, aim=0.95), np.arange(3) / 30, np.zeros((3, 3)), 1)
    up = R[0] @ [0, 0, 1]
    assert np.degrees(np.arctan2(-up[0], -up[1])) == pytest.approx(-roll, abs=1e-9)  # level: up is -y in the picture
    np.testing.assert_allclose(-R[0].T @ t[0], [0, -4.5, 0.95], atol=1e-9)


def test_a_panning_camera_turns_in_place_and_a_travelling_one_goes_along():
    from truth_clips.cameras import Camera, camera_path

    times = np.arange(60) / 30
    walk = np.stack([np.linspace(-1, 1, 60), np.zeros(60), np.ones(60)], 1)
    centre = lambda R, t: -np.einsum("tji,tj->ti", R, t)
    R, t = camera_path(Camera("pan"), times, walk, 1)
    np.testing.assert_allclose(centre(R, t), np.tile(centre(R, t)[:1], (60, 1)), atol=1e-9)
    assert np.degrees(Rotation.from_matrix(R[-1] @ R[0].T).magnitude()) > 15
    R, t = camera_path(Camera("travel"), times, walk, 1)
    assert np.linalg.norm(centre(R, t)[-1] - centre(R, t)[0]) > 1.5
    np.testing.assert_allclose(R, np.tile(R[:1], (60, 1, 1)), atol=1e-9)


def test_the_sets_share_no_recording_and_no_person():
    from truth_clips.clips import SETS

    people = {name: [person for clip in clips for person in clip.people] for name, clips in SETS.items()}
    for what in ("source", "look"):
        tuning, validation = ({getattr(p, what) for p in people[name]} for name in ("tuning", "validation"))
        assert tuning and validation and not tuning & validation
    kinds = {clip.camera.kind for clips in SETS.values() for clip in clips}
    assert {"static", "pan", "travel"} <= kinds
    assert {clip.camera.roll for clip in SETS["tuning"]} >= {0.0, 15.0}


@pytest.mark.slow
def test_a_written_clip_and_its_truth_agree(tmp_path, body, renderer):
    if not MOTION.is_dir():
        pytest.skip("needs ../shared/motion")
    from make_truth_clips import make_clip
    from truth_clips.clips import SETS
    from truth_clips.people import MotionPack

    clip = next(c for c in SETS["tuning"] if c.name == "turning_24fps")
    make_clip(clip, "tuning", body, MotionPack(MOTION), tmp_path, scale=0.25, frames=3)
    truth = read_truth(tmp_path / f"{clip.name}_truth.npz")
    with av.open(str(truth.video)) as container:
        frames = [(float(f.pts * f.time_base), f.width, f.height) for f in container.decode(video=0)]
    np.testing.assert_allclose([time for time, *_ in frames], truth.frame_times, atol=1e-4)
    assert frames[0][1:] == (240, 136) or frames[0][1:] == (240, 134)
    with np.load(tmp_path / f"{clip.name}_truth.npz", allow_pickle=False) as archive:
        entries = dict(archive)
    assert len(truth.joints) == 3 and entries["poses"].shape == (3, 1, 165)
    # The parameters say the same as the joints, by the smplx package's own skinning.
    vertices = body.vertices(entries["poses"][:, 0], entries["trans"][:, 0], entries["betas"][0], entries["expression"][:, 0])
    rest = body.rest_joints(entries["betas"][0]).numpy()
    joints = joint_transforms(entries["poses"][:, 0], rest)[1] + entries["trans"][:, 0, None]
    np.testing.assert_allclose(joints, entries["joints"][:, 0], atol=1e-5)
    distance = np.linalg.norm(entries["foot_points"][:, 0, :, None] - vertices[:, None], axis=-1).min(-1)
    np.testing.assert_allclose(distance, 0, atol=1e-5)
    assert vertices[..., 2].min() > -0.03  # stands on the floor, not in it
