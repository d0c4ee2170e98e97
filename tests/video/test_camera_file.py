# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera files of others: what they say is known here, scipy and OpenCV are the oracles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.errors import BadInput
from smplit.motion import Motion
from smplit.video.camera_file import read_camera_file

SIZE, K = (640, 360), np.array([[620.0, 0, 322], [0, 618.0, 177], [0, 0, 1]])
COUNT, FPS = 12, 25.0
TIMES = np.arange(COUNT) / FPS
# A camera that pans at 30 degrees a second about its own y axis while it moves sideways, in a world of its own.
START = Rotation.from_euler("xyz", [20, -40, 130], degrees=True).as_matrix()
ROTATION = Rotation.from_euler("y", (30.0 * TIMES)[:, None], degrees=True).as_matrix() @ START
CENTRE = np.array([5.0, -3.0, 2.0]) + TIMES[:, None] * [1.5, 0.0, -0.5]
T = -np.einsum("tij,tj->ti", ROTATION, CENTRE)


def colmap(folder, rows=range(COUNT), name="frame_{:05d}.png", camera=None, first=1):
    """A COLMAP model of some frames, in a muddled order; every second picture has points, the others an empty line."""
    folder.mkdir(exist_ok=True)
    camera = camera or f"PINHOLE {SIZE[0]} {SIZE[1]} {K[0, 0]} {K[1, 1]} {K[0, 2]} {K[1, 2]}"
    (folder / "cameras.txt").write_text(f"# Camera list with one line of data per camera:\n7 {camera}\n")
    lines = ["# Image list with two lines of data per image:", "#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME"]
    for place, row in enumerate(np.random.default_rng(3).permutation(list(rows))):
        x, y, z, w = Rotation.from_matrix(ROTATION[row]).as_quat()
        lines.append(f"{place + 1} {w:.9f} {x:.9f} {y:.9f} {z:.9f} {' '.join(f'{v:.9f}' for v in T[row])} 7 {name.format(row + first)}")
        lines.append("" if place % 2 else "101.5 33.25 -1 12.0 7.5 88 320.0 180.0 -1 5.5 6.5 9")
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    return folder


