# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading BVH, against forward kinematics written out joint by joint with scipy."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.datasets.bvh import parse_bvh, read_bvh
from smplit.errors import BadInput

MOTION = Path(__file__).resolve().parents[3] / "shared" / "motion"
ARM = """HIERARCHY
ROOT Hips
{
  OFFSET 1.0 2.0 3.0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Upper Arm
  {
    OFFSET 0.0 10.0 0.0
    CHANNELS 3 Yrotation Zrotation Xrotation
    JOINT Hand
    {
      OFFSET 5.0 0.0 0.0
      CHANNELS 4 Xposition Xrotation Yrotation Zrotation
      End Site
      {
        OFFSET 0.0 0.0 2.0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.025
1 2 3  10 20 30  40 50 60  6 70 80 90
-4 0 9  -15 25 35  5 -85 15  5 0 -10 20
"""


def about(axis: str, degrees: float) -> np.ndarray:
    return Rotation.from_rotvec(np.radians(degrees) * np.eye(3)["XYZ".index(axis)]).as_matrix()


def test_channels_apply_in_file_order_and_positions_replace_offsets():
    bvh = parse_bvh(ARM)
    rotations, positions = bvh.global_transforms()
    for n, row in enumerate(((1, 2, 3, 10, 20, 30, 40, 50, 60, 6, 70, 80, 90), (-4, 0, 9, -15, 25, 35, 5, -85, 15, 5, 0, -10, 20))):
        hips = about("Z", row[3]) @ about("X", row[4]) @ about("Y", row[5])
        upper = hips @ about("Y", row[6]) @ about("Z", row[7]) @ about("X", row[8])
        hand = upper @ about("X", row[10]) @ about("Y", row[11]) @ about("Z", row[12])
        at_upper = np.array(row[:3]) + hips @ [0, 10, 0]
        at_hand = at_upper + upper @ [row[9], 0, 0]  # the hand's Xposition stands instead of its OFFSET
        np.testing.assert_allclose(rotations[n], [hips, upper, hand], atol=1e-12)
        np.testing.assert_allclose(positions[n], [row[:3], at_upper, at_hand], atol=1e-12)


def test_names_with_blanks_parents_tips_and_rate_are_read():
    bvh = parse_bvh(ARM)
    assert bvh.names == ("Hips", "Upper Arm", "Hand")
    assert bvh.parents == (-1, 0, 1)
    assert bvh.fps == pytest.approx(40.0)
    np.testing.assert_array_equal(bvh.tips()["Hand"], [0, 0, 2])


@pytest.mark.parametrize("part, source", [("cmu_iclone", "cmu_iclone/007/007_03"), ("cmu_m21", "cmu_m21/kick"), ("cmu_amc", "cmu_amc/02/02_01")])
def test_recorded_files_agree_with_a_walk_through_the_tree(part, source):
    if not MOTION.is_dir():
        pytest.skip("needs ../shared/motion")
    with tarfile.open(MOTION / f"{part}.tar.xz") as archive:
        bvh = parse_bvh(archive.extractfile(f"{source}.bvh").read().decode())
    _, positions = bvh.global_transforms()
    frame = len(bvh) // 2
    numbers = iter(bvh.values[frame])
    places, turns = {}, {}
    for joint, parent in enumerate(bvh.parents):
        offset, turn = np.array(bvh.offsets[joint]), Rotation.identity()
        for channel in bvh.channels[joint]:
            value = next(numbers)
            if channel.endswith("position"):
                offset["XYZ".index(channel[0])] = value
            else:
                turn = turn * Rotation.from_matrix(about(channel[0], value))
        turns[joint] = turn if parent < 0 else turns[parent] * turn
        places[joint] = offset if parent < 0 else places[parent] + turns[parent].apply(offset)
    np.testing.assert_allclose(positions[frame], [places[j] for j in range(len(places))], atol=1e-8)


@pytest.mark.parametrize(
    "damage, code",
    [
        (lambda text: text.replace("MOTION", "NOTION"), "not_a_bvh"),
        (lambda text: text.replace("Frames: 2", "Frames: 3"), "damaged_bvh"),
        (lambda text: text.replace("Frame Time: 0.025", "Frame Time: 0"), "damaged_bvh"),
        (lambda text: text.replace("-85", "nan"), "not_finite"),
        (lambda text: text.replace("-85", "x"), "damaged_bvh"),
        (lambda text: text.replace("End Site\n      {", "End Site\n"), "damaged_bvh"),
        (lambda text: text.replace("CHANNELS 3 Yrotation", "CHANNELS 3 Wrotation"), "damaged_bvh"),
        (lambda text: text[: len(text) // 3], "not_a_bvh"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(damage, code):
    with pytest.raises(BadInput, match=r"arm\.bvh") as refused:
        parse_bvh(damage(ARM), "arm.bvh")
    assert refused.value.code == code


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.bvh"):
        read_bvh(tmp_path / "nowhere.bvh")
