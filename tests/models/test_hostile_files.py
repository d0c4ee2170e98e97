# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile, damaged and wrong files are refused with a message; nothing in them runs, nothing of them stays in the model folder.

Most run without the second process, so that what refuses is the reading itself, not the walls around it. Those have tests of their own.
"""

import io
import os
import pickle
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from look_alikes import gmm, lightning, mano, network_weights, pickled_body, pretended, random_weights, skinned
from safetensors.torch import save_file

from smplit import models
from smplit.cli import main
from smplit.errors import BadInput
from smplit.mocap.acr.network import Acr
from smplit.mocap.smirk.network import Smirk
from smplit.models import adding

posix = pytest.mark.skipif(sys.platform == "win32", reason="the programs in it are of POSIX")


class Bomb:
    """Unpickled without care, it leaves a mark."""

    def __init__(self, mark, call=os.system):
        self.mark, self.call = mark, call

    def __reduce__(self):
        return self.call, ((f"echo ran > {self.mark}",) if self.call is os.system else (str(self.mark), "w"))


class Disguised:
    """Calls what is on the list of allowed names, with a bomb as the argument."""

    def __init__(self, call, bomb):
        self.call, self.bomb = call, bomb

    def __reduce__(self):
        return self.call, (self.bomb,)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def bomb_in_a_pickle(path, mark):
    (path / "SMPL_NEUTRAL.pkl").write_bytes(pickle.dumps({"v_template": Bomb(mark), "weights": 1}, 2))
    return path / "SMPL_NEUTRAL.pkl"


def bomb_before_the_arrays(path, mark):
    (path / "MANO_LEFT.pkl").write_bytes(pickle.dumps([Bomb(mark, open), mano("left")], 0))
    return path / "MANO_LEFT.pkl"


def bomb_in_a_zip(path, mark):
    return zipped(path / "mano_v1_2.zip", {"mano_v1_2/models/MANO_LEFT.pkl": pickle.dumps({"v_template": Bomb(mark)})})


def bomb_in_object_arrays(path, mark):
    np.savez(path / "SMPLX_NEUTRAL.npz", v_template=np.array([Bomb(mark)], object), weights=np.zeros((10475, 55), np.float32))
    return path / "SMPLX_NEUTRAL.npz"


def bomb_in_lightning_settings(path, mark):
    torch.save({"state_dict": {"w": torch.zeros(1)}, "epoch": 10, "global_step": 25000, "hyper_parameters": {"cfg": Bomb(mark)}}, path / "hmr2a.ckpt")
    return path / "hmr2a.ckpt"


def bomb_behind_an_allowed_name(path, mark):
    call = np.float64().__reduce__()[0]  # numpy's scalar
    (path / "gmm_08.pkl").write_bytes(pickle.dumps({"means": Disguised(call, Bomb(mark)), "covars": Disguised(OrderedDict, Bomb(mark))}, 2))
    return path / "gmm_08.pkl"


def bomb_below_an_allowed_module(path, mark):
    """A name with a dot walks from a module to whatever it has imported."""
    module, name, code = b"numpy._core.numeric", b"builtins.exec", f"open({str(mark)!r}, 'w')".encode()
    short = lambda text: b"\x8c" + bytes([len(text)]) + text
    called = short(module) + short(name) + b"\x93X" + struct.pack("<I", len(code)) + code + b"\x85R"
    (path / "gmm_08.pkl").write_bytes(b"\x80\x04}" + short(b"means") + called + b"s.")
    return path / "gmm_08.pkl"


def bomb_in_an_array_type(path, mark):
    """numpy unpickles what an array of objects holds."""
    array = np.empty(1, object)
    array[0] = Bomb(mark)
    (path / "gmm_08.pkl").write_bytes(pickle.dumps(gmm() | {"means": array}, 2))
    return path / "gmm_08.pkl"


def bomb_in_torchs_old_format(path, mark):
    torch.save({"module.x": torch.zeros(2), "y": Bomb(mark)}, path / "wild.pkl", _use_new_zipfile_serialization=False)
    return path / "wild.pkl"


def bomb_in_torchs_tar_format(path, mark):
    with tarfile.open(path / "wild.pkl", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            content = pickle.dumps(Bomb(mark))
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path / "wild.pkl"


def bomb_with_the_name_of_arrays(path, mark):
    (path / "SMPLX_NEUTRAL.npz").write_bytes(pickle.dumps({"v_template": Bomb(mark, open)}))
    return path / "SMPLX_NEUTRAL.npz"


def bomb_with_the_name_of_safetensors(path, mark):
    torch.save({"state_dict": {"w": Bomb(mark)}}, path / "hmr2a.safetensors")
    return path / "hmr2a.safetensors"


BOMBS = [made for name, made in sorted(globals().items()) if name.startswith("bomb_")]


@pytest.mark.parametrize("made", BOMBS, ids=lambda made: made.__name__)
def test_a_file_that_would_run_code_is_refused_and_does_not(model_folder, in_this_process, tmp_path, mark, made):
    path = made(tmp_path, mark)
    with pytest.raises(BadInput, match=path.stem.split(".")[0] + "|MANO_LEFT") as error:
        adding.add([path])
    assert error.value.remedy and not mark.exists() and not model_folder.exists()


def test_the_bombs_are_live(tmp_path, mark):
    """Or the tests above would pass for nothing."""
    for made in (bomb_in_a_pickle, bomb_before_the_arrays, bomb_behind_an_allowed_name, bomb_below_an_allowed_module, bomb_in_an_array_type):
        careless = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'), encoding='latin1')"
        subprocess.run([sys.executable, "-c", careless, made(tmp_path, mark)], check=False, stderr=subprocess.DEVNULL)
        assert mark.exists(), made.__name__
        mark.unlink()


def test_the_second_process_refuses_a_bomb_too_and_the_command_says_so(model_folder, tmp_path, mark, capsys):
    path = bomb_in_a_zip(tmp_path, mark)
    assert main(["models", "add", str(path)]) == 2
    said = capsys.readouterr().err
    assert "mano_v1_2.zip" in said or "MANO_LEFT.pkl" in said
    assert "could run code" in " ".join(said.split()) and not mark.exists() and not model_folder.exists()


def npz_with_a_lying_header(path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(64)
    return zipped(path / "SMPL_NEUTRAL.npz", {"v_template.npy": content, "weights.npy": content})


def safetensors_with_a_lying_length(path):
    (path / "wild.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b'{"a": 1}' + bytes(100))
    return path / "wild.safetensors"


def safetensors_with_lying_offsets(path):
    header = b'{"backbone.conv1.weight":{"dtype":"F32","shape":[1048576,1048576],"data_offsets":[0,4398046511104]}}'
    (path / "wild.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(100))
    return path / "wild.safetensors"


def pickle_with_lying_sizes(path):
    arrays = skinned(778, 16, 10) | {"hands_mean": np.zeros(45), "hands_components": np.zeros((45, 45))}
    pickled_body(path / "MANO_LEFT.pkl", arrays)
    content = (path / "MANO_LEFT.pkl").read_bytes()
    assert content.count(b"M\n\x03K\x03\x86") >= 1  # the tuple (778, 3)
    (path / "MANO_LEFT.pkl").write_bytes(content.replace(b"M\n\x03K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86", 1))
    return path / "MANO_LEFT.pkl"


def zip_bomb_that_claims_to_be_small(path):
    with zipfile.ZipFile(path / "mano_v1_2.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MANO_LEFT.pkl", bytes(60 << 20))
    content = (path / "mano_v1_2.zip").read_bytes()
    (path / "mano_v1_2.zip").write_bytes(content.replace(struct.pack("<I", 60 << 20), struct.pack("<I", 1000)))
    return path / "mano_v1_2.zip"


def zip_bomb(path):
    with zipfile.ZipFile(path / "mano_v1_2.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("MANO_LEFT.pkl", bytes(60 << 20))
    return path / "mano_v1_2.zip"


def zip_that_climbs_out(path):
    return zipped(path / "models_smplx.zip", {"../../../body/SMPLX_NEUTRAL.npz": b"x", "models/readme.txt": b"x"})


def zip_with_an_absolute_path(path):
    return zipped(path / "models_smplx.zip", {"/tmp/SMPLX_NEUTRAL.npz": b"x"})


def zip_with_a_link(path):
    link = zipfile.ZipInfo("models/SMPLX_NEUTRAL.npz")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path / "models_smplx.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    return path / "models_smplx.zip"


def truncated_torch_file(path):
    torch.save(random_weights(Smirk), path / "SMIRK_em1.pt")
    os.truncate(path / "SMIRK_em1.pt", 1_000_000)
    return path / "SMIRK_em1.pt"


def truncated_safetensors(path):
    save_file(random_weights(Smirk), path / "SMIRK_em1.safetensors")
    os.truncate(path / "SMIRK_em1.safetensors", 1_000_000)
    return path / "SMIRK_em1.safetensors"


def truncated_pickle(path):
    pickled_body(path / "MANO_LEFT.pkl", mano("left"))
    os.truncate(path / "MANO_LEFT.pkl", 100_000)
    return path / "MANO_LEFT.pkl"


def resnet(path):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3), "fc.bias": torch.zeros(1000)},
               path / "wild.pkl")
    return path / "wild.pkl"


def smplh_body(path):
    np.savez(path / "SMPLX_NEUTRAL.npz", v_template=np.zeros((6890, 3), np.float32), weights=np.zeros((6890, 52), np.float32))
    return path / "SMPLX_NEUTRAL.npz"


def the_open_body(path):
    return Path(__file__).parents[2] / "model_files" / "body" / "OPEN_NEUTRAL.npz"


def objects_where_numbers_belong(path):
    arrays = {name: np.zeros((10475, 3), np.float32) for name in ("v_template", "f")}
    np.savez(path / "SMPLX_NEUTRAL.npz", **arrays, weights=np.zeros((10475, 55), np.float32), shapedirs=np.array([{"a": 1}], object))
    return path / "SMPLX_NEUTRAL.npz"


def weights_that_are_not_finite(path):
    weights = random_weights(Smirk)
    weights["pose_encoder.encoder.bn1.weight"][3] = torch.nan
    torch.save({f"smirk_encoder.{name}": value for name, value in weights.items()}, path / "SMIRK_em1.pt")
    return path / "SMIRK_em1.pt"


def weights_of_wrong_shapes(path):
    weights = network_weights(Acr) | {"backbone.conv1.weight": torch.zeros(64, 3, 7, 7)}
    torch.save(weights, path / "wild.pkl")
    return path / "wild.pkl"


def weights_that_are_missing(path):
    weights = network_weights(Smirk)
    del weights["shape_encoder.encoder.bn1.weight"]
    torch.save(weights, path / "SMIRK_em1.pt")
    return path / "SMIRK_em1.pt"


def weights_of_no_numbers(path):
    weights = network_weights(Smirk) | {"pose_encoder.encoder.bn1.weight": torch.zeros(16, dtype=torch.complex64)}
    torch.save(weights, path / "SMIRK_em1.pt")
    return path / "SMIRK_em1.pt"


def body_that_is_not_finite(path):
    arrays = mano("left")
    arrays["posedirs"][5, 1, 7] = np.inf
    return pickled_body(path / "MANO_LEFT.pkl", arrays)


def body_of_a_wrong_shape(path):
    return pickled_body(path / "SMPL_NEUTRAL.pkl", skinned(6890, 24, 10) | {"posedirs": np.zeros((6890, 3, 9), np.float32)})


def body_with_lost_triangles(path):
    return pickled_body(path / "SMPL_NEUTRAL.pkl", skinned(6890, 24, 10) | {"f": np.array([[0, 1, 6890]], np.uint32)})


def empty_file(path):
    (path / "wild.pkl").write_bytes(b"")
    return path / "wild.pkl"


def folder_without_models(path):
    (path / "downloads").mkdir()
    (path / "downloads" / "notes.txt").write_text("nothing")
    return path / "downloads"


def text_called_checkpoint(path):
    (path / "hmr2a.ckpt").write_text("epoch=10 step=25000\n" * 50)
    return path / "hmr2a.ckpt"


def web_page_called_checkpoint(path):
    (path / "SMPL_python_v.1.1.0.zip").write_text("<!DOCTYPE html><title>Sign in</title>")
    return path / "SMPL_python_v.1.1.0.zip"


def zip_called_safetensors(path):
    return zipped(path / "hmr2a.safetensors", {"readme.txt": b"nothing"})


def graph_that_cannot_run(path):
    from onnx_writer import write

    ports = {"input": (1, 3, 256, 192)}, {"output": (1, 17, 64, 48)}
    return write(path / "vitpose.onnx", *ports, [("Nothing", ["input"], ["output"], {})], {"w": np.zeros(1, np.float32)})


def graph_of_another_kind(path):
    from onnx_writer import write

    return write(path / "vitpose.onnx", {"x": (1, 3)}, {"y": (1, 3)}, [("Relu", ["x"], ["y"], {})], {})


def graph_that_is_cut(path):
    import fake_networks

    fake_networks.write_heatmaps(path / "vitpose.onnx", {0: 0})
    os.truncate(path / "vitpose.onnx", 10_000)
    return path / "vitpose.onnx"


def graph_with_numbers_elsewhere(path):
    """An export whose weights lie in a file beside it, up the folders: field 13 of a tensor names it, 14 says that it counts."""
    from onnx_writer import _bytes, _number, _text, write

    path = write(path / "vitpose.onnx", {"x": (1, 3, 256, 192)}, {"y": (1, 17, 64, 48)}, [("Relu", ["w"], ["y"], {})], {})
    content = path.read_bytes()
    dims = b"".join(_number(1, length) for length in (1, 17, 64, 48))
    where = _bytes(13, _text(1, "location") + _text(2, "../../../../etc/passwd"))
    tensor = _bytes(5, dims + _number(2, 1) + _text(8, "w") + where + _number(14, 1))
    start = content.index(_text(2, "test"))
    inner = _bytes(1, _text(1, "w") + _text(2, "y") + _text(4, "Relu")) + _text(2, "test") + tensor
    ports = content[start + len(_text(2, "test")):]
    inner += ports[: ports.rindex(_bytes(8, _text(1, "") + _number(2, 13)))]
    path.write_bytes(_number(1, 8) + _bytes(7, inner) + _bytes(8, _text(1, "") + _number(2, 13)))
    return path


def no_file(path):
    return path / "wild.pkl"


def pipe(path):
    os.mkfifo(path / "wild.pkl")
    return path / "wild.pkl"


WRONG = {
    npz_with_a_lying_header: "4096.0 GiB", safetensors_with_a_lying_length: "header is longer than the file",
    safetensors_with_lying_offsets: "not a checkpoint of plain numbers", pickle_with_lying_sizes: "bytes are not there",
    zip_bomb_that_claims_to_be_small: "damaged|of nothing", zip_bomb: "60 MiB of nothing", zip_that_climbs_out: "leaves its folder",
    zip_with_an_absolute_path: "leaves its folder", zip_with_a_link: "holds a link", truncated_torch_file: "not downloaded to its end",
    truncated_safetensors: "not a checkpoint of plain numbers", truncated_pickle: "damaged pickle",
    resnet: r"does not use \(3 tensors: conv1\.weight", smplh_body: "is SMPL-H, which SMPLit does not use", the_open_body: "is the open body",
    objects_where_numbers_belong: "pickled Python objects", weights_that_are_not_finite: r"bn1\.weight' holds numbers that are not finite",
    weights_of_wrong_shapes: r"looks like ACR.*conv1\.weight \(64, 3, 7, 7\) instead of \(64, 3, 3, 3\)",
    weights_that_are_missing: r"looks like SMIRK.*missing: shape_encoder\.encoder\.bn1\.weight", weights_of_no_numbers: "of type torch.complex64",
    body_that_is_not_finite: "'posedirs' holds numbers that are not finite", body_of_a_wrong_shape: r"'posedirs' is float32 \(6890, 3, 9\)",
    body_with_lost_triangles: "triangles name vertices that are not there", empty_file: "empty", folder_without_models: "no model in it",
    text_called_checkpoint: "is no model", web_page_called_checkpoint: "web page: the download needs you to be signed in",
    zip_called_safetensors: "no model in it",
    graph_that_cannot_run: "no ONNX model that can be run", graph_of_another_kind: "no network that SMPLit can use",
    graph_that_is_cut: "not an ONNX file", graph_with_numbers_elsewhere: "no ONNX model that can be run from one file",
    no_file: "is not there", pipe: "neither a file nor a folder",
}


@pytest.mark.parametrize("made, told", WRONG.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_damaged_or_wrong_file_is_refused_and_says_why(model_folder, in_this_process, tmp_path, made, told):
    if made is pipe and not hasattr(os, "mkfifo"):
        pytest.skip("no pipes in the file system here")
    path = made(tmp_path)
    with pytest.raises(BadInput, match=told) as error:
        adding.add([path])
    assert path.name.split(".")[0] in str(error.value) or "MANO_LEFT" in str(error.value)
    assert error.value.exit_code == 2 and error.value.remedy and not model_folder.exists()
    assert not [member for member in tmp_path.parent.glob("SMPLX_NEUTRAL*") if member.is_file()]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(model_folder, in_this_process, tmp_path):
    (tmp_path / "wild.pkl").write_bytes(b"x")
    (tmp_path / "wild.pkl").chmod(0)
    with pytest.raises(BadInput, match=r"wild\.pkl' cannot be read \(no permission\)"):
        adding.add([tmp_path / "wild.pkl"])


def test_of_several_files_none_is_added_when_one_is_refused(model_folder, in_this_process, tmp_path):
    torch.save(network_weights(Smirk), tmp_path / "SMIRK_em1.pt")
    with pytest.raises(BadInput, match=r"text\.ckpt' was refused"):
        (tmp_path / "text.ckpt").write_text("no model")
        adding.add([tmp_path / "SMIRK_em1.pt", tmp_path / "text.ckpt"])
    assert not model_folder.exists()


def test_an_older_file_stays_when_a_new_one_is_refused(model_folder, in_this_process, tmp_path):
    torch.save(network_weights(Smirk, 0.5), tmp_path / "SMIRK_em1.pt")
    path = Path(adding.add([tmp_path / "SMIRK_em1.pt"])["added"][0]["path"])
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(BadInput):
        adding.add([weights_that_are_not_finite(tmp_path)])
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before and sorted(model_folder.iterdir()) == [path.parent]


@pytest.mark.parametrize("changed", [
    {"indices": np.array([0, 99], np.int32)}, {"indptr": np.array([0, 1, 9], np.int32)}, {"indptr": np.array([0, 2, 1], np.int32)},
    {"_shape": (1 << 20, 1 << 20)},
])
def test_a_sparse_matrix_or_a_pick_that_points_outside_is_refused(changed):
    from smplit.models.pickles import Refused, _Array, _Kind, _Select, _Sparse

    def array(value):
        kind, made = _Kind(value.dtype.str[1:]), _Array()
        made.__setstate__((1, value.shape, kind, False, value.tobytes()))
        return made

    parts = {"_shape": (3, 2), "data": np.ones(2), "indices": np.array([0, 2], np.int32), "indptr": np.array([0, 1, 2], np.int32)}
    wrap = lambda state: {name: array(value) if isinstance(value, np.ndarray) else value for name, value in state.items()}
    matrix = _Sparse()
    matrix.__setstate__(wrap(parts))
    assert np.array_equal(matrix.array(), [[1, 0], [0, 0], [0, 1]])
    matrix.__setstate__(wrap(parts | changed))
    with pytest.raises(Refused):
        matrix.array()
    pick = _Select()
    pick.__setstate__({"a": array(np.arange(3.0)), "idxs": array(np.array([0, 3])), "preferred_shape": (2,)})
    with pytest.raises(Refused, match="not there"):
        pick.array()


def test_settings_beside_the_weights_are_no_hindrance_and_are_not_made(model_folder, in_this_process, tmp_path):
    """Of yacs, as HMR2's files are known to hold; of OmegaConf and of paths, as others do. Another class is named."""
    lightning(tmp_path / "smirk.ckpt", network_weights(Smirk), 1, 1)
    with pretended("omegaconf.dictconfig.DictConfig", "omegaconf.base.ContainerMetadata", "omegaconf.nodes.AnyNode") as (settings, notes, node):
        made = settings()
        content = {"lr": node(), "kind": Any, "where": Path("x"), "more": defaultdict(dict, a=1)}
        made.__dict__.update(_metadata=notes(), _content=content, _parent=None)
        torch.save({"state_dict": network_weights(Smirk), "hyper_parameters": made}, tmp_path / "smirk2.ckpt")
    for name in ("smirk.ckpt", "smirk2.ckpt"):
        assert adding.add([tmp_path / name])["added"][0]["model"] == "smirk"
    torch.save({"state_dict": {"w": torch.zeros(1)}, "hyper_parameters": Fraction(1, 3)}, tmp_path / "other.ckpt")
    with pytest.raises(BadInput, match=r"other\.ckpt.*asks for fractions\.Fraction, which could run code"):
        adding.add([tmp_path / "other.ckpt"])


