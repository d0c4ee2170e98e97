# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages survive the wire bit for bit, and nothing that lies about itself is believed."""

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest

from smplit import protocol
from smplit.errors import BadInput
from smplit.protocol import FROM_BACKEND, FROM_CLIENT, Limits, Message, ProtocolError, decode, encode


def raw(header, *frames):
    return [header if isinstance(header, bytes) else json.dumps(header).encode(), *frames]


def hello(**more):
    return {"v": 1, "type": "hello", "client": "test", **more}


CHUNK = {"job": "a", "clip": 0, "source": "v.mp4", "person": 1, "first": 0, "frames": 2}


@pytest.mark.parametrize("name", sorted(protocol.DTYPES))
def test_an_array_of_every_allowed_type_arrives_bit_for_bit(name):
    sent = np.arange(-3, 9).astype(name).reshape(3, 4)
    sent = sent[:, ::2]  # not contiguous
    got = decode(encode(Message("chunk", CHUNK, {"a": sent})), FROM_BACKEND).arrays["a"]
    assert got.dtype == sent.dtype and got.shape == (3, 2) and got.tobytes() == sent.tobytes()
    assert not got.flags.writeable


def test_big_endian_arrays_keep_their_values():
    sent = np.array([1.5, -2.25], ">f4")
    assert decode(encode(Message("chunk", CHUNK, {"a": sent})), FROM_BACKEND).arrays["a"].tolist() == [1.5, -2.25]


def test_frames_are_little_endian_in_row_order():
    frames = encode(Message("chunk", CHUNK, {"a": np.array([[1, 2], [3, 4]], np.float32)}))
    assert bytes(frames[1]) == struct.pack("<4f", 1, 2, 3, 4)


def test_scalars_empty_arrays_and_text_keep_their_shape():
    arrays = {
        "mocap_frame_rate": np.array(29.97), "gender": np.array("neutral"), "expression_names": np.array(["jawOpen", "größer", ""]),
        "none": np.zeros((0, 165), np.float32), "no_text": np.array([], dtype=np.str_),
    }
    got = decode(encode(Message("chunk", CHUNK, arrays)), FROM_BACKEND).arrays
    assert {n: (a.shape, a.tolist()) for n, a in got.items()} == {n: (a.shape, a.tolist()) for n, a in arrays.items()}


def test_a_request_keeps_its_fields_and_id():
    sent = protocol.submit("capture", {"hands": "none", "focal": None}, ["/ü/a b.mp4"], ["/ü"], {"poses": np.zeros((2, 165))}, id="7")
    got = decode(encode(sent), FROM_CLIENT)
    assert (got.type, got.id, dict(got.fields)) == ("submit", "7", dict(sent.fields)) and got.arrays["poses"].shape == (2, 165)


def test_unknown_fields_of_a_newer_side_are_ignored():
    assert decode(raw(hello(colour="red")), FROM_CLIENT)["client"] == "test"


@pytest.mark.parametrize(("frames", "says"), [
    ([], "empty"),
    (raw(b"\xff\xfe"), "not JSON"),
    (raw(b'{"v": 1, "type": "hello", "client": NaN}'), "NaN"),
    (raw([1, 2]), "not a JSON object"),
    (raw(hello() | {"type": "exec"}), "'exec' is not known"),
    (raw(hello() | {"type": ["hello"]}), "is not known"),
    (raw(hello() | {"client": 5}), "'client' must be str"),
    (raw({"v": 1, "type": "cancel"}), "'job' must be str"),
    (raw(hello(), b"1234"), "does not name"),
    (raw(hello(arrays=[{"name": "a", "dtype": "float32", "shape": [2, 165]}]), b"\0" * 1319), "needs 1320 bytes; its frame has 1319"),
    (raw(hello(arrays=[{"name": "a", "dtype": "float32", "shape": [1 << 39, 1 << 39]}]), b"\0" * 8), "needs"),
    (raw(hello(arrays=[{"name": "a", "dtype": "float32", "shape": [-1, -1]}]), b"\0" * 4), "sizes"),
    (raw(hello(arrays=[{"name": "a", "dtype": "float32", "shape": [True]}]), b"\0" * 4), "sizes"),
    (raw(hello(arrays=[{"name": "a", "dtype": "float32", "shape": [1] * 9}]), b"\0" * 4), "sizes"),
    (raw(hello(arrays=[{"name": "a", "dtype": "object", "shape": [1]}]), b"\0" * 8), "'object'"),
    (raw(hello(arrays=[{"name": "a", "dtype": "V8", "shape": [1]}]), b"\0" * 8), "'V8'"),
    (raw(hello(arrays=[{"name": "../a", "dtype": "int8", "shape": [1]}]), b"\0"), "proper name"),
    (raw(hello(arrays=[{"name": "a", "dtype": "int8", "shape": [1]}])), "has no frame"),
    (raw(hello(arrays=[{"name": "a", "dtype": "int8", "shape": [1]}] * 2), b"\0", b"\0"), "twice"),
    (raw(hello(arrays={"a": 1})), "must be a list"),
    (raw(hello(arrays=[{"name": "a", "dtype": "text", "shape": [3], "text": ["x"]}])), "needs 3 strings"),
    (raw(hello(arrays=[{"name": "a", "dtype": "text", "shape": [30000], "text": ["x" * 9000] + [""] * 29999}])), "too large"),
])
def test_a_message_that_breaks_a_rule_is_refused_with_the_reason(frames, says):
    with pytest.raises(ProtocolError) as caught:
        decode(frames, FROM_CLIENT)
    assert says in caught.value.message and caught.value.code == "bad_message" and caught.value.remedy