def opencv(path, layout="frames", rows=range(COUNT), **more):
    """A file as OpenCV writes it; its pixels count from the first one's middle."""
    storage = cv2.FileStorage(str(path), cv2.FileStorage_WRITE)
    storage.write("image_width", SIZE[0])
    storage.write("image_height", SIZE[1])
    storage.write("camera_matrix", K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    rvec = Rotation.from_matrix(ROTATION).as_rotvec()
    for key, value in more.items():
        storage.write(key, value)
    if layout == "extrinsic_parameters":
        storage.write(layout, np.hstack([rvec, T])[list(rows)])
    elif layout == "rvecs":
        storage.write("rvecs", rvec[list(rows)])
        storage.write("tvecs", T[list(rows)])
    elif layout == "R":
        storage.write("R", ROTATION[list(rows)].reshape(-1, 3))
        storage.write("t", T[list(rows)])
    elif layout == "frames":
        storage.startWriteStruct("frames", cv2.FileNode_SEQ)
        for row in rows:
            storage.startWriteStruct("", cv2.FileNode_MAP)
            storage.write("frame", int(row))
            if row % 2:
                storage.write("rvec", rvec[row][:, None])
                storage.write("tvec", T[row][:, None])
            else:
                storage.write("R", ROTATION[row])
                storage.write("t", T[row])
            storage.endWriteStruct()
        storage.endWriteStruct()
    storage.release()
    return path


def npz(path, rows=range(COUNT), **changed):
    rows = list(rows)
    np.savez(path, **{"camera_R": ROTATION[rows].astype(np.float32), "camera_t": T[rows].astype(np.float32), "camera_K": K, "size": SIZE, **changed})
    return path


def follow(path, times=TIMES, skipped=0, whole=True):
    """Rotation and centre of the video's frames, and what the user was told."""
    told = []
    camera = read_camera_file(path).for_picture(*SIZE, told.append)
    return *camera.follow(times, skipped, whole, told.append), told


def assert_is_the_camera(rotation, centre, rows=slice(None), degrees=0.01):
    assert np.degrees(Rotation.from_matrix(rotation @ ROTATION[rows].transpose(0, 2, 1)).magnitude()).max() < degrees
    np.testing.assert_allclose(centre, CENTRE[rows], atol=2e-4)


GOOD = {
    "colmap folder": lambda d: colmap(d / "model"),
    "images.txt": lambda d: colmap(d / "model") / "images.txt",
    "numbers from 0": lambda d: colmap(d / "model", name="cam 1/plate {:04d}.jpg", first=0),
    "plates from 1001": lambda d: colmap(d / "model", name="plate.{:04d}.exr", first=1001),
    "yml": lambda d: opencv(d / "a.yml"),
    "json": lambda d: opencv(d / "a.json"),
    "xml": lambda d: opencv(d / "a.xml"),
    "extrinsic_parameters": lambda d: opencv(d / "a.yaml", "extrinsic_parameters"),
    "rvecs": lambda d: opencv(d / "a.yaml", "rvecs"),
    "R": lambda d: opencv(d / "a.json", "R"),
    "npz": lambda d: npz(d / "a.npz"),
    "npz with times": lambda d: npz(d / "a.npz", frame_times=TIMES),
}


@pytest.mark.parametrize("case", GOOD)
def test_every_format_says_the_same_camera(tmp_path, case):
    path = GOOD[case](tmp_path)
    rotation, centre, told = follow(path)
    assert_is_the_camera(rotation, centre)
    assert told == []
    np.testing.assert_allclose(read_camera_file(path).lens.K, K, atol=1e-6)


def test_colmap_puts_the_real_part_first_and_turns_the_world_into_the_camera(tmp_path):
    """Half of the square root of two twice: a quarter turn about y; a camera at x = 2 that looks along -x."""
    colmap(tmp_path / "model")
    (tmp_path / "model" / "images.txt").write_text("1 0.70710678 0 0.70710678 0 0 0 2 7 1.png\n\n")
    camera = read_camera_file(tmp_path / "model")
    np.testing.assert_allclose(camera.rotation[0] @ [-1.0, 0, 0], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(camera.centre[0], [2.0, 0, 0], atol=1e-6)


def test_a_model_is_found_where_colmap_puts_it(tmp_path):
    (tmp_path / "sparse").mkdir()
    colmap(tmp_path / "sparse" / "0")
    assert_is_the_camera(*follow(tmp_path)[:2])


def test_pictures_without_numbers_are_taken_in_the_order_of_their_names(tmp_path):
    colmap(tmp_path / "model")
    images = tmp_path / "model" / "images.txt"
    text = images.read_text()
    for row in range(COUNT):
        text = text.replace(f"frame_{row + 1:05d}", "shot_" + "abcdefghijkl"[row])
    images.write_text(text)
    assert_is_the_camera(*follow(tmp_path / "model")[:2])


@pytest.mark.parametrize("make", [
    lambda folder, rows: colmap(folder / "model", rows), lambda folder, rows: opencv(folder / "a.yml", rows=rows),
    lambda folder, rows: npz(folder / "a.npz", rows, frame_times=TIMES[rows]),
], ids=["colmap", "opencv", "npz"])
def test_frames_without_a_camera_are_filled_in_and_told(tmp_path, make):
    """The pan is steady: what a constant speed puts into the gaps is the truth."""
    rotation, centre, told = follow(make(tmp_path, [0, 1, 4, 5, 9, 11]))
    assert_is_the_camera(rotation, centre)
    assert len(told) == 1 and "6 of 12 frames" in told[0]


def test_a_camera_is_held_where_a_few_frames_at_the_ends_are_missing(tmp_path):
    rotation, centre, told = follow(colmap(tmp_path / "model", range(2, 10)))
    assert_is_the_camera(rotation[2:10], centre[2:10], slice(2, 10))
    np.testing.assert_array_equal(rotation[:2], rotation[[2, 2]])
    np.testing.assert_array_equal(centre[10:], centre[[9, 9]])
    assert "4 of 12" in told[0]


def test_a_part_of_the_video_takes_its_part_of_the_file(tmp_path):
    rows = slice(4, 9)
    for path in (colmap(tmp_path / "model"), opencv(tmp_path / "a.yml"), opencv(tmp_path / "b.yml", "R"), npz(tmp_path / "c.npz", frame_times=TIMES)):
        rotation, centre, told = follow(path, TIMES[rows], skipped=4, whole=False)
        assert_is_the_camera(rotation, centre, rows)
        assert told == []


def test_one_pose_is_a_camera_that_stands(tmp_path):
    rotation, centre, told = follow(npz(tmp_path / "a.npz", camera_R=ROTATION[3], camera_t=T[3]))
    assert rotation.shape == (COUNT, 3, 3) and told == []
    np.testing.assert_allclose(centre, np.tile(CENTRE[3], (COUNT, 1)), atol=1e-5)


def test_a_motion_file_is_a_camera_file(tmp_path):
    motion = Motion(
        np.zeros((COUNT, 165), np.float32), np.zeros((COUNT, 3), np.float32), FPS, frame_times=TIMES, camera_R=ROTATION.astype(np.float32),
        camera_t=T.astype(np.float32), camera_K=K.astype(np.float32), extras={"smplit_video_size": np.array(SIZE)},
    )
    camera = read_camera_file(motion.save(tmp_path / "clip_p1.npz"))
    assert camera.metric and camera.size == SIZE
    assert_is_the_camera(*camera.follow(TIMES, 0, True, pytest.fail))


# What each model's parameters mean, from COLMAP's documentation: u, v are x/z, y/z.
RADIAL = {"SIMPLE_RADIAL": (-0.12,), "RADIAL": (-0.2, 0.05), "OPENCV": (-0.2, 0.05, 0.002, -0.003)}


def filmed(model, points):
    """(N,3) in camera axes -> px of COLMAP's model with f 600 (OPENCV: 600, 610), c 320, 180."""
    u, v = (points[:, :2] / points[:, 2:]).T
    square = u * u + v * v
    k1, k2, p1, p2 = (*RADIAL[model], 0, 0, 0)[:4]
    radial = 1 + k1 * square + k2 * square**2
    bent = u * radial + 2 * p1 * u * v + p2 * (square + 2 * u * u), v * radial + p1 * (square + 2 * v * v) + 2 * p2 * u * v
    return np.column_stack([600.0 * bent[0] + 320, (610.0 if model == "OPENCV" else 600.0) * bent[1] + 180])


@pytest.mark.parametrize("model", RADIAL)
def test_landmarks_of_a_bending_lens_are_put_where_a_pinhole_sees_them(tmp_path, model):
    focal = "600 610" if model == "OPENCV" else "600"
    camera = read_camera_file(colmap(tmp_path / "model", camera=f"{model} 640 360 {focal} 320 180 {' '.join(map(str, RADIAL[model]))}"))
    points = np.random.default_rng(0).uniform([-0.5, -0.28, 1], [0.5, 0.28, 1], (200, 3)) * 3.0
    straight, shown = camera.lens.straighten(filmed(model, points).reshape(20, 10, 2))
    assert shown.all()
    expected = points[:, :2] / points[:, 2:] * camera.lens.K[[0, 1], [0, 1]] + [320, 180]
    np.testing.assert_allclose(straight.reshape(-1, 2), expected, atol=1e-3)
    assert np.abs(filmed(model, points) - expected).max() > 5  # px: it was worth it


def test_a_point_beyond_what_a_lens_can_show_stays_and_is_told(tmp_path):
    camera = read_camera_file(colmap(tmp_path / "model", camera="SIMPLE_RADIAL 640 360 600 320 180 -0.3"))
    straight, shown = camera.lens.straighten(np.array([[320.0, 180.0], [5000.0, 180.0], [np.nan, 3.0]]))
    assert shown.tolist() == [True, False, False]
    np.testing.assert_array_equal(straight[:2], [[320, 180], [5000, 180]])


def test_the_camera_of_larger_pictures_is_scaled_and_told(tmp_path):
    double = K * [[2], [2], [1]]
    for path in (
        npz(tmp_path / "a.npz", camera_K=double, size=(1280, 720)),
        colmap(tmp_path / "model", camera=f"PINHOLE 1280 720 {double[0, 0]} {double[1, 1]} {double[0, 2]} {double[1, 2]}"),
    ):
        told = []
        camera = read_camera_file(path).for_picture(*SIZE, told.append)
        np.testing.assert_allclose(camera.lens.K, K, atol=1e-6)
        assert len(told) == 1 and "1280 x 720" in told[0] and path.name.split(".")[0] in told[0] + "images model"


def test_a_camera_without_its_pictures_size_is_scaled_by_its_principal_point(tmp_path):
    arrays = {"camera_R": ROTATION, "camera_t": T}
    np.savez(tmp_path / "same.npz", camera_K=K, **arrays)
    np.savez(tmp_path / "double.npz", camera_K=np.array([[1240.0, 0, 640], [0, 1240, 360], [0, 0, 1]]), **arrays)
    told = []
    np.testing.assert_array_equal(read_camera_file(tmp_path / "same.npz").for_picture(*SIZE, told.append).lens.K, K)
    assert told == []
    assert read_camera_file(tmp_path / "double.npz").for_picture(*SIZE, told.append).lens.K[0, 0] == pytest.approx(620.0)
    assert len(told) == 1


def edited(path, before, after, count=1):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, count))
    return path


