# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies lie over the video's own frames, at the frames' own times."""

import av
import cv2
import numpy as np
import pytest

from smplit.errors import BadInput, Cancelled
from smplit.motion import Motion
from smplit.progress import Reporter
from smplit.view.overlay import render_overlay


def frames_of(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def silhouette(image, top=0):
    """x0, y0, x1, y1 of what is not the video's grey, below the words at its `top`."""
    rows, columns = np.nonzero(np.abs(image[top:].astype(int) - 128).max(2) > 24)
    return columns.min(), rows.min() + top, columns.max() + 1, rows.max() + 1 + top


def expected_box(motion, frame, body):
    """Where OpenCV projects the body's vertices."""
    points = body.vertices(motion.poses[frame : frame + 1], motion.trans[frame : frame + 1], motion.betas)[0].astype(np.float64)
    turn = cv2.Rodrigues(motion.camera_R[frame].astype(np.float64))[0]
    pixels = cv2.projectPoints(points, turn, motion.camera_t[frame].astype(np.float64), motion.camera_K.astype(np.float64), None)[0][:, 0]
    return (*pixels.min(0), *pixels.max(0))


def test_the_film_keeps_the_frames_times_and_shows_the_body_where_the_camera_saw_it(motion, video, body, tmp_path):
    render_overlay(video, [motion], tmp_path / "o.mp4", tmp_path / "s.png", body=body)
    shown = frames_of(tmp_path / "o.mp4")
    assert np.diff([time for time, _ in shown]) == pytest.approx(np.diff(motion.frame_times), abs=1e-3)
    for frame in (0, 3, 7):
        x0, _, x1, y1 = silhouette(shown[frame][1][:215], top=40)
        ex0, _, ex1, ey1 = expected_box(motion, frame, body)
        assert (x0, x1) == pytest.approx((max(ex0, 0), min(ex1, 320)), abs=3), frame
        assert y1 == pytest.approx(min(ey1, 215), abs=3), frame


def test_the_sheet_shows_every_frame_of_a_short_clip(motion, video, body, tmp_path):
    render_overlay(video, [motion], tmp_path / "o.mp4", tmp_path / "s.png", body=body)
    picture = cv2.imread(str(tmp_path / "s.png"))
    assert picture.shape[1] > 4 * 480 and (picture.std(axis=(0, 1)) > 10).all()


def test_a_person_is_shown_only_while_in_the_clip(motion, video, body, tmp_path):
    late = motion[slice(4, 8)]
    render_overlay(video, [late, motion[slice(0, 2)]], tmp_path / "o.mp4", tmp_path / "s.png", body=body)
    shown = frames_of(tmp_path / "o.mp4")
    middle = shown[2][1][40:200]  # at 0.08 s neither is there
    assert np.abs(middle.astype(int) - 128).max() < 24
    assert np.abs(shown[5][1][40:200].astype(int) - 128).max() > 40


def test_a_lost_person_is_fainter(motion, video, body, tmp_path):
    motion.valid[4:] = False
    render_overlay(video, [motion], tmp_path / "o.mp4", tmp_path / "s.png", body=body)
    shown = frames_of(tmp_path / "o.mp4")
    seen, lost = (np.abs(image[60:200].astype(int) - 128).max(2) for _, image in (shown[0], shown[7]))
    assert lost[lost > 12].mean() < 0.75 * seen[seen > 12].mean()


def test_a_motion_without_a_camera_is_refused(motion, video, body, tmp_path):
    blind = Motion(motion.poses, motion.trans, motion.fps)
    with pytest.raises(BadInput, match="camera"):
        render_overlay(video, [blind], tmp_path / "o.mp4", tmp_path / "s.png", body=body)


def test_another_videos_times_are_refused_and_leave_nothing(motion, video, body, tmp_path):
    motion.frame_times = motion.frame_times + 60.0
    with pytest.raises(BadInput, match="no frame"):
        render_overlay(video, [motion], tmp_path / "o.mp4", tmp_path / "s.png", body=body)
    assert [path.name for path in tmp_path.iterdir()] == ["grey.mp4"]


def test_a_cancelled_overlay_leaves_nothing(motion, video, body, tmp_path):
    class Impatient(Reporter):
        def stage(self, name, done, total):
            if done == 3:
                raise Cancelled("stop")

    with pytest.raises(Cancelled):
        render_overlay(video, [motion], tmp_path / "o.mp4", tmp_path / "s.png", Impatient(), body)
    assert [path.name for path in tmp_path.iterdir()] == ["grey.mp4"]