def test_a_message_of_another_version_says_so_and_names_its_request():
    with pytest.raises(ProtocolError) as caught:
        decode(raw(hello(v=2, id="9")), FROM_CLIENT)
    assert caught.value.code == "bad_version" and caught.value.re == "9"


def test_deep_nesting_is_refused_before_it_is_parsed():
    for bomb in (b"[" * 500_000, b'{"v":' * 100_000, b'{"v":1,"type":"hello","client":"[[","x":' + b"[" * 13 + b"]" * 13 + b"}"):
        with pytest.raises(ProtocolError, match="nests deeper"):
            decode([bomb], FROM_CLIENT)


def test_brackets_inside_strings_are_not_depth():
    assert decode(raw(hello(client='[[[[[[[[[[[[[[[[[[[[\\"[[[{{{{')), FROM_CLIENT)["client"].startswith("[[[")


@pytest.mark.parametrize(("frames", "limits", "says"), [
    (raw(hello(client="x" * 100)), Limits(header_bytes=100), "header"),
    (raw(hello(), b"12345"), Limits(frame_bytes=4), "at most"),
    (raw(hello(), b"123", b"123"), Limits(total_bytes=48), "at most"),
    (raw(hello(), b"1", b"2", b"3"), Limits(frames=2), "3 array frames"),
])
def test_sizes_beyond_the_limits_are_refused(frames, limits, says):
    with pytest.raises(ProtocolError, match=says):
        decode(frames, FROM_CLIENT, limits)


def test_what_may_not_be_received_cannot_be_sent():
    for array in (np.array([object()]), np.zeros(2, complex), np.zeros(2, [("a", int)]), np.array([b"bytes"])):
        with pytest.raises(ProtocolError, match="not sent"):
            encode(Message("chunk", CHUNK, {"a": array}))
    with pytest.raises(ProtocolError, match="JSON"):
        encode(Message("hello", {"client": float("nan")}))
    with pytest.raises(ProtocolError, match="at most"):
        encode(Message("chunk", CHUNK, {"a": np.zeros(100)}), Limits(frame_bytes=799))


def test_random_bytes_never_get_through():
    rng = np.random.default_rng(0)
    good = [bytes(f) for f in encode(Message("chunk", CHUNK, {"a": np.arange(6.0).reshape(2, 3), "t": np.array(["x"])}))]
    for _ in range(2000):
        header = bytearray(good[0])
        for place in rng.integers(0, len(header), 3):
            header[place] = rng.integers(0, 256)
        try:
            message = decode([bytes(header), *good[1:]], FROM_BACKEND)
        except ProtocolError:
            continue
        assert all(a.nbytes <= 48 or a.dtype.kind == "U" for a in message.arrays.values())


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_connection_file_is_for_its_owner_alone_and_reads_back(tmp_path):
    path = tmp_path / "c.json"
    connection = protocol.Connection("tcp://127.0.0.1:4321", "k" * 40, 12, "0.1.0", client_key="p" * 40, client_secret="s" * 40)
    protocol.write_connection(path, connection)
    assert protocol.read_connection(path) == connection and path.stat().st_mode & 0o777 == 0o600
    protocol.remove_connection(path, protocol.Connection("tcp://127.0.0.1:1", "k" * 40, 13, "0.1.0"))
    assert path.exists(), "another backend's file was removed"
    protocol.remove_connection(path, connection)
    assert not path.exists() and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("text", "code"), [
    (None, "no_backend"), ("{", "bad_connection_file"), ("[]", "bad_connection_file"), ('{"endpoint": "x"}', "bad_connection_file"),
    ('{"endpoint": 5, "server_key": "k", "pid": 1, "smplit": "0"}', "bad_connection_file"),
    ('{"endpoint": "x", "server_key": "k", "pid": 1, "smplit": "0", "protocol": 99}', "bad_version"),
])
def test_a_bad_connection_file_is_named_with_a_remedy(tmp_path, text, code):
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput) as caught:
        protocol.read_connection(path)
    assert caught.value.code == code and caught.value.remedy


def test_the_protocol_imports_neither_torch_nor_zmq_nor_bpy():
    script = "import sys, smplit.protocol; print([m for m in ('torch', 'zmq', 'bpy', 'cv2', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"