def test_one_hmr2_in_the_others_place_is_seen_by_the_step_of_its_training(model_folder):
    """Their tensors have the same names and shapes; features of the wrong one would pass for the right one's."""
    from smplit.mocap.hmr2.estimate import Hmr2

    (model_folder / "hmr2").mkdir(parents=True)
    tensors = {"backbone.patch_embed.proj.weight": torch.zeros(1), "smpl_head.decpose.weight": torch.zeros(1)}
    for step, a, b in ((1_000_000, "wrong file", "found"), (25_001, "found", "wrong file"), (None, "found", "found")):
        about = {} if step is None else {"epoch": 10, "global_step": step}
        for name in ("hmr2a", "hmr2b"):
            torch.save({**about, "state_dict": tensors}, model_folder / "hmr2" / f"{name}.ckpt")
        states = {row["name"]: row for row in models.states()}
        assert (states["hmr2a"]["state"], states["hmr2b"]["state"]) == (a, b)
    torch.save({"state_dict": tensors, "global_step": 1_000_000}, model_folder / "hmr2" / "hmr2a.ckpt")
    assert "HMR2.0b" in {row["name"]: row["problem"] for row in models.states()}["hmr2a"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BadInput, match=r"hmr2a\.ckpt' is not hmr2a: it is HMR2\.0b"):
        patch.setattr("smplit.mocap.hmr2.estimate.load_network", lambda path: None)
        Hmr2.load(which="hmr2a")


