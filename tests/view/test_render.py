# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion without its video: picture, film, and the browser's refusals."""

import socket
import sys

import av
import cv2
import numpy as np
import pytest

from smplit.errors import BadInput, SmplitError
from smplit.motion import Motion
from smplit.view import browser
from smplit.view.render import render_motion


def test_picture_and_film_are_written_and_the_film_keeps_the_times(motion, body, tmp_path):
    render_motion(motion, png=tmp_path / "m.png", mp4=tmp_path / "m.mp4", body=body)
    with av.open(str(tmp_path / "m.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.diff(times) == pytest.approx(np.diff(motion.frame_times), abs=1e-3)
    assert cv2.imread(str(tmp_path / "m.png")) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.mp4", "m.png"]


def test_who_travels_gets_a_panorama_above_the_stills(motion, body, tmp_path):
    motion.trans[:, 0] *= 0.2
    render_motion(motion, png=tmp_path / "stays.png", body=body)
    motion.trans[:, 0] *= 20.0
    render_motion(motion, png=tmp_path / "travels.png", body=body)
    stays, travels = (cv2.imread(str(tmp_path / name)) for name in ("stays.png", "travels.png"))
    assert travels.shape[0] > stays.shape[0] + 500 and travels.shape[1] == stays.shape[1]


def test_a_motion_of_one_frame_without_times_contacts_or_camera_is_drawn(body, tmp_path):
    render_motion(Motion(np.zeros((1, 165)), np.zeros((1, 3)), 30.0), png=tmp_path / "m.png", mp4=tmp_path / "m.mp4", body=body)
    assert cv2.imread(str(tmp_path / "m.png")) is not None


@pytest.mark.parametrize("name", ["a file/m.png", "x" * 300 + ".png", "."])
def test_a_place_that_cannot_be_written_is_named(motion, body, tmp_path, name):
    (tmp_path / "a file").write_text("in the way")
    with pytest.raises(BadInput, match=r"a file|xxx|folder"):
        render_motion(motion, png=tmp_path / name, body=body)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_times_that_run_backwards_are_refused(motion, body, tmp_path):
    motion.frame_times = motion.frame_times[::-1].copy()
    with pytest.raises(BadInput, match="frame_times"):
        render_motion(motion, png=tmp_path / "m.png", body=body)
    assert not list(tmp_path.iterdir())


def test_without_viser_the_browser_viewer_says_what_to_install(motion, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(SmplitError, match=r"smplit\[viewer\].*--png"):
        browser.serve(motion, 8080)


def test_a_taken_port_is_named(motion, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", type(sys)("viser"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BadInput, match=f"{port}.*--port"):
            browser.serve(motion, port)
