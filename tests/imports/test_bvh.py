# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files onto our body: joints point and travel as the source's own kinematics says, whatever the program that wrote it."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.cli import main
from smplit.datasets.bvh import read_bvh
from smplit.datasets.joint_names import recognise
from smplit.errors import BadInput
from smplit.export import export_motion
from smplit.imports import import_motion
from smplit.motion import BODY_JOINTS, Motion, joint_transforms

MOTION = Path(__file__).resolve().parents[3] / "shared" / "motion"
_LIMB = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
LIMBS = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMB]
TO_Z_UP = Rotation.from_euler("x", 90, degrees=True).as_matrix()


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


@pytest.fixture(scope="module")
def walk(body):
    """40 frames of a body that strides along x at 25 fps, arms swinging, fingers and face at rest."""
    times = np.arange(40) / 25
    poses = np.zeros((40, 55, 3), np.float32)
    poses[:, 0] = Rotation.from_euler("ZX", np.stack([90 + 20 * np.sin(times), np.full(40, 90.0)], 1), degrees=True).as_rotvec()
    for joint, amount, phase in (("left_hip", 0.5, 0), ("right_hip", 0.5, np.pi), ("left_shoulder", 0.4, np.pi), ("right_shoulder", 0.4, 0)):
        poses[:, BODY_JOINTS.index(joint), 0] = amount * np.sin(6 * times + phase)
    poses[:, BODY_JOINTS.index("left_elbow"), 1] = -0.5
    poses[:, BODY_JOINTS.index("spine2"), 2] = 0.1 * np.sin(3 * times)
    trans = np.stack([1.2 * times, 0.1 * times, 1.3 + 0.02 * np.sin(12 * times)], 1).astype(np.float32)
    return Motion(poses.reshape(40, -1), trans, 25.0)


@pytest.fixture
def written(walk, body, tmp_path):
    path = tmp_path / "walk.bvh"
    export_motion(walk, path, None, body)
    return path


def posed(motion, body):
    return joint_transforms(motion.poses, body.rest_joints().numpy())[1] + np.asarray(motion.trans, float)[:, None]


def same_walk(motion, walk, body):
    """Same joints but for one height, which the floor decides."""
    got, expected = posed(motion, body)[:, :22], posed(walk, body)[:, :22]
    lift = (got - expected)[..., 2].mean()
    np.testing.assert_allclose(got - [0, 0, lift], expected, atol=2e-3)
    feet = [BODY_JOINTS.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]
    rest = body.rest_joints().numpy()
    lowest = (got[:, feet, 2] - (rest[feet, 1] - body.v_template[:, 1].min())).min()
    assert -0.05 < lowest <= 0.01  # stands on the floor but for the lowest frames


def test_our_own_export_comes_back(written, walk, body):
    motion = import_motion(written)
    assert motion.fps == pytest.approx(25.0, abs=1e-3) and len(motion) == 40
    same_walk(motion, walk, body)


def naming(words, separator=" "):
    """SMPL-X's joints in the words of a program, in the order of `BODY_JOINTS`."""
    return dict(zip(BODY_JOINTS, words.split(separator), strict=True))


# Prefixes, case and separators as the programs write them.
MIXAMO = naming(
    "Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase RightToeBase "
    "Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand"
)
XSENS = naming(
    "Hips LeftHip RightHip Chest LeftKnee RightKnee Chest3 LeftAnkle RightAnkle Chest4 LeftToe RightToe "
    "Neck LeftCollar RightCollar Head LeftShoulder RightShoulder LeftElbow RightElbow LeftWrist RightWrist"
)
BIPED = naming(
    "Pelvis,L Thigh,R Thigh,Spine,L Calf,R Calf,Spine1,L Foot,R Foot,Spine2,L Toe0,R Toe0,"
    "Neck,L Clavicle,R Clavicle,Head,L UpperArm,R UpperArm,L Forearm,R Forearm,L Hand,R Hand", ","
)
RIGIFY = naming(
    "spine thigh.L thigh.R spine.001 shin.L shin.R spine.002 foot.L foot.R spine.003 toe.L toe.R "
    "spine.004 shoulder.L shoulder.R spine.006 upper_arm.L upper_arm.R forearm.L forearm.R hand.L hand.R"
)
NAMINGS = {
    "Mixamo": {joint: f"mixamorig:{name}" for joint, name in MIXAMO.items()},
    "Mixamo in Blender": {joint: f"mixamorig_{name}" for joint, name in MIXAMO.items()},
    "a second Mixamo character": {joint: f"mixamorig1:{name}" for joint, name in MIXAMO.items()},
    "Rokoko": MIXAMO,
    "Xsens and 100STYLE": XSENS,
    "3ds Max biped": {joint: f"Bip01 {name}" for joint, name in BIPED.items()},
    "Rigify": RIGIFY,
    "SMPL add-on": {joint: ("m_avg_" + joint) for joint in BODY_JOINTS},
}