def test_bad_files_put_there_by_hand_are_shown_and_do_not_stop_the_list(model_folder, mark):
    header = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    files = {
        "acr/wild.safetensors": len(header).to_bytes(8, "little") + header, "smirk/SMIRK_em1.pt": b"",
        "landmarks/vitpose.onnx": b"\x08\x07" + bytes(50), "hands/MANO.npz": pickle.dumps(Bomb(mark)), "pose_prior/vposer.safetensors": b"x" * 100,
    }
    for name, content in files.items():
        (model_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (model_folder / name).write_bytes(content)
    zipped(model_folder / "hmr2a.ckpt", {"archive/data.pkl": b"\x80\x02}q\x00(" + b"\xff" * 50})
    (model_folder / "hmr2").mkdir()
    (model_folder / "hmr2a.ckpt").rename(model_folder / "hmr2" / "hmr2a.ckpt")
    (model_folder / "body").mkdir()
    zipped(model_folder / "body" / "SMPL_NEUTRAL.npz", {"v_template.npy": b"x", "weights.npy": b"\x93NUMPY\x01\x00\xff\xff{'descr'"})
    states = {row["name"]: (row["state"], row["problem"]) for row in models.states()}
    for name in ("acr", "smirk", "vitpose", "mano", "vposer", "hmr2a", "smpl"):
        assert states[name][0] == "wrong file" and states[name][1], name
    assert {row["name"]: row["state"] for row in models.verify()}["mano"] == "wrong file" and not mark.exists()