def quaternion(folder, words):
    colmap(folder / "model")
    (folder / "model" / "images.txt").write_text(f"1 {words} 0 0 1 7 a_1.png\n\n")
    return folder / "model"


BAD = {
    "no such file": (lambda d: d / "lost.npz", "lost.npz"),
    "another kind": (lambda d: _written(d / "a.fbx", b"x"), "a.fbx"),
    "empty npz": (lambda d: _written(d / "a.npz", b""), "a.npz"),
    "no npz": (lambda d: _written(d / "a.npz", b"words"), "a.npz"),
    "pickled": (lambda d: npz(d / "a.npz", camera_R=np.array([{"a": 1}], object)), "pickled"),
    "words": (lambda d: npz(d / "a.npz", camera_t=np.array(["a"] * COUNT)), "camera_t"),
    "no matrix": (lambda d: _written_npz(d / "a.npz", camera_R=ROTATION, camera_t=T), "camera_K"),
    "too short": (lambda d: npz(d / "a.npz", range(8)), "8 poses; the video has 12 frames"),
    "too long": (lambda d: npz(d / "a.npz", [*range(12), 11, 11]), "14 poses; the video has 12 frames"),
    "one row": (lambda d: npz(d / "a.npz", [0]), "one pose"),
    "R and t differ": (lambda d: npz(d / "a.npz", camera_t=T[:5].astype(np.float32)), "(5, 3)"),
    "times differ": (lambda d: npz(d / "a.npz", frame_times=TIMES[:5]), "5 frame_times"),
    "times go back": (lambda d: npz(d / "a.npz", frame_times=TIMES[::-1]), "times do not grow"),
    "other times": (lambda d: npz(d / "a.npz", frame_times=TIMES + 60.0), "length"),
    "earlier times": (lambda d: npz(d / "a.npz", frame_times=TIMES - 60.0), "No pose"),
    "NaN": (lambda d: npz(d / "a.npz", camera_t=np.where(np.arange(COUNT)[:, None] == 4, np.nan, T)), "pose 5 holds NaN"),
    "infinite matrix": (lambda d: npz(d / "a.npz", camera_K=np.full((3, 3), np.inf)), "finite"),
    "stretched": (lambda d: npz(d / "a.npz", camera_R=1.3 * ROTATION), "pose 1 is no rotation"),
    "mirrored": (lambda d: npz(d / "a.npz", camera_R=np.diag([1.0, 1, -1]) @ ROTATION), "mirrored"),
    "focal in mm": (lambda d: npz(d / "a.npz", camera_K=np.array([[1.2, 0, 0.5], [0, 1.2, 0.5], [0, 0, 1]])), "no camera matrix in pixels"),
    "matrix per frame": (lambda d: npz(d / "a.npz", camera_K=np.tile(K, (COUNT, 1, 1))), "camera_K"),
    "skewed": (lambda d: npz(d / "a.npz", camera_K=K + [[0, 5, 0], [0, 0, 0], [0, 0, 0]]), "skewed"),
    "portrait": (lambda d: npz(d / "a.npz", size=(360, 640)), "360 x 640"),
    "empty folder": (lambda d: d, "cameras.txt"),
    "binary model": (lambda d: _written(d / "images.bin", b"x").parent, "binary"),
    "fisheye": (lambda d: colmap(d / "model", camera="OPENCV_FISHEYE 640 360 600 600 320 180 0 0 0 0"), "OPENCV_FISHEYE"),
    "too few parameters": (lambda d: colmap(d / "model", camera="PINHOLE 640 360 600 320 180"), "PINHOLE takes"),
    "words in cameras.txt": (lambda d: colmap(d / "model", camera="PINHOLE 640 360 600 600 320 middle"), "cameras.txt"),
    "another camera's id": (lambda d: edited(colmap(d / "model") / "cameras.txt", "7 PIN", "8 PIN").parent, "camera 7 is not in cameras.txt"),
    "no picture": (lambda d: _written(colmap(d / "model") / "images.txt", b"# nothing\n").parent, "no picture"),
    "no line of COLMAP's": (lambda d: _written(colmap(d / "model") / "images.txt", b"1 2 3\n").parent, "line 1"),
    "long quaternion": (lambda d: quaternion(d, "2 0 0 0"), "a_1.png"),
    "NaN quaternion": (lambda d: quaternion(d, "nan 0 0 1"), "a_1.png"),
    "numbers beyond the video": (lambda d: colmap(d / "model", name="frame_{:05d}0.png"), "the video has 12 frames"),
    "two lenses": (lambda d: _two_lenses(d / "model"), "different cameras"),
    "no matrix in yml": (lambda d: _written(d / "a.yml", b"%YAML:1.0\n---\nframes: []\n"), "no camera matrix"),
    "yml without poses": (lambda d: opencv(d / "a.yml", "none"), "no camera pose"),
    "yml of another length": (lambda d: opencv(d / "a.yml", "rvecs", range(7)), "7 poses; the video has 12 frames"),
    "tilted sensor": (lambda d: opencv(d / "a.yml", distortion_coefficients=np.zeros((14, 1))), "14 distortion"),
    "words in yml": (lambda d: _written(d / "a.yml", b"words: [ broken"), "a.yml"),
    "words in json": (lambda d: _written(d / "a.json", b'{"camera_matrix": "none"}'), "a.json"),
    "list of words": (lambda d: _written(d / "a.json", b'{"camera_matrix": [[1, 0, "x"], [0, 1, 0], [0, 0, 1]]}'), "camera_matrix"),
    "binary xml": (lambda d: _written(d / "a.xml", bytes(range(256))), "a.xml"),
}


