# SPDX-License-Identifier: GPL-3.0-or-later
"""From a video's keypoints to a body on the video's times: frame rates, gaps, moving cameras, gravity."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from wham_goldens import toy_body

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.clock import even_times
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.wham.boxes import SEEN
from smplit.mocap.wham.estimate import Images, Keypoints, WhamEstimator, resampled_keypoints, world_axes
from smplit.mocap.wham.from_landmarks import coco_keypoints, start_of_landmarks
from smplit.mocap.wham.network import Prediction, Wham
from smplit.mocap.wham.preprocessing import Start
from smplit.mocap.wham.rotations import Y_DOWN_TO_Z_UP, rows_from_matrix
from smplit.motion import BODY_JOINTS

SIZE = (1280, 720)
K = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
START = Start(torch.eye(3).repeat(24, 1, 1), torch.zeros(10))


@pytest.fixture(scope="module")
def estimator():
    torch.manual_seed(3)
    network = Wham(16)
    torch.nn.init.normal_(network.integrator.layer2.weight, std=0.05)  # as if it had learned
    return WhamEstimator(network, toy_body(), False)


def camera_at(times, turn=0.0):
    """One that pans by `turn` rad/s about its y axis from time 0 on."""
    return CameraMotion(Rotation.from_rotvec(np.outer(times, [0.0, turn, 0.0])).as_matrix(), "rotating", K, "given", np.zeros(len(times)))


def keypoints_at(times):
    """Straight lines over time, so that what lies between two frames is known."""
    base = np.random.default_rng(0).uniform([400, 100], [800, 600], (17, 2))
    return Keypoints(base + np.asarray(times)[:, None, None] * [60.0, 15.0], np.full((len(times), 17), 0.9))


def run(estimator, times, keypoints=None, **more):
    times = np.asarray(times, float)
    return estimator(keypoints or keypoints_at(times), more.pop("camera", camera_at(times)), times, SIZE, START, **more)


def test_the_result_is_on_the_videos_times_whatever_the_frame_rate(estimator):
    """At 60 frames a second every second frame is one of the network's, so it says the same there."""
    slow, fast = np.arange(31) / 30, np.arange(61) / 60
    camera = lambda times: camera_at(times, 0.5)
    one = run(estimator, slow, camera=camera(slow))
    other = run(estimator, fast, camera=camera(fast))
    for name in ("rotations", "pelvis", "world_root", "world_pelvis", "contacts"):
        assert len(getattr(one, name)) == 31 and len(getattr(other, name)) == 61
        assert np.abs(getattr(one, name) - getattr(other, name)[::2]).max() < 1e-4, name
    assert one.rotations.shape == (31, 22, 3, 3) and one.betas.shape == (10,)
    for times in (np.arange(25) / 24, np.sort(np.random.default_rng(1).uniform(0, 1, 20))):
        assert len(run(estimator, times).rotations) == len(times)


def test_frames_that_a_video_lacks_are_not_closed_up(estimator):
    """Frames 10 to 15 are missing from the file: on straight lines nothing changes at all."""
    times = np.arange(31) / 30
    there = np.r_[0:10, 16:31]
    whole, parted = run(estimator, times), run(estimator, times[there])
    assert np.abs(whole.rotations[there] - parted.rotations).max() < 1e-4 and np.abs(whole.world_pelvis[there] - parted.world_pelvis).max() < 1e-4


def test_what_a_detector_says_of_unseen_keypoints_is_not_looked_at(estimator):
    times = np.arange(31) / 30
    spoilt, masked, seen = (keypoints_at(times) for _ in range(3))
    for one in (spoilt, masked):
        one.confidence[8:14] = 0.0
        one.confidence[20, 9] = SEEN / 2
    spoilt.pixels[8:14] = 0.0
    spoilt.pixels[20, 9] = 5000.0
    found = [run(estimator, times, one, mirror=False).rotations for one in (spoilt, masked, seen)]
    assert np.abs(found[0] - found[1]).max() < 1e-6
    assert np.abs(found[1] - found[2])[8:].max() > 1e-6  # but the network is told that they were not seen


