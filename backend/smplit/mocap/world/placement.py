# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts every person of a shot into one world: Z up, floor at zero, feet planted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.body.rotations import rotation_between
from smplit.mocap.fit.body_fit import BodyFit, Ground
from smplit.mocap.fit.points import sole_points
from smplit.mocap.observations import CameraMotion
from smplit.mocap.world import contacts as contact
from smplit.mocap.world import gravity
from smplit.mocap.world.feet_path import path_of_feet
from smplit.mocap.world.foot_lock import lock_feet
from smplit.motion import PARENTS
from smplit.video.verticals import upright

_LEANING = 0.1  # rad between a body's balance and up that is worth another fit; less did not help the tuning clips
_SAME_FLOOR = 0.2  # m: whoever stands further off stands on something
_LEGS_SEEN = 0.35  # mean leg confidence below which feet decide nothing


@dataclass
class PersonTrack:
    """One fitted person: rows `first ...` of the shot, with what the world stages need."""

    fit: BodyFit
    first: int
    times: np.ndarray  # (T,) s
    camera: CameraMotion  # of the person's frames
    legs: np.ndarray  # (T,) 0..1 trust in the legs
    contacts: np.ndarray | None = None  # (T,4) 0..1 as the pictures tell them, once `fit` was told of them itself

    @property
    def adrift(self) -> bool:
        """The camera travels, and its place in metres is not known."""
        return self.camera.kind == "travelling" and self.camera.centre is None

    @property
    def legs_seen(self) -> bool:
        return float(self.legs.mean()) > _LEGS_SEEN


@dataclass
class PlacedPerson:
    """World motion: `rotations` (T,22,3,3) local, root in the world; `root` (T,3) m pelvis position."""

    rotations: np.ndarray
    root: np.ndarray
    contacts: np.ndarray
    camera_R: np.ndarray
    camera_t: np.ndarray


