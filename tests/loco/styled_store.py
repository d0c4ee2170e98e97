# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion store of walkers made by hand (`synthetic_walk`) in two styles, and a network of that size that has learnt nothing."""

import numpy as np
import torch
from synthetic_walk import walk

from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store

FPS = 30.0
# name, part, style, label, licence, seconds, m/s, rad/s, whether it begins and ends standing
CLIPS = (
    ("happy_walk_1", "bandai_1", "happy", "walk", "MIT", 9.0, 1.0, 0.25, False),
    ("happy_walk_2", "bandai_1", "happy", "walk", "MIT", 8.0, 0.9, -0.4, True),
    ("happy_run_1", "bandai_1", "happy", "run", "MIT", 4.0, 1.1, 0.1, False),
    ("sad_walk_1", "bandai_2", "sad", "walk", "CC-BY-NC", 8.0, 0.6, 0.2, True),
    ("sad_bow", "bandai_2", "sad", "bow", "CC-BY-NC", 3.0, 0.3, 0.1, False),
    ("02_01", "cmu_amc", "", "walk", "CMU-free", 4.0, 1.0, 0.1, False),
)


def stood_walk(body, seconds, speed, turn_rate, stands):
    """Poses (T,22,3) rad, pelvis (T,3) m, contacts (T,4) of a walk; one that `stands` is slowed to rest over its first and last second."""
    fine = 10
    count = round(seconds * FPS)
    made = walk(body, seconds, FPS * fine, speed, turn_rate)
    times = np.arange(count) / FPS
    if stands:  # the clock of the walk runs slowly at its ends
        pace = np.clip(np.minimum(times, times[-1] - times) - 0.3, 0, 1)
        times = np.concatenate([[0.0], np.cumsum(pace)[1:] / FPS])
    rows = np.round(times * FPS * fine).astype(int)
    contacts = np.repeat(made.planted[rows], 2, axis=1)
    return made.motion.poses.reshape(-1, 55, 3)[rows, :22], made.pelvis[rows], contacts.astype(np.uint8)


def styled_store(path, body):
    """Writes `CLIPS` to `path`."""
    rest = body.rest_joints()[0].cpu().numpy()

    def clips():
        for name, part, style, label, licence, seconds, speed, turn, stands in CLIPS:
            poses, pelvis, contacts = stood_walk(body, seconds, speed, turn, stands)
            info = ClipInfo(f"{part}/{name}", "open", part, "1", style, label, licence, FPS, seconds)
            yield Clip(info, poses, pelvis - rest, contacts, FPS)

    write_store(path, clips(), FPS, "0" * 64)
    return MotionStore.open(path)


def principal(vectors, count, weight=None):
    """What `Components.of` finds, by the singular values of few samples, in a hundredth of the time."""
    from smplit.loco.windows import Components

    weight = torch.ones(vectors.shape[1]) if weight is None else weight
    mean = vectors.mean(0)
    _, values, axes = torch.linalg.svd((vectors - mean) * weight, full_matrices=False)
    return Components(mean, axes[:count], (values[:count] / len(vectors) ** 0.5).clamp(min=1e-4), weight)


def random_network(corpus, seed=0):
    """A network whose windows are spread like the corpus', but mean nothing."""
    from smplit.loco.network import LocoNetwork
    from smplit.loco.windows import FUTURE, PAST, control, future_weight, past_vector

    torch.manual_seed(seed)
    network = LocoNetwork(len(corpus.styles), width=32, layers=1, components=24, past_components=12)
    rows = corpus.starts[corpus.room >= FUTURE][::5]
    body = corpus.frames[rows[:, None] + torch.arange(1 - PAST, FUTURE + 1)]
    past, future = body[:, :PAST], body[:, PAST:]
    found = {
        "future": principal((future - past[:, -1:]).flatten(1), 24, future_weight()), "past": principal(past_vector(past), 12),
    }
    with torch.no_grad():
        for name, components in found.items():
            for part, values in vars(components).items():
                getattr(network, f"{name}_{part}").copy_(values)
        asked = torch.cat([control(corpus.place, corpus.facing, int(row))[None] for row in rows])
        seen = network.see(past, asked)
        network.mean.copy_(seen.mean(0))
        network.std.copy_(seen.std(0).clamp(min=0.02))
        network.leave.weight *= 1.5
        network.enter.weight[:, -24:] *= 5  # few numbers of noise beside many that are seen
        network.leave.bias.zero_()
        for layer in network.layers:  # it begins as zeros: style and moment would not count
            torch.nn.init.normal_(layer.adapt.weight, std=0.3)
    return network