def test_gaps_are_bridged_and_masked():
    times = np.arange(10) / 30
    one = keypoints_at(times)
    expected = one.pixels.copy()
    one.confidence[3:6, 2], one.pixels[3:6, 2] = 0.0, np.nan
    one.confidence[:, 4] = 0.0  # never seen
    pixels, confidence = resampled_keypoints(one, times, even_times(times))
    assert np.abs(pixels - expected)[:, [0, 2]].max() < 1e-9 and np.isfinite(pixels).all()
    assert (confidence[3:6, 2] == 0).all() and (confidence[[2, 6], 2] == 0.9).all() and (confidence[:, 4] == 0).all()
    between = resampled_keypoints(one, times, (np.arange(9) + 0.5) / 30)[1]
    assert (between[2:6, 2] == 0).all() and (between[[1, 6], 2] == 0.9).all()


def test_one_frame_is_enough_and_none_seen_is_refused(estimator):
    assert run(estimator, [4.0]).rotations.shape == (1, 22, 3, 3)
    nobody = keypoints_at(np.arange(5) / 30)
    nobody.confidence[:] = 0.1
    with pytest.raises(BadInput, match="No keypoint") as error:
        run(estimator, np.arange(5) / 30, nobody)
    assert error.value.code == "no_keypoints"


def test_features_that_were_not_made_of_a_frame_are_its_neighbours(estimator):
    times = np.arange(12) / 30
    features = np.repeat(np.random.default_rng(2).normal(size=(1, 1024)), 12, 0)
    holed = features.copy()
    holed[3:5] = np.nan
    whole, parted, without = (run(estimator, times, images=images).rotations for images in (Images(features), Images(holed), None))
    assert np.abs(whole - parted).max() < 1e-6 and np.abs(whole - without).max() > 1e-6
    with pytest.raises(BadInput, match=r"shape \(12, 7\)"):
        run(estimator, times, images=Images(features[:, :7]))


def test_a_network_that_never_learned_to_use_features_is_given_none():
    times = np.arange(3) / 30
    with pytest.raises(BadInput, match="stage 1") as error:
        run(WhamEstimator(Wham(16), toy_body(), False), times, images=Images(np.ones((3, 1024))))
    assert error.value.code == "wrong_stage"


def test_a_long_clip_can_be_stopped(estimator):
    class Stop(Exception):
        pass

    def check():
        raise Stop

    with pytest.raises(Stop):
        run(estimator, np.arange(5) / 30, check=check)


class Knowing(Wham):
    """Says what it was told at the start, whatever it is shown; its refiner changes nothing."""

    def __init__(self, answer):
        super().__init__(16)
        self.answer = answer
        for layer in (self.trajectory_refiner.refiner.declayer0, self.trajectory_refiner.refiner.declayer1):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, inputs, memory=None):
        first, self.inputs = memory or 0, inputs
        rows = slice(first, first + inputs.x.shape[1])
        cut = {name: getattr(self.answer, name)[:, rows] for name in ("kp3d", "context", "pose", "betas", "cam", "contact", "velocity")}
        return Prediction(**cut, root=self.answer.root[:, first : rows.stop + 1]), rows.stop


