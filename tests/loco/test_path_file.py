# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that hold a path, written here by hand, right and wrong."""

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.loco.path_file import read_path


@pytest.mark.parametrize("text,points", [
    ("x,y\n0,0\n1,2\n", [(0, 0, 0), (1, 2, 0)]),
    ("z, Y ,x\n9,2,1\n8,4,3\n\n", [(1, 2, 9), (3, 4, 8)]),
    ("\ufeffname,x,y\r\na,0,0\r\nb,1e-1,-2.5\r\n", [(0, 0, 0), (0.1, -2.5, 0)]),
])
def test_a_csv_is_read_by_its_headers_names(tmp_path, text, points):
    file = tmp_path / "path.csv"
    file.write_bytes(text.encode())
    read, closed = read_path(file)
    assert read.tolist() == [list(map(float, point)) for point in points] and closed is False


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("closed", [None, False, True, np.array([1])])
def test_an_npz_is_read_with_and_without_height_and_closing(tmp_path, dtype, closed):
    points = np.array([(0, 0), (3, 0), (3, 4)], dtype)
    np.savez(tmp_path / "path.npz", points=points, other="ignored", **({} if closed is None else {"closed": closed}))
    read, is_closed = read_path(str(tmp_path / "path.npz"))
    assert np.array_equal(read, np.column_stack([points, [0, 0, 0]])) and is_closed is bool(closed)


@pytest.mark.parametrize("text,words", [
    ("", "names nothing"),
    ("0,0\n1,1\n", "names 0, 0"),
    ("a,b\n0,0\n1,1\n", "x and y"),
    ("x,z\n0,0\n1,1\n", "the column y is missing"),
    ("x;y\n0;0\n1;1\n", "missing"),
    ("x,y,x\n0,0,1\n", "two columns 'x'"),
    ("x,y\n0,0\n", "1 point"),
    ("x,y\n", "0 point"),
    ("x,y\n0,0\n1,left\n", "line 3 has 'left' for y"),
    ("x,y\n0,0\n1,\n", "line 3 has '' for y"),
    ("x,y\n0,0\nnan,1\n", "line 3 has 'nan' for x"),
    ("x,y\n0,0\n1,inf\n", "line 3 has 'inf' for y"),
    ("x,y\n0,0\n1,2,3\n", "line 3 has 3 values, the header 2"),
    ("x,y\n0,0\n1\n", "line 3 has 1 values"),
])
def test_a_wrong_csv_names_file_problem_and_remedy(tmp_path, text, words):
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    with pytest.raises(BadInput) as error:
        read_path(file)
    assert words in error.value.message and str(file) in error.value.message and error.value.remedy


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01x,y", b"x,y\n0,\x000\n1,1\n"])
def test_bytes_that_are_no_text_are_refused(tmp_path, content):
    file = tmp_path / "wrong.csv"
    file.write_bytes(content)
    with pytest.raises(BadInput) as error:
        read_path(file)
    assert str(file) in error.value.message and error.value.remedy


@pytest.mark.parametrize("arrays,words", [
    ({"path": np.zeros((3, 2))}, "no 'points'"),
    ({"points": np.zeros((3, 4))}, "(3, 4)"),
    ({"points": np.zeros(6)}, "(6,)"),
    ({"points": np.zeros((1, 2))}, "1 point"),
    ({"points": np.array([(0, 0), (np.nan, 1)])}, "Point 2"),
    ({"points": np.array([("a", "b"), ("c", "d")])}, "not numbers"),
    ({"points": np.array([(True, False), (False, True)])}, "not numbers"),
    ({"points": np.array([(1, 2), (3, 4)], dtype=object)}, "pickled"),
    ({"points": np.eye(2), "closed": np.zeros(3, bool)}, "'closed'"),
    ({"points": np.eye(2), "closed": "yes"}, "'closed'"),
    ({"points": np.eye(2), "closed": 2}, "'closed'"),
])
def test_a_wrong_npz_names_file_problem_and_remedy(tmp_path, arrays, words):
    file = tmp_path / "wrong.npz"
    np.savez(file, **arrays)
    with pytest.raises(BadInput) as error:
        read_path(file)
    assert words in error.value.message and str(file) in error.value.message
    assert error.value.remedy and "motion" not in error.value.remedy


@pytest.mark.parametrize("name,content", [("no.npz", None), ("no.csv", None), ("text.npz", b"not a zip"), ("empty.npz", b""), ("path.json", b"[]")])
def test_a_file_that_is_not_there_or_of_another_kind_is_refused(tmp_path, name, content):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadInput) as error:
        read_path(file)
    assert str(file) in error.value.message and error.value.remedy


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="folder"):
        read_path(tmp_path)
