# SPDX-License-Identifier: GPL-3.0-or-later
"""How people differ: principal shapes of 300 adults, and joints as weighted means of skin vertices."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from open_body.makehuman import AVERAGE, MakeHuman
from open_body.skeleton import RestPose, joint_index
from smplit.motion import JOINT_NAMES

PEOPLE = 300
SHAPES = 10
_BATCH = 25
_EXPRESSION_WEIGHT = 3.0  # a face that moves must not move the joints behind it


def sample_people(human: MakeHuman, rest_pose: RestPose, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """T-pose vertices (N,V,3) float32 and joints (N,55,3) of adults of every build; the first is the average one."""
    beta = lambda a, b, low=0.0, high=1.0: low + (high - low) * rng.beta(a, b, PEOPLE)
    phenotypes = {
        "gender": beta(0.6, 0.6), "age": beta(2, 4, 0.62, 0.92), "muscle": beta(2, 2), "weight": beta(2, 2),
        "height": beta(4, 4, 0.22, 0.58), "proportions": beta(2, 1.2, 0.3, 1), "cupsize": beta(2, 2), "firmness": beta(2, 2),
    }  # fmt: skip
    phenotypes |= {name: rng.gamma(0.7, 1, PEOPLE) + 0.02 for name in ("african", "asian", "caucasian")}
    for name, values in phenotypes.items():
        values[0] = AVERAGE[name]
    vertices, joints = [], []
    for first in range(0, PEOPLE, _BATCH):
        batch = human.people({name: values[first : first + _BATCH] for name, values in phenotypes.items()})
        for person in zip(*batch, strict=True):
            posed, pivots = rest_pose(*person)
            vertices.append(posed.astype(np.float32))
            joints.append(pivots)
    return np.stack(vertices), np.stack(joints)


def principal_shapes(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (V,3) and directions (V,3,10) of (N,V,3), each one standard deviation long; the first makes people taller."""
    mean = people.mean(0)
    apart = (people - mean).reshape(len(people), -1)
    values, vectors = np.linalg.eigh((apart @ apart.T).astype(np.float64))
    order = np.argsort(-values)[:SHAPES]
    lengths = [np.sqrt(values[k] / len(people)) for k in order]
    directions = [(apart.T @ vectors[:, k] / np.sqrt(values[k]) * n).reshape(-1, 3) for k, n in zip(order, lengths, strict=True)]
    shapes = np.stack(directions, -1)
    height = lambda vertices: np.ptp(vertices[:, 1])
    if height(mean + shapes[:, :, 0]) < height(mean):
        shapes[:, :, 0] *= -1
    return mean, shapes


def joint_regressor(
    template: np.ndarray, people: np.ndarray, joints: np.ndarray, weights: np.ndarray, expressions: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(55,V) non-negative rows that sum to 1: joints of any shape from its vertices, blind to expressions (E,V,3)."""
    regressor = np.zeros((len(JOINT_NAMES), len(template)))
    mean = joints.mean(0)
    moves = np.max(np.linalg.norm(expressions, axis=-1), axis=0) > 1e-4
    for joint in range(len(JOINT_NAMES)):
        near = _candidates(joint, np.linalg.norm(template - mean[joint], axis=1), moves, weights, rng)
        positions = people[::3, near].astype(float).transpose(0, 2, 1).reshape(-1, len(near))
        still = expressions[:, near].transpose(0, 2, 1).reshape(-1, len(near)) * _EXPRESSION_WEIGHT
        system = np.concatenate([positions, still, 30 * np.ones((1, len(near)))])
        goal = np.concatenate([joints[::3, joint].reshape(-1), np.zeros(len(still)), [30.0]])
        found, _ = nnls(system, goal, maxiter=20000)
        regressor[joint, near] = found / found.sum()
    return regressor


def _candidates(joint: int, distance: np.ndarray, moves: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vertices around a joint; of an eye the eyeball."""
    name = JOINT_NAMES[joint]
    if "eye" in name:
        return np.where(weights[:, joint] > 0.9)[0]
    distance = distance + moves * (0.1 if name in ("head", "neck", "jaw") else 0)
    reach = 3.5 if joint in (joint_index("pelvis"), *(joint_index(f"spine{k}") for k in (1, 2, 3))) else 2.2
    near = np.where(distance < max(reach * np.sort(distance)[30], 0.03))[0]
    return rng.choice(near, 400, replace=False) if len(near) > 400 else near
