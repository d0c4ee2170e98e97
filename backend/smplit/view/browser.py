# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion in the browser, played and scrubbed, served from this machine only.

viser (Apache-2.0) draws it, an optional extra: it skins the mesh in the browser, so that a frame
costs 55 bone poses instead of 10,475 vertices, and runs over a remote desktop's forwarded port.
"""

from __future__ import annotations

import errno
import socket
import time

import numpy as np

from smplit.axes import quaternion_from_matrix
from smplit.body.model import BodyModel
from smplit.errors import BadInput, SmplitError
from smplit.motion import NUM_JOINTS, Motion, joint_transforms
from smplit.view.performer import colour_of, frame_times

_HOST = "127.0.0.1"
_TICK = 1.0 / 60.0  # s between looks at the clock while playing


def serve(motion: Motion, port: int = 8080) -> None:
    """Shows `motion` at http://127.0.0.1:`port` until Ctrl-C.

    Raises:
        SmplitError: viser is not installed.
        BadInput: the port is taken.
    """
    try:
        import viser
    except ImportError as error:
        raise SmplitError(
            "The browser viewer needs the package viser, which is not installed.",
            "Install it with: pip install 'smplit[viewer]', or write a picture or film instead with --png or --mp4.", "no_viewer",
        ) from error
    _require_free(port)
    times = frame_times(motion)
    server = viser.ViserServer(host=_HOST, port=port)
    try:
        player = _Player(server, motion, times, BodyModel.load())
        started = time.monotonic()
        while True:
            time.sleep(_TICK)
            now = time.monotonic()
            player.advance(now - started)
            started = now
    finally:
        server.stop()


def _require_free(port: int) -> None:
    """viser takes the next free port silently; a user who names a port wants that one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "is used by another program" if taken else f"cannot be used ({error})"
            raise BadInput(f"Port {port} {reason}.", "Choose another with --port, such as 8081.", "port_taken") from error


class _Player:
    """The skinned body, its grid and the time slider of one server."""

    def __init__(self, server, motion: Motion, times: np.ndarray, body: BodyModel):
        self._times = times - times[0]
        self._seconds = 0.0
        self._shown = -1
        rest = body.rest_joints(motion.betas).cpu().numpy()
        rotations, positions = joint_transforms(motion.poses, rest)
        self._quaternions = quaternion_from_matrix(rotations)  # (T,55,4) w, x, y, z
        self._positions = positions + np.asarray(motion.trans, np.float64)[:, None]  # (T,55,3) m
        server.scene.set_up_direction("+z")
        server.scene.add_grid("/floor", width=20.0, height=20.0, cell_size=1.0)
        still = body.vertices(np.zeros((1, 165), np.float32), np.zeros((1, 3), np.float32), motion.betas)[0]
        self._mesh = server.scene.add_mesh_skinned(
            "/body", still, body.faces, bone_wxyzs=np.tile([1.0, 0.0, 0.0, 0.0], (NUM_JOINTS, 1)), bone_positions=rest,
            skin_weights=body.weights, color=tuple(round(255 * float(c)) for c in colour_of(1)),
        )
        self._play = server.gui.add_checkbox("Play", True)
        self._slider = server.gui.add_slider("Frame", 0, max(1, len(times) - 1), 1, 0)
        self._slider.on_update(self._scrub)
        self._show(0)

    def _scrub(self, event) -> None:
        if event.client is not None:  # moved by the user, not by playing
            self._seconds = float(self._times[min(self._slider.value, len(self._times) - 1)])

    def advance(self, seconds: float) -> None:
        """Moves on by `seconds` when playing, from the end back to the start."""
        if self._play.value:
            self._seconds += seconds
            if self._seconds > self._times[-1]:
                self._seconds = 0.0
        frame = int(np.searchsorted(self._times, self._seconds, side="right")) - 1
        if frame != self._shown:
            self._show(frame)

    def _show(self, frame: int) -> None:
        self._shown = frame
        for joint, bone in enumerate(self._mesh.bones):
            bone.wxyz = self._quaternions[frame, joint]
            bone.position = self._positions[frame, joint]
        self._slider.value = frame
