# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the published LOCO and CAMDM, and of the EMDB benchmark. Oracle: the published code on given arrays
(goldens/loco and goldens/camdm, metrics.npz)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import published_input, weights_by_rule

from smplit.evaluation import metrics
from smplit.evaluation.camdm_metrics import CamdmStyleClassifier, coherence, foot_sliding, orientation_error, trajectory_error
from smplit.evaluation.feature_distances import frechet
from smplit.evaluation.original_metrics import accel, diversity, fid, fs, step_error, tilt_error

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
FPS = 30.0


@pytest.fixture(scope="module")
def camdm():
    with np.load(GOLDENS / "camdm_metrics.npz") as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="module")
def loco():
    with np.load(GOLDENS / "loco_metrics.npz") as archive:
        return {key: archive[key] for key in archive.files}


def near(found, expected, relative=1e-6):
    return abs(found - float(expected)) <= relative * abs(float(expected))


def test_camdms_feet_and_joints(camdm):
    joints, names = camdm["foot/global_positions_cm"].astype(np.float64), camdm["foot/joint_names"].tolist()
    toes = joints[:, [names.index("LeftToeBase"), names.index("RightToeBase")]]
    assert near(foot_sliding(toes, joints[:, 0], 1.0), camdm["foot/sliding_y1"])
    assert near(foot_sliding(toes, joints[:, 0], 0.55, from_lowest=False), camdm["foot/sliding_y0.55"])
    assert near(coherence(joints), camdm["foot/coherence"])


def test_camdms_directions(camdm):
    root = camdm["foot/global_positions_cm"][:, 0].astype(np.float64)
    assert near(trajectory_error(camdm["orient/preset"][:, :3], root), camdm["orient/traj_error_deg"])
    assert near(orientation_error(camdm["orient/preset"][:, 3:], camdm["orient/forward_angle"]), camdm["orient/orien_error_deg"])


def test_frechet_distances_are_the_published_ones(camdm, loco):
    assert near(frechet(camdm["fid/feat"], camdm["fid/gt_feat"]), camdm["fid/value_divided_by_dim"])
    assert near(fid(loco["fid_a"], loco["fid_b"]), loco["fid"])


def test_the_style_classifier_gives_the_published_features_and_logits(camdm):
    network = CamdmStyleClassifier()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(weights_by_rule(name, tuple(parameter.shape)))
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(published_input(f"clf/{name}", *buffer.shape, scale=0.1))
            elif name.endswith("running_var"):
                buffer.copy_(published_input(f"clf/{name}", *buffer.shape, scale=0.1).abs() + 1)
        features, logits = network.eval()(torch.from_numpy(camdm["clf/x"]))
    assert np.abs(features.numpy() - camdm["clf/feat"]).max() < 1e-5 and np.abs(logits.numpy() - camdm["clf/logits"]).max() < 1e-5
    assert sum(value.numel() for value in network.parameters()) == 8489572
    assert np.abs(camdm["clf/feat"]).max() > 1e-2


def test_world_errors_are_those_of_the_emdb_benchmark(camdm):
    """The last, shorter chunk counts on its own, as in GVHMR."""
    predicted, true = (camdm[f"world/{who}_j3d"].astype(np.float64) for who in ("pred", "gt"))
    assert near(metrics.w_mpjpe100(predicted, true), camdm["world/w_mpjpe100_mm"].mean(dtype=np.float64), 1e-5)
    assert near(metrics.wa_mpjpe100(predicted, true), camdm["world/wa_mpjpe100_mm"].mean(dtype=np.float64), 1e-5)
    assert near(metrics.rte(predicted[:, 0], true[:, 0]), camdm["world/rte_percent"].mean(dtype=np.float64), 1e-5)
    assert near(metrics.jitter(predicted, FPS), camdm["world/jitter"].mean(dtype=np.float64), 1e-5)
    feet = (camdm[f"world/{who}_footverts"].astype(np.float64) for who in ("pred", "gt"))
    assert near(metrics.foot_slide(*feet, FPS), camdm["world/foot_sliding_mm"].mean(dtype=np.float64), 1e-5)


def test_the_originals_own_figures(loco):
    assert near(accel(loco["joints"].astype(np.float64)), loco["accel"])
    assert near(fs(loco["joints"].astype(np.float64)), loco["fs"])
    count = len(loco["pred"])
    assert near(step_error(loco["pred"], loco["gt"][:count]), loco["t_err"])
    assert near(tilt_error(loco["pred"], loco["gt"][:count]), loco["o_err"])
    assert near(diversity(loco["fid_a"], seed=0), loco["diversity_seed0_300"])