def renamed(path, names, others="f"):
    """Renames the body's joints, and the rest (fingers, face) to things that mean nothing."""
    lines = []
    for number, line in enumerate(path.read_text().splitlines()):
        word, _, name = line.strip().partition(" ")
        if word in ("ROOT", "JOINT"):
            line = f"{word} {names.get(name, f'{others}{number}')}"
        lines.append(line)
    path.write_text("\n".join(lines))
    return path


PREFIXES = {"Mixamo": "mixamorig:", "Mixamo in Blender": "mixamorig_", "a second Mixamo character": "mixamorig1:", "3ds Max biped": "Bip01 ",
            "SMPL add-on": "m_avg_"}


@pytest.mark.parametrize("program", NAMINGS)
def test_the_namings_of_common_programs_are_recognised(written, walk, body, program):
    same_walk(import_motion(renamed(written, NAMINGS[program], PREFIXES.get(program, "") + "f")), walk, body)


def test_joints_beside_the_eleven_may_be_missing(written, body, walk):
    core = ("pelvis", "hip", "knee", "ankle", "shoulder", "elbow")
    names = {joint: name for joint, name in MIXAMO.items() if joint.split("_")[-1] in core}
    motion = import_motion(renamed(written, names))
    got, expected = posed(motion, body), posed(walk, body)
    for upper, lower in (("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow")):
        a, b = BODY_JOINTS.index(upper), BODY_JOINTS.index(lower)
        assert degrees(got[:, b] - got[:, a], expected[:, b] - expected[:, a]).max() < 0.2


def degrees(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1), -1, 1)))


def test_an_unknown_skeleton_names_what_is_missing_and_a_map_helps(written, walk, body, tmp_path):
    names = {joint: f"bone{number:02d}" for number, joint in enumerate(BODY_JOINTS)}
    renamed(written, names, "extra")
    with pytest.raises(BadInput, match=r"left_hip.*right_elbow") as refused:
        import_motion(written)
    assert refused.value.code == "unknown_skeleton" and "--map" in refused.value.remedy and str(written) in refused.value.message
    table = tmp_path / "map.json"
    table.write_text(json.dumps(names))
    same_walk(import_motion(written, joint_map=table), walk, body)
    partly = {joint: name for joint, name in names.items() if joint != "left_knee"}
    table.write_text(json.dumps(partly))
    with pytest.raises(BadInput, match=r"not found: left_knee\."):
        import_motion(written, joint_map=table)


@pytest.mark.parametrize(
    "text, words",
    [("{", "JSON"), ("[]", "object"), ('{"tail": "Hips"}', "tail"), ('{"pelvis": "Nowhere"}', "Nowhere"), ('{"pelvis": 3}', "object")],
)
def test_a_bad_map_is_refused(written, tmp_path, text, words):
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(BadInput, match=words):
        import_motion(written, joint_map=tmp_path / "map.json")


def test_z_up_files_stand(written, walk, body):
    """The same file as a program with Z up writes it: offsets and root turned, the other joints' axes with them."""
    original = read_bvh(written)
    turn = TO_Z_UP
    rows = []
    for frame in range(len(original)):
        row = list(turn @ original.values[frame, :3])
        for joint in range(len(original.names)):
            local = Rotation.from_euler("ZXY", original.values[frame, 3 + 3 * joint : 6 + 3 * joint], degrees=True).as_matrix()
            row += list(Rotation.from_matrix(turn @ local @ turn.T).as_euler("ZXY", degrees=True))
        rows.append(" ".join(f"{value:.6f}" for value in row))
    lines = written.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    for number, line in enumerate(lines[:start]):
        if line.strip().startswith("OFFSET"):
            lines[number] = "OFFSET " + " ".join(f"{value:.6f}" for value in turn @ np.array(line.split()[1:], float))
    written.write_text("\n".join(lines[:start] + rows))
    same_walk(import_motion(written), walk, body)


@pytest.mark.parametrize("rate, header", [(24.0, "0.0416667"), (59.94, "0.0166834"), (120.0, ".00833333")])
def test_the_rate_comes_from_the_header_and_can_be_corrected(written, rate, header):
    text = written.read_text()
    old = next(line for line in text.splitlines() if line.startswith("Frame Time"))
    written.write_text(text.replace(old, f"Frame Time:\t{header}"))
    assert import_motion(written).fps == pytest.approx(rate, rel=1e-4)
    assert import_motion(written, fps=60.0).fps == pytest.approx(60.0)
    with pytest.raises(BadInput, match="--fps -3"):
        import_motion(written, fps=-3.0)


def rows_changed(path, change):
    lines = path.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    path.write_text("\n".join(change(lines[:start], lines[start:])))


