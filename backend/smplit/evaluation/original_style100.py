# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's own evaluation, `eval_style100`: held-out recordings are gone on with, and both compared by its figures.

Three things differ from the original by intent. It meets one and the same window a thousand times; here every sample is another.
Its embedding's weights were never published: a small network that tells styles apart is trained on the recordings' other frames,
so that FID, diversity and distance can be compared within one run only. And where its way ahead ran out, it was held; here
the recorded one goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.schedules import Schedule, cosine_betas
from smplit.errors import BadInput
from smplit.evaluation import original_metrics as figures
from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.style_classifier import StyleNetwork
from smplit.export.whole_file import whole_file
from smplit.loco.published.files import OriginalLoco, load
from smplit.loco.published.motions import motion_of
from smplit.loco.published.options import Style100Options
from smplit.loco.published.rollout import STEPS, Draw, drawing
from smplit.loco.published.windows import OriginalRecordings, Windows
from smplit.progress import Reporter

_LEARNT_IN, _BATCH, _RATE = 600, 64, 2e-3  # steps, windows, of the embedding
_MOST_PAIRS = 300
_SURE = 1.96  # standard errors: 95 % of means lie so near


def eval_style100(
    model: Path, data: Path, output: Path, options: Style100Options, body: BodyModel, reporter: Reporter, *, statistics: Path | None = None,
    seed: int = 10, device: str = "cpu",
) -> dict:
    """Writes OUTPUT/eval_style100_<model>.json: `mean_dict` and `conf_dict`, keys as the original's, "fid_gt", "fid_vald" ...

    Args:
        model: a published checkpoint, with `statistics`, or weights of 'smplit train loco --original'.
        data: motion store; the end of every recording is held out, as in training.

    Raises:
        BadInput: a file or an option cannot be used, or no recording has a style that the network knows.
    """
    for name, value in vars(options).items():
        if value < 1:
            raise BadInput(f"--{name} {value} is impossible.", "Give 1 or more.", "bad_option")
    loco = load(model, statistics)
    if options.infer_step > min(loco.past, loco.future):
        raise BadInput(f"{options.infer_step} frames cannot be kept of each window.", f"Keep 1 to {min(loco.past, loco.future)}.", "bad_step")
    steps = max(0, -(-(options.window_size - loco.future) // options.infer_step))  # windows before the last, which is kept whole
    recordings = _recordings(MotionStore.open(data), loco, steps * options.infer_step + loco.future, body, device)
    held_out = recordings.held_out(options.num_samples)
    if held_out is None:
        raise BadInput(f"'{data}' has no recording long enough to hold a window out.", "Process longer recordings.", "no_clips")
    encoder = _encoder(recordings, options.window_size, seed, device, reporter) if len(recordings.styles) > 1 else None
    loco.network.to(device)
    rows = []
    for replication in range(options.replication_times):
        reporter.stage("replications", replication, options.replication_times)
        draw = drawing(torch.Generator(device).manual_seed(seed + replication))
        made = torch.cat(list(_gone_on(loco, recordings.styles, held_out, steps, options, draw, reporter)))
        pair = {"gt": held_out.future[..., -options.window_size :], "vald": made[..., -options.window_size :]}
        rows.append(_figures(pair, held_out.style, loco, encoder, body, replication))
    reporter.stage("replications", options.replication_times, options.replication_times)
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    report = {
        "mean_dict": {name: float(some.mean()) for name, some in values.items()},
        "conf_dict": {name: float(_SURE * some.std() / np.sqrt(len(some))) for name, some in values.items()},
        "samples": len(held_out.style), "styles": len(recordings.styles),
    }
    file = output / f"eval_style100_{model.stem}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as temporary:
        temporary.write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")
    return {"written": str(file)} | report


def table(report: dict) -> dict:
    """A report for a terminal: a row per figure, of the recordings and of what was made, with how sure the mean is."""
    mean, sure = report["mean_dict"], report["conf_dict"]
    shown = lambda name: f"{mean[name]:.4f} +- {sure[name]:.4f}" if name in mean else None
    names = dict.fromkeys(key.rpartition("_")[0] for key in mean)
    rows = [{"figure": name, "recorded (gt)": shown(f"{name}_gt"), "generated (vald)": shown(f"{name}_vald")} for name in names]
    return {"written": report["written"], "samples": report["samples"], "styles": report["styles"], "figures": rows}


def _recordings(store: MotionStore, loco: OriginalLoco, future: int, body: BodyModel, device: str) -> OriginalRecordings:
    """With styles, those that the network knows; for a network without, all recordings, whose styles are told apart if they have some."""
    rest = body.rest_joints()[:22].cpu().double().numpy()
    styled = [i for i, info in enumerate(store.clips) if info.style not in ("", "?")]
    if not loco.styles:
        clips, styles = (styled, None) if styled else (range(len(store.clips)), ())
    else:
        clips, styles = [i for i in styled if store.clips[i].style in loco.styles], None
    return OriginalRecordings(store, clips, rest, loco.past, future, device, styles, loco.motion)


@torch.no_grad()
def _gone_on(
    loco: OriginalLoco, styles: tuple[str, ...], held_out: Windows, steps: int, options: Style100Options, draw: Draw, reporter: Reporter
) -> Iterator[Tensor]:
    """(b,203,1,F) for batches of the windows: `steps` windows of which the first few frames are kept, then a whole one."""
    diffusion = GaussianDiffusion(Schedule.of(cosine_betas(STEPS)))
    numbers = torch.tensor([loco.styles.index(name) for name in styles], device=held_out.style.device) if loco.styles else None
    control = held_out.control
    if loco.control is not None:
        told = loco.control.normalised(control[:, :, 0].transpose(1, 2).double().cpu().numpy())
        control = torch.as_tensor(told, dtype=control.dtype, device=control.device).transpose(1, 2)[:, :, None]
    for rows in torch.arange(len(held_out.style)).split(options.batch_size):
        reporter.check()
        past, way = held_out.past[rows], control[rows]
        style = None if numbers is None else F.one_hot(numbers[held_out.style[rows]], len(loco.styles)).float()
        pieces = []
        for step in range(steps + 1):
            first = step * options.infer_step
            here, ahead = torch.cat([past, *pieces], -1)[..., -loco.past :], way[..., first : first + loco.future]
            model = lambda x, t, here=here, ahead=ahead, style=style: loco.network(x, t, here, ahead, style)
            noise = draw((len(rows), past.shape[1], 1, loco.future))
            made = diffusion.p_sample_loop(model, noise, lambda x: draw(tuple(x.shape)))
            pieces.append(made[..., : options.infer_step] if step < steps else made)
        yield torch.cat(pieces, -1)


def _figures(
    pair: dict[str, Tensor], style: Tensor, loco: OriginalLoco, encoder: StyleNetwork | None, body: BodyModel, seed: int
) -> dict[str, float]:
    """The original's figures of recorded ("gt") and generated ("vald") windows (B,203,1,W), normalised."""
    out: dict[str, float] = {}
    if encoder is not None:
        with torch.no_grad():
            found = {name: encoder(windows[:, :, 0].transpose(1, 2)) for name, windows in pair.items()}
        features = {name: value.double().cpu().numpy() for name, (value, _) in found.items()}
        pairs = min(_MOST_PAIRS, len(style))
        out["emb_dist_vald"] = float(np.linalg.norm(features["gt"] - features["vald"], axis=-1).mean())
        for name, (_, logits) in found.items():
            out |= {
                f"fid_{name}": figures.fid(features["gt"], features[name]) if len(style) > 1 else 0.0,
                f"diversity_{name}": figures.diversity(features[name], seed, pairs),
                f"acc_radio_{name}": float((logits.argmax(1) == style).double().mean()),
            }
    restored = {name: loco.motion.restored(windows[:, :, 0].transpose(1, 2).double().cpu().numpy()) for name, windows in pair.items()}
    for name, values in restored.items():
        joints = np.stack([BodyTrack.of(motion_of(loco, one, body), body).joints for one in values])
        joints[..., 2] -= joints[..., 2].min((1, 2), keepdims=True)
        out |= {f"accel_{name}": figures.accel(joints), f"fs_{name}": figures.fs(joints)}
        out |= {f"t_err_{name}": figures.step_error(values, restored["gt"]), f"o_err_{name}": figures.tilt_error(values, restored["gt"])}
    return out


def _encoder(recordings: OriginalRecordings, frames: int, seed: int, device: str, reporter: Reporter) -> StyleNetwork:
    """A network that tells the styles apart by `frames` frames of the recordings' training part."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = StyleNetwork(len(recordings.styles), recordings.statistics.mean.shape[0]).to(device).train()
        generator = torch.Generator(device).manual_seed(seed)
        optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-2)
        for step in range(_LEARNT_IN):
            reporter.stage("embedding", step, _LEARNT_IN)
            reporter.check()
            windows = recordings(generator, _BATCH)
            loss = F.cross_entropy(network(windows.future[:, :, 0, -frames:].transpose(1, 2))[1], windows.style)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    reporter.stage("embedding", _LEARNT_IN, _LEARNT_IN)
    return network.eval()
