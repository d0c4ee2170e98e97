# SPDX-License-Identifier: GPL-3.0-or-later
"""The filming camera in Blender sees what K, R and t say, and the footage stays in step with the keys."""

import subprocess

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene.actions import curves_of
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

MAKE_VIDEO = """
import sys
import av, numpy
path, fps, frames, width, height = sys.argv[1], *map(int, sys.argv[2:])
with av.open(path, "w") as container:
    stream = container.add_stream("mpeg4", rate=fps)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    for index in range(frames):
        picture = numpy.full((height, width, 3), (5 * index) % 256, numpy.uint8)
        for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
"""


@pytest.fixture
def make_video(backend_python, tmp_path):
    def make(fps=30, frames=40, size=(320, 240), name="walk.mp4"):
        path = tmp_path / name
        subprocess.run([backend_python, "-c", MAKE_VIDEO, path, str(fps), str(frames), *map(str, size)], check=True)
        return path

    return make


def rotation(axis, degrees):
    """(3,3), Rodrigues."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def standing(rows, K, R, t, fps=30.0, **more):
    """Somebody who stands still, filmed by a camera R (T,3,3) or (3,3), t (T,3) or (3,)."""
    poses = np.zeros((rows, 165), np.float32)
    poses[:, 0] = np.pi / 2
    return {
        "poses": poses, "trans": np.zeros((rows, 3), np.float32), "frame_times": np.arange(rows) / fps, "camera_K": K,
        "camera_R": np.broadcast_to(R, (rows, 3, 3)).astype(np.float32), "camera_t": np.broadcast_to(t, (rows, 3)).astype(np.float32),
        "betas": np.zeros(10), "mocap_frame_rate": np.array(fps), **more,
    }


def camera_object():
    return next(thing for thing in bpy.data.objects if thing.type == "CAMERA")


def pixel_seen(scene, camera, point, size):
    """Pixel (2,) of the video that Blender's camera shows the world point at: the video fills the frame's width or
    its height, whichever is reached first, as a background image with Fit does."""
    u, v, _ = world_to_camera_view(scene, camera, Vector(point))
    width, height = scene.render.resolution_x, scene.render.resolution_y
    scale = min(width / size[0], height / size[1])  # frame px per video px
    return np.array([(u - 0.5) * width / scale + size[0] / 2, (0.5 - v) * height / scale + size[1] / 2])


def pixel_filmed(K, R, t, point):
    x, y, z = K @ (R @ point + t)
    return np.array([x / z, y / z])


LOOK = rotation((1, 0, 0), 90) @ rotation((0, 0, 1), 20)  # world Z up -> camera Y down, turned a little


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (1080, 1920), (500, 500)])
@pytest.mark.parametrize("frame", [(1920, 1080), (1080, 1920), (800, 800)])
def test_the_camera_projects_as_its_matrices_say(write, empty_file, size, frame):
    empty_file.render.resolution_x, empty_file.render.resolution_y = frame
    K = np.array([[1.1 * size[0], 0, 0.5 * size[0]], [0, 1.1 * size[0], 0.5 * size[1]], [0, 0, 1]])
    t = np.array([0.2, 1.0, 4.0])
    write(standing(3, K, LOOK, t), end=True)
    bpy.context.view_layer.update()
    for point in ([0, 0, 1], [0.5, 0.3, 1.6], [-0.4, -0.2, 0.1]):
        assert np.abs(pixel_seen(empty_file, camera_object(), point, size) - pixel_filmed(K, LOOK, t, np.array(point))).max() < 0.5


def test_a_principal_point_beside_the_middle_shifts_the_lens(write, empty_file, make_video):
    K = np.array([[400.0, 0, 140.0], [0, 400.0, 131.0], [0, 0, 1]])
    t = np.array([0.0, 1.0, 5.0])
    write(standing(3, K, LOOK, t), end=True, video=make_video(size=(320, 240)))
    bpy.context.view_layer.update()
    for point in ([0, 0, 1], [0.5, 0.3, 1.6]):
        assert np.abs(pixel_seen(empty_file, camera_object(), point, (320, 240)) - pixel_filmed(K, LOOK, t, np.array(point))).max() < 0.1


def test_a_camera_that_stands_still_gets_no_keys(write, empty_file):
    K = np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]])
    write(standing(40, K, LOOK, np.array([0.0, 1.0, 4.0])), end=True)
    camera = camera_object()
    assert camera.animation_data is None
    assert empty_file.camera == camera, "the scene had none"
    assert np.array(camera.matrix_world.translation) == pytest.approx(-LOOK.T @ np.array([0.0, 1.0, 4.0]), abs=1e-5)


def test_a_camera_that_turns_and_travels_is_keyed_frame_by_frame(write, empty_file):
    rows = 50
    K = np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]])
    R = np.stack([LOOK @ rotation((0, 0, 1), 3.0 * row) for row in range(rows)])
    t = np.stack([[0.02 * row, 1.0, 4.0 + 0.05 * row] for row in range(rows)])
    write(standing(rows, K, R, t, fps=25.0), cuts=[(30, 50), (0, 30)], end=True)
    for row in (0, 17, 49):
        frame = 1 + row * 24 / 25
        empty_file.frame_set(int(frame), subframe=frame - int(frame))
        for point in (np.array([0, 0, 1.0]), np.array([0.3, 0.1, 1.5])):
            seen = pixel_seen(empty_file, camera_object(), point, (960, 540))
            assert np.abs(seen - pixel_filmed(K, R[row], t[row], point)).max() < 0.6, row


def test_two_people_were_filmed_by_one_camera(write):
    K = np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]])
    R = np.stack([LOOK @ rotation((0, 0, 1), row) for row in range(60)])
    entries = standing(60, K, R, np.array([0.0, 1.0, 4.0]))
    late = {**{name: value[20:] for name, value in entries.items() if name in ("poses", "trans", "frame_times", "camera_R", "camera_t")},
            "camera_K": K, "betas": np.zeros(10), "mocap_frame_rate": np.array(30.0)}
    writer = write(late)
    write(entries, person=2, writer=writer, end=True)
    cameras = [thing for thing in bpy.data.objects if thing.type == "CAMERA"]
    assert len(cameras) == 1
    curves, _ = curves_of(cameras[0].animation_data.action)
    assert {len(curve.keyframe_points) for curve in curves} == {60}


def test_the_users_camera_stays_the_scenes_camera(write, empty_file):
    theirs = bpy.data.objects.new("walk camera", bpy.data.cameras.new("walk camera"))
    empty_file.collection.objects.link(theirs)
    empty_file.camera = theirs
    write(standing(5, np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]]), LOOK, np.array([0.0, 1.0, 4.0])), end=True)
    assert empty_file.camera == theirs
    assert theirs.data.lens == 50.0 and len(theirs.data.background_images) == 0


def movie_frame(image_user, scene_frame):
    """Which frame of a movie (from 1) Blender shows: BKE_image_user_frame_get in Blender's source."""
    clipped = min(max(scene_frame - image_user.frame_start + 1, 0), image_user.frame_duration)
    return clipped + image_user.frame_offset