BAD = {
    "not_finite": lambda path: rows_changed(path, lambda head, rows: head + ["nan" + rows[0][rows[0].index(" "):]] + rows[1:]),
    "no_frames": lambda path: rows_changed(path, lambda head, rows: [line.replace("Frames: 40", "Frames: 0") for line in head]),
    "one_frame": lambda path: rows_changed(path, lambda head, rows: [line.replace("Frames: 40", "Frames: 1") for line in head] + rows[:1]),
    "damaged_bvh": lambda path: path.write_text(path.read_text()[:-2000]),
    "not_a_bvh": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "damaged hierarchy": lambda path: path.write_text(path.read_text().replace("OFFSET", "OFFSTE", 3)),
    "cut in the hierarchy": lambda path: path.write_text(path.read_text()[:900]),
    "zero rate": lambda path: path.write_text(path.read_text().replace("Frame Time: 0.04", "Frame Time: 0.0")),
    "empty": lambda path: path.write_text(""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_exit_with_2_by_name_and_write_nothing(written, name, capsys, tmp_path):
    BAD[name](written)
    assert main(["import", str(written), "-o", str(tmp_path / "out.npz")]) == 2
    assert written.name in capsys.readouterr().err.replace("\n", "") and not (tmp_path / "out.npz").exists()
    with pytest.raises(BadInput) as refused:
        import_motion(written)
    assert refused.value.remedy
    assert name not in ("not_finite", "one_frame", "no_frames", "damaged_bvh", "not_a_bvh") or refused.value.code == name


def test_options_of_bvh_are_not_swallowed_for_other_files(tmp_path):
    np.savez(tmp_path / "m.npz", poses=np.zeros((2, 165)), trans=np.zeros((2, 3)), mocap_frame_rate=30.0)
    with pytest.raises(BadInput, match="--rest-pose"):
        import_motion(tmp_path / "m.npz", rest_pose="t.bvh")


def sample(name, tmp_path):
    if not MOTION.is_dir():
        pytest.skip("needs ../shared/motion")
    with tarfile.open(MOTION / "raw_samples.tar.xz") as archive:
        path = tmp_path / f"{name}.bvh"
        path.write_bytes(archive.extractfile(f"raw_samples/{name}.bvh").read())
    return path


RAW = [  # file, T-pose of the pack or none, up axis
    ("animateddrawings_cmu1_jumping_jacks", None, "y"), ("animateddrawings_fair1_dab", None, "z"),
    ("animateddrawings_fair1_zombie", None, "z"),
    ("bandai_walk_normal_001_raw", None, "y"), ("bandai_walk_normal_001_raw", "bandai_tpose_built", "y"), ("cmu_daz_salsa10_raw", None, "y"),
    ("cmu_daz_salsa10_raw", "cmu_daz_tpose", "y"), ("cmu_iclone_007_12_raw", None, "y"),
    ("cmu_iclone_002_03_raw_rlboneroot", "cmu_iclone_tpose", "y"),
    ("reactidle_003_genuine_raw", None, "y"), ("reactidle_003_genuine_raw", "reactidle_tpose", "y"),
]


@pytest.mark.parametrize("name, rest, up", RAW)
def test_unmodified_files_of_many_programs_keep_their_limbs_and_path(name, rest, up, tmp_path, body):
    path = sample(name, tmp_path)
    motion = import_motion(path, rest_pose=MOTION / "rest_tpose" / f"{rest}.bvh" if rest else None)
    clip = read_bvh(path)
    assert len(motion) == len(clip)
    positions = clip.global_transforms()[1]
    if up == "y":
        positions = positions @ TO_Z_UP.T
    sources = recognise(clip.names).sources
    at = {joint: positions[:, clip.names.index(source)] for joint, source in sources.items()}
    joints = posed(motion, body)
    ours = {joint: joints[:, BODY_JOINTS.index(joint)] for joint in BODY_JOINTS}
    errors = [degrees(ours[b] - ours[a], at[b] - at[a]).mean() for a, b in LIMBS if a in at and b in at]
    assert len(errors) >= 6 and max(errors) < 0.3
    legs = [np.linalg.norm(skeleton["left_knee"][0] - skeleton["left_hip"][0]) + np.linalg.norm(skeleton["left_ankle"][0] - skeleton["left_knee"][0])
            for skeleton in (ours, at)]
    travel = [(skeleton["left_hip"] + skeleton["right_hip"]) / 2 for skeleton in (ours, at)]
    moved = [(path - path[0]) / leg for path, leg in zip(travel, legs, strict=True)]
    np.testing.assert_allclose(moved[0], moved[1], atol=0.02)  # in leg lengths: mid-hips travel alike
    soles = (joints[:, [BODY_JOINTS.index(f"{side}_ankle") for side in ("left", "right")], 2]).min(1)
    assert -0.03 < np.percentile(soles, 5) < 0.15  # the floor is at 0


def test_a_file_without_any_rest_pose_says_how_to_give_one(tmp_path):
    path = sample("cmu_iclone_002_03_raw_rlboneroot", tmp_path)
    with pytest.raises(BadInput, match="shows no rest pose") as refused:
        import_motion(path)
    assert refused.value.code == "no_rest_pose" and "--rest-pose" in refused.value.remedy


def test_the_rest_pose_of_another_skeleton_is_refused(tmp_path):
    path = sample("bandai_walk_normal_001_raw", tmp_path)
    with pytest.raises(BadInput, match="amp_humanoid_tpose"):
        import_motion(path, rest_pose=MOTION / "rest_tpose" / "amp_humanoid_tpose.bvh")