def body_in_axes(body: BodyModel, person: PersonTrack, turn: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Global rotations (T,22,3,3), joints (T,22,3) m, sole points (T,4,3) m in the first frame's camera axes.

    `turn` (3,3) turns them further. Where the camera's place is not known, positions are relative to it.
    """
    betas = torch.as_tensor(person.fit.betas)
    rotations, joints = joint_transforms(torch.as_tensor(person.fit.rotations, dtype=torch.float32), body.rest_joints(betas)[:22])
    soles = sole_points(body, betas).positions(rotations, joints)
    turn = np.eye(3) if turn is None else turn
    to_axes = turn @ np.transpose(person.camera.rotation, (0, 2, 1))
    centre = np.zeros((len(to_axes), 3)) if person.camera.centre is None else person.camera.centre @ turn.T
    place = lambda points: (points.numpy() + person.fit.trans[:, None]) @ np.transpose(to_axes, (0, 2, 1)) + centre[:, None]
    return to_axes[:, None] @ rotations.numpy().astype(np.float64), place(joints), place(soles)


def _centre(person: PersonTrack, turn: np.ndarray | None = None) -> np.ndarray:
    """(T,3) or (1,3) m: where the camera was in the axes of `body_in_axes`."""
    centre = np.zeros((1, 3)) if person.camera.centre is None else person.camera.centre
    return centre if turn is None else centre @ turn.T


def shot_up(body: BodyModel, people: list[PersonTrack], camera: CameraMotion, ground: gravity.Balance | None = None) -> np.ndarray:
    """Up direction (3,) in the first camera's axes: from all people, upright edges of the background, and the
    ground that a travelling camera saw; a supplied camera may know it."""
    if camera.to_world is not None:
        return camera.to_world[2]
    balances, bodies = [], []
    for person in people:
        _, joints, soles = body_in_axes(body, person)
        weights = person.legs if person.legs_seen else np.full(len(person.legs), 0.05)
        evidence = gravity.balance(joints, weights, float(person.times[-1] - person.times[0]))
        if evidence is not None:
            balances.append(evidence)
        if person.legs_seen and not person.adrift:
            bodies.append((person, soles))
    up = gravity.estimate_up(balances, ground=ground)
    verticals = None if camera.lines is None else upright(camera.lines, camera.K, camera.rotation, up)
    up = gravity.estimate_up(balances, verticals=verticals, ground=ground)
    stood = []
    for person, soles in bodies:
        contacts = contact.foot_contacts(soles, up, person.times, False, _centre(person)) * person.legs[:, None]
        # Heels and toes stand at different heights: compare like with like.
        stood += [gravity.footholds(soles[:, part], contacts[:, part], person.times) for part in ([0, 2], [1, 3])]
    return gravity.estimate_up(balances, stood, verticals, ground)


def balancing_turn(body: BodyModel, person: PersonTrack, up: np.ndarray) -> np.ndarray | None:
    """The rotation (3,3), in the first camera's axes, that sets a leaning person upright; None when nobody leans much.

    People are balanced. Where the scene tells up, a large angle between it and the body's own is the
    detector's mistake: it leans whole bodies, those seen from behind above all.
    """
    if not person.legs_seen:
        return None
    _, joints, _ = body_in_axes(body, person)
    evidence = gravity.balance(joints, person.legs, float(person.times[-1] - person.times[0]))
    if evidence is None or np.arccos(np.clip(evidence.direction @ up, -1, 1)) < _LEANING:
        return None
    return rotation_between(torch.as_tensor(evidence.direction)[None], torch.as_tensor(up)[None])[0].numpy()


def find_ground(body: BodyModel, person: PersonTrack, up: np.ndarray) -> tuple[BodyFit, Ground] | None:
    """What the fit's world stage starts from and stands on; None when the legs are unseen or the camera's place is unknown.

    Returns:
        The fit, moved along the view where resting feet show that its depth was wrong; contacts and the floor's height.
    """
    if not person.legs_seen or person.adrift:
        return None
    _, _, soles = body_in_axes(body, person)
    centre = _centre(person)
    contacts = contact.foot_contacts(soles, up, person.times, False, centre)
    contacts = np.maximum(contacts, contact.still_in_picture(soles, up, person.times, centre)) * person.legs[:, None]
    shift = contact.rest_feet(soles - centre[:, None], contacts, person.times)
    soles = soles + shift[:, None]
    trans = person.fit.trans + np.einsum("tij,tj->ti", person.camera.rotation, shift).astype(person.fit.trans.dtype)
    return replace(person.fit, trans=trans), Ground(contacts, up, _weighted_median((soles @ up).ravel(), contacts.ravel()))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order] + 1e-6)
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def place_people(body: BodyModel, people: list[PersonTrack], up: np.ndarray, in_place: bool = False) -> list[PlacedPerson]:
    """World motion of every person; the first one's first frame stands at x = y = 0.

    Args:
        in_place: keep everyone where they first stood (`--trajectory none`).
    """
    known = people[0].camera.to_world
    to_world = gravity.world_rotation(up) if known is None else known
    parts = []
    for person in people:
        turn = to_world[None] @ np.transpose(person.camera.rotation, (0, 2, 1))
        rotations, joints, soles = body_in_axes(body, person, to_world)
        parts.append([person, turn, rotations, joints, soles, _contacts(person, soles, to_world)])
    if people[0].adrift:
        _travel(parts, body)
    common = _floor(parts)
    for part in parts:
        floor = _own_floor(part, common)
        part[3][..., 2] -= floor
        part[4][..., 2] -= floor
    if in_place:
        for part in parts:
            drift = part[3][:, 0] - part[3][:1, 0]
            drift[:, 2] = 0.0
            part[3] -= drift[:, None]
            part[4] -= drift[:, None]
    origin = parts[0][3][0, 0] * np.array([1.0, 1.0, 0.0])
    placed = []
    for person, turn, rotations, joints, soles, feet_contacts in parts:
        joints, soles = joints - origin, soles - origin
        shift = np.zeros((len(joints), 3))
        if person.legs_seen and not in_place:
            rotations, shift = lock_feet(rotations, joints, soles, feet_contacts, person.times)
        root = joints[:, 0] + shift
        camera_R = np.transpose(turn, (0, 2, 1))
        rest = body.rest_joints(torch.as_tensor(person.fit.betas))[0].numpy()
        # The camera is where it sees the unlocked root: x_cam = R x_world + t.
        camera_t = person.fit.trans + rest - np.einsum("tij,tj->ti", camera_R, joints[:, 0])
        if person.camera.kind == "static":
            camera_t = np.broadcast_to(np.median(camera_t, axis=0), camera_t.shape).copy()
        placed.append(PlacedPerson(_local(rotations), root, feet_contacts, camera_R, camera_t))
    return placed


def _contacts(person: PersonTrack, soles: np.ndarray, to_world: np.ndarray) -> np.ndarray:
    """(T,4) 0..1. A fit that was told which feet stand has held them: asked again, it would prove whatever it was told."""
    if person.contacts is not None:
        return person.contacts
    found = contact.foot_contacts(soles, np.array([0.0, 0.0, 1.0]), person.times, person.adrift, _centre(person, to_world))
    return found * person.legs[:, None] * person.legs_seen


def _local(rotations: np.ndarray) -> np.ndarray:
    parents = np.array([max(p, 0) for p in PARENTS[:22]])
    local = np.transpose(rotations[:, parents], (0, 1, 3, 2)) @ rotations
    local[:, 0] = rotations[:, 0]
    return local


def _floor(parts: list) -> float:
    """Height of the floor: where planted soles are; unseen feet stand where straight legs put them."""
    heights = np.concatenate([part[4][..., 2].ravel() for part in parts])
    weights = np.concatenate([part[5].ravel() for part in parts])
    if weights.sum() > 1.0:
        return _weighted_median(heights, weights)
    return float(np.median(np.concatenate([part[4][..., 2].min(1) for part in parts])))


def _own_floor(part: list, common: float) -> float:
    """Where one person's planted soles are, if that is about everybody's floor: a body taken for a little too large or too small
    stands too far away, and so too low or too high; to pull its feet onto the floor of others would bend its knees."""
    if part[5].sum() <= 1.0:
        return common
    own = _weighted_median(part[4][..., 2].ravel(), part[5].ravel())
    return own if abs(own - common) < _SAME_FLOOR else common


def _travel(parts: list, body: BodyModel) -> None:
    """Moves everyone by the path that the motion of the person with the best-seen legs implies.

    A camera that travels along hides the path from the picture. Others are placed by the camera path
    that follows from that person.
    """
    leader = max(parts, key=lambda part: float(part[5].sum()) + len(part[3]) * 1e-3)
    person = leader[0]
    if len(person.times) < 2:
        return
    path = path_of_feet(_local(leader[2]), person.fit.betas, person.times, person.legs > _LEGS_SEEN, body)
    moved = path - leader[3][:, 0]
    for part in parts:
        rows = np.clip(np.arange(len(part[3])) + part[0].first - person.first, 0, len(moved) - 1)
        part[3] += moved[rows][:, None]
        part[4] += moved[rows][:, None]
        contacts = contact.foot_contacts(part[4], np.array([0.0, 0.0, 1.0]), part[0].times, False)
        part[5] = contacts * part[0].legs[:, None] * part[0].legs_seen
