# SPDX-License-Identifier: GPL-3.0-or-later
"""A person who walks sideways before a still camera, and a grey video of it at uneven times."""

from fractions import Fraction

import av
import numpy as np
import pytest

from smplit.body.model import BodyModel
from smplit.motion import Motion

TIMES = np.array([0.0, 0.04, 0.08, 0.16, 0.20, 0.28, 0.36, 0.40])  # s: a variable rate
SIZE = (320, 240)


@pytest.fixture(scope="session")
def body():
    return BodyModel.load()


@pytest.fixture
def motion():
    frames = len(TIMES)
    poses = np.zeros((frames, 165), np.float32)
    poses[:, 0] = np.pi / 2  # from Y up to Z up: faces the camera at -Y
    return Motion(
        poses=poses, trans=np.stack([np.linspace(-0.6, 0.6, frames), np.zeros(frames), np.full(frames, 1.2)], -1).astype(np.float32), fps=25.0,
        valid=np.ones(frames, bool), frame_times=TIMES, contacts=np.ones((frames, 4), np.float32),
        camera_R=np.tile(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32), (frames, 1, 1)),
        camera_t=np.tile(np.array([0.0, 1.0, 4.0], np.float32), (frames, 1)),
        camera_K=np.array([[300, 0, 160], [0, 300, 120], [0, 0, 1]], np.float32),
    )


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for time in TIMES:
            frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
