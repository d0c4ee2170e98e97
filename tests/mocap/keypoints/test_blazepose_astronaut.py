# SPDX-License-Identifier: GPL-3.0-or-later
"""BlazePose full against mediapipe's own static mode on a public-domain photo (goldens/smplifyx, read where it lies).

mediapipe looks where its own detector says, we where MoveNet's person is; both then look again around what they found. So they
agree to some pixels of a person whose whole body, most of it below the picture, would be 1200 px tall.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from smplit.mocap.keypoints.blazepose import BodyLandmarker, region_from_circle, region_from_detection
from smplit.mocap.keypoints.movenet import PeopleDetector

_GOLDEN = Path(__file__).parents[4] / "shared" / "goldens" / "smplifyx" / "mediapipe_pose_astronaut.npz"
_FULL = 1  # of lite, full, heavy


@pytest.fixture(scope="module")
def known():
    if not _GOLDEN.exists():
        pytest.skip(f"needs {_GOLDEN.name} of ../shared/goldens/smplifyx")
    with np.load(_GOLDEN) as arrays:
        return {name: arrays[name] for name in arrays.files}


def found(picture):
    landmarker, region = BodyLandmarker(), region_from_detection(PeopleDetector()(picture)[0])
    for _ in range(3):
        body = landmarker(picture, [region])[0]
        region = region_from_circle(body.circle)
    return body


def test_the_astronauts_landmarks_are_those_of_mediapipes_full_network(known):
    picture = cv2.cvtColor(cv2.imdecode(known["image_jpeg_bytes"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    body = found(picture)
    full = known[f"pose{_FULL}.landmarks_xyzv"]
    visible = full[:, 3] > 0.5
    assert 12 <= visible.sum() < 20  # head to elbows
    assert np.linalg.norm(body.pixels - full[:, :2], axis=1)[visible].mean() < 8.0
    metres = np.linalg.norm(body.world - known[f"pose{_FULL}.world_xyz_m"], axis=1)
    assert metres[visible].mean() < 0.06
    # Who is seen and who is guessed: the two say the same.
    assert (body.confidence[visible] > 0.4).mean() > 0.9 and body.confidence[25:].max() < 0.3