@pytest.mark.parametrize(("video_fps", "scene_fps", "start", "origin"), [
    (24, 24, 1, 0.0), (24, 24, 101, 0.0), (30, 24, 1, 0.0), (5, 24, 1, 0.0), (60, 24, 50, 0.0), (25, 60, 1, 0.0), (30, 24, 1, 1.5),
])
def test_the_footage_is_in_step_with_the_keys(write, empty_file, make_video, video_fps, scene_fps, start, origin):
    empty_file.render.fps, empty_file.frame_start = scene_fps, start
    frames = 4 * video_fps
    video = make_video(video_fps, frames)
    K = np.array([[400.0, 0, 160], [0, 400.0, 120], [0, 0, 1]])
    write(standing(frames, K, LOOK, np.array([0.0, 1.0, 4.0]), fps=video_fps), end=True, video=video, origin=origin)
    camera = camera_object().data
    assert camera.show_background_images
    (background,) = camera.background_images
    assert background.image.filepath.endswith("walk.mp4") and background.image.source == "MOVIE"
    last = start + int((4 - origin) * scene_fps)
    for frame in range(start, last, 7):
        empty_file.frame_set(frame)
        seconds = origin + (frame - start) / scene_fps
        shown = movie_frame(background.image_user, frame)
        assert abs(shown - (1 + seconds * video_fps)) <= 1.0, f"scene frame {frame}"


def test_footage_behind_a_motion_with_uneven_times_keeps_the_videos_own_rate(write, empty_file, make_video):
    rows = 40
    times = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.2, rows))
    K = np.array([[400.0, 0, 160], [0, 400.0, 120], [0, 0, 1]])
    entries = standing(rows, K, LOOK, np.array([0.0, 1.0, 4.0]), frame_times=times)
    write(entries, end=True, video=make_video(30, 150))
    user = camera_object().data.background_images[0].image_user
    for frame in (1, 30, 90):
        empty_file.frame_set(frame)
        assert abs(movie_frame(user, frame) - (1 + (frame - 1) / 24 * 30)) <= 1.0


def test_a_motion_that_tells_the_size_of_its_video_needs_no_decoding(write, empty_file, tmp_path):
    """Decoding the first picture would stop the interface for a moment."""
    (tmp_path / "walk.mp4").write_bytes(b"not a video at all")
    K = np.array([[400.0, 0, 140.0], [0, 400.0, 131.0], [0, 0, 1]])
    t = np.array([0.0, 1.0, 5.0])
    entries = standing(30, K, LOOK, t, smplit_video_size=np.array([320, 240]))
    write(entries, end=True, video=tmp_path / "walk.mp4")
    bpy.context.view_layer.update()
    seen = pixel_seen(empty_file, camera_object(), [0.5, 0.3, 1.6], (320, 240))
    assert np.abs(seen - pixel_filmed(K, LOOK, t, np.array([0.5, 0.3, 1.6]))).max() < 0.1
    assert len(camera_object().data.background_images) == 1


def test_a_lost_video_gives_a_camera_without_footage(write, tmp_path):
    K = np.array([[400.0, 0, 160], [0, 400.0, 120], [0, 0, 1]])
    writer = write(standing(5, K, LOOK, np.array([0.0, 1.0, 4.0])), end=True, video=tmp_path / "gone.mp4")
    assert writer.done
    assert not camera_object().data.show_background_images
    assert not bpy.data.images and not bpy.data.movieclips