def _written(path, content):
    path.write_bytes(content)
    return path


def _written_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def _two_lenses(folder):
    colmap(folder)
    edited(folder / "images.txt", " 7 frame_00003", " 8 frame_00003")
    with (folder / "cameras.txt").open("a") as stream:
        stream.write("8 PINHOLE 640 360 900 900 320 180\n")
    return folder


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_is_named_with_the_reason_and_a_remedy(tmp_path, case):
    make, said = BAD[case]
    path = make(tmp_path)
    with pytest.raises(BadInput) as error:
        follow(path)
    assert said in error.value.message, error.value.message
    assert str(tmp_path) in error.value.message and error.value.remedy


def test_half_a_moving_camera_is_refused_and_half_a_standing_one_is_not(tmp_path):
    times = np.arange(100) / FPS
    half = Rotation.from_euler("y", np.arange(50)[:, None], degrees=True).as_matrix()
    npz(tmp_path / "a.npz", camera_R=half, camera_t=np.zeros((50, 3)), frame_times=times[:50])
    with pytest.raises(BadInput, match="frames 1 to 50 of 100"):
        follow(tmp_path / "a.npz", times)
    npz(tmp_path / "b.npz", camera_R=half[:1].repeat(50, 0), camera_t=np.zeros((50, 3)), frame_times=times[:50])
    rotation, _, told = follow(tmp_path / "b.npz", times)
    np.testing.assert_allclose(rotation, np.tile(np.eye(3), (100, 1, 1)), atol=1e-9)
    assert "50 of 100" in told[0]


@pytest.mark.parametrize("frames, seconds", [(300, 12.0), (4, 0.16)])
def test_a_file_of_quite_another_length_is_refused_before_the_video_is_read(tmp_path, frames, seconds):
    with pytest.raises(BadInput, match="length"):
        read_camera_file(npz(tmp_path / "a.npz")).check_length(frames, seconds)
    read_camera_file(npz(tmp_path / "a.npz")).check_length(COUNT + 1, COUNT / FPS)