def test_a_body_seen_by_a_tilted_panning_camera_walks_upright_in_the_world():
    """Truth: somebody upright walks one metre a second along the world's x and turns; the camera is pitched, rolled and pans.
    The network answers at 30 frames a second; what comes out at the times of a 24 fps video is the truth there."""
    to_first = Rotation.from_euler("ZX", [0.2, 0.3]).as_matrix()  # world (y down) to the first camera
    video, grid = np.arange(25) / 24, even_times(np.arange(25) / 24)
    pan = lambda times: Rotation.from_rotvec(np.outer(times, [0.0, 0.6, 0.0])).as_matrix()
    upright = Rotation.from_euler("x", np.pi)  # SMPL's y up in a world with y down
    root = lambda times: (Rotation.from_rotvec(np.outer(times, [0.0, 0.8, 0.0])) * upright).as_matrix()
    way = lambda times: np.outer(times, [1.0, 0.0, 0.0])
    cam_root = pan(grid) @ to_first @ root(grid)
    pose = torch.eye(3).repeat(1, len(grid), 24, 1, 1)
    pose[0, :, 0] = torch.as_tensor(cam_root, dtype=torch.float32)
    before = np.concatenate([grid[:1], grid])
    roots = root(before)
    velocity = (roots[:-1].transpose(0, 2, 1) @ np.diff(way(before), axis=0)[..., None])[None, ..., 0]
    one = lambda *shape: torch.zeros(1, len(grid), *shape)
    answer = Prediction(
        one(17, 3), one(67), rows_from_matrix(pose).flatten(2), one(10), one(3) + 1.0, one(4), rows_from_matrix(torch.as_tensor(roots[None])).float(),
        torch.as_tensor(velocity, dtype=torch.float32),
    )
    network = Knowing(answer)
    camera = CameraMotion(pan(video), "rotating", K, "given", np.zeros(25))
    start = Start(torch.cat([torch.as_tensor(cam_root[:1], dtype=torch.float32), torch.eye(3).expand(23, 3, 3)]), torch.zeros(10))
    up = to_first @ [0.0, -1.0, 0.0]
    found = WhamEstimator(network, toy_body(), False)(keypoints_at(video), camera, video, SIZE, start, up=up, mirror=False)
    assert np.abs(found.rotations[:, 0] - pan(video) @ to_first @ root(video)).max() < 1e-5
    axes = Y_DOWN_TO_Z_UP.numpy()
    assert np.abs(found.world_root - axes @ root(video)).max() < 1e-5
    assert np.allclose(found.world_root[:, :, 1], [0, 0, 1], atol=1e-5)  # SMPL's up is the world's
    pelvis = found.world_pelvis - found.world_pelvis[:1]
    about = (found.world_root - found.world_root[:1]) @ np.linalg.solve(found.world_root[0], found.world_pelvis[0])  # it sits beside the hips' middle
    assert np.abs(pelvis - about - way(video) @ axes.T).max() < 1e-5
    # The network is told of an upright start, in a world whose y points down.
    assert np.allclose(_matrix(network.inputs.init_root[0])[:, 1], [0, -1, 0], atol=1e-5)


def _matrix(rows):
    first, second = rows[:3].numpy(), rows[3:].numpy()
    return np.stack([first, second, np.cross(first, second)])


def test_a_level_camera_is_assumed_where_nobody_knows_up(estimator):
    assert np.array_equal(world_axes(None), np.eye(3))


def test_landmarks_of_our_detector_become_coco_keypoints_and_a_start():
    """A body at rest seen from the front: y down, its left at the picture's right."""
    rest = BodyModel.load().rest_joints()
    world = np.zeros((2, 33, 3), np.float32)
    place = lambda name: rest[BODY_JOINTS.index(name)].numpy() * [1, -1, -1]
    joints = {11: "left_shoulder", 12: "right_shoulder", 13: "left_elbow", 14: "right_elbow", 15: "left_wrist", 16: "right_wrist",
              23: "left_hip", 24: "right_hip", 25: "left_knee", 26: "right_knee", 27: "left_ankle", 28: "right_ankle",
              29: "left_ankle", 30: "right_ankle", 31: "left_foot", 32: "right_foot"}
    for index, name in joints.items():
        world[:, index] = place(name)
    world[:, 7], world[:, 8], world[:, 0] = place("head") + [0.08, 0, 0], place("head") - [0.08, 0, 0], place("head") + [0, 0.03, -0.1]
    person = PersonLandmarks(
        1, 0, np.array([False, True]), np.array([[540.0, 60, 740, 660]] * 2), np.arange(132.0).reshape(2, 33, 2), np.full((2, 33), 0.8), world,
        *(np.zeros(1),) * 5,
    )
    found = coco_keypoints(person)
    assert found.pixels.shape == (2, 17, 2) and (found.confidence[0] == 0).all() and (found.confidence[1] == 0.8).all()
    assert np.array_equal(found.pixels[1], person.body[1][[0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]])
    start = start_of_landmarks(person, camera_at(np.zeros(2)), rest)
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # towards the camera
    assert (start.rotations[0] - facing).abs().max() < 0.15
    bent = (start.rotations[1:22] - torch.eye(3)).abs().amax((1, 2))
    assert bent[[0, 1, 3, 4, 15, 16, 17, 18]].max() < 0.45, bent  # hips, knees, elbows; and shoulders: nobody sees how a straight arm is twisted
