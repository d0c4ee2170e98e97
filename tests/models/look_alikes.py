# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as the published ones come, with numbers of our own: names, shapes and layouts are right, nothing else is."""

import pickle
import sys
import types
from contextlib import contextmanager

import numpy as np
import scipy.sparse
import torch

from smplit.models.networks import needed


def network_weights(kind, value=0.0, prefix=""):
    """All tensors of a network in their real shapes, each of one number: they take no room, in memory or in a torch file."""
    return {prefix + name: torch.full((1,), value).expand(shape) if shape else torch.tensor(0) for name, shape in needed(kind).items()}


def random_weights(kind, seed=0, prefix=""):
    generator = torch.Generator().manual_seed(seed)
    return {prefix + name: torch.randn(shape, generator=generator) if shape else torch.tensor(0) for name, shape in needed(kind).items()}


@contextmanager
def pretended(*names):
    """Modules of packages that are not installed, for pickling only: 'chumpy.ch.Ch' makes a class of that name."""
    modules, classes = {}, []
    for name in names:
        module, _, kind = name.rpartition(".")
        for part in (module.partition(".")[0], module):
            modules.setdefault(part, types.ModuleType(part))
        classes.append(type(kind, (dict,) if kind == "CfgNode" else (), {"__module__": module}))
        setattr(modules[module], kind, classes[-1])
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield classes
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.__setitem__(name, module)


def lightning(path, weights, epoch, step):
    """As Lightning saves: settings of yacs beside the weights."""
    with pretended("yacs.config.CfgNode") as (settings,):
        config = settings(MODEL=settings(BACKBONE=settings(TYPE="vit")))
        config["GENERAL"] = settings(TOTAL_STEPS=1000000)
        torch.save({
            "epoch": epoch, "global_step": step, "pytorch-lightning_version": "1.8.1", "state_dict": weights,
            "hyper_parameters": {"cfg": config}, "loops": {"fit_loop": {"state_dict": {}}}, "optimizer_states": [],
        }, path)


def skinned(vertices, joints, shapes, seed=0):
    """Arrays of a body in SMPL's layout: a row of points along x."""
    random = np.random.default_rng(seed)
    regressor = np.zeros((joints, vertices))
    for joint in range(joints):
        regressor[joint, joint * (vertices // joints)] = 1.0
    template = random.normal(0, 0.01, (vertices, 3))
    template[:, 0] += np.linspace(0, 1, vertices)  # joint 0 first: the others lie towards +x
    weights = np.eye(joints)[np.arange(vertices) * joints // vertices]
    return {
        "v_template": template, "f": random.integers(0, vertices, (50, 3)).astype(np.uint32),
        "shapedirs": random.normal(0, 0.01, (vertices, 3, shapes)).astype(np.float32),
        "posedirs": random.normal(0, 0.01, (vertices, 3, 9 * (joints - 1))).astype(np.float32),
        "J_regressor": regressor, "weights": weights, "kintree_table": np.stack([np.maximum(np.arange(joints) - 1, 0), np.arange(joints)]),
    }


def mano(side, seed=0):
    random = np.random.default_rng(seed)
    arrays = skinned(778, 16, 10, seed) | {"hands_mean": random.normal(0, 0.1, 45), "hands_components": random.normal(0, 1, (45, 45))}
    arrays["v_template"][:, 0] *= 1 if side == "left" else -1
    return arrays


def gmm(seed=0):
    random = np.random.default_rng(seed)
    spread = random.normal(0, 0.1, (8, 69, 69))
    return {"means": random.normal(0, 0.3, (8, 69)), "covars": spread @ spread.transpose(0, 2, 1) + 0.1 * np.eye(69), "weights": np.full(8, 0.125)}


def pickled_body(path, arrays, protocol=2, module=None, select=True):
    """As SMPL, MANO and FLAME come: chumpy arrays, one of them a `select` of another, a sparse regressor, texts beside them.

    `module` renames numpy's, which pickles of before numpy 2 name otherwise.
    """
    with pretended("chumpy.ch.Ch", "chumpy.reordering.Select") as (array, pick):
        def chumpy(value):
            made = array()
            made.__dict__.update(x=value, _dirty_vars=set(), _itr=None)
            return made

        directions = arrays["shapedirs"]
        picked = chumpy(directions)
        if select:
            picked = pick()
            backwards = chumpy(np.ascontiguousarray(directions.ravel()[::-1]))
            picked.__dict__.update(a=backwards, idxs=np.arange(directions.size)[::-1], preferred_shape=directions.shape, _dirty_vars={"a"})
        content = pickle.dumps(dict(arrays) | {
            "v_template": chumpy(arrays["v_template"]), "shapedirs": picked, "posedirs": chumpy(np.asfortranarray(arrays["posedirs"])),
            "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]), "bs_style": "lbs", "bs_type": b"lrotmin",
        }, protocol=protocol)
    if module:
        own = np._core.multiarray.__name__.encode()
        assert own in content
        content = content.replace(own, module.encode())
    path.write_bytes(content)
    return path
