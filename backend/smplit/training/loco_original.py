# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's training in its three kinds, and what `smplit train loco --original` does.

- one-hot styles: a network that is told past, style and way
- base (`cmdm_base`): without styles, on any locomotion
- fine-tuning (`base_model`): a base and a control branch that learns the styles; as in the original all of it is trained

Windows of 203 numbers, 8 diffusion steps, plain mean square error of x0.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import torch
from torch import Tensor, nn

from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.difftraj.original_features import ROOT_CHANNELS, decode_root, from_origin
from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.schedules import Schedule, cosine_betas
from smplit.errors import BadInput
from smplit.loco.published.control import OriginalControlDenoiser
from smplit.loco.published.files import OriginalLoco, load, save
from smplit.loco.published.network import OriginalLocoDenoiser
from smplit.loco.published.rollout import STEPS
from smplit.loco.published.windows import OriginalRecordings, Windows
from smplit.training.commands import FREE_LICENCES
from smplit.training.options import TrainOptions
from smplit.training.trainer import train, worker_device

_JUDGED = 256  # held-out windows
_CENTIMETRES = 100.0


class OriginalLocoRecipe:
    """What the trainer needs of the published network.

    Args:
        network: to train; recordings: their styles are the network's.
        batch: windows in a batch.
    """

    name = "loco-original"

    def __init__(self, network: OriginalLocoDenoiser, recordings: OriginalRecordings, device: str = "cpu", batch: int = 64):
        self.model, self.recordings, self.device, self.size = network, recordings, device, batch
        self.diffusion = GaussianDiffusion(Schedule.of(cosine_betas(STEPS)))

    def prepare(self, generator: torch.Generator) -> None:
        """Nothing: the recordings' statistics are known."""

    def batch(self, generator: torch.Generator) -> tuple[Windows, Tensor, Tensor]:
        """Windows, diffusion steps (B,) and noise (B,203,1,F)."""
        windows = self.recordings(generator, self.size)
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator, device=self.device)))  # dropout's, so that a resumed run is exact
        return windows, *self._noise(windows, generator)

    def loss(self, model: nn.Module, batch: tuple[Windows, Tensor, Tensor]) -> dict[str, Tensor]:
        windows, step, noise = batch
        everything = torch.ones((), dtype=torch.bool, device=noise.device)
        return {"x0": self.diffusion.losses(self._told(model, windows), windows.future, step, noise, everything).mean()}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Held-out windows: the loss, and how far a sampled root is from the recorded one at a window's end, in cm."""
        windows = self.recordings.held_out(_JUDGED)
        if windows is None:
            return {"held_out": float("nan"), "way_cm": float("nan")}
        model.eval()
        generator = torch.Generator(self.device).manual_seed(0)
        step, noise = self._noise(windows, generator)
        loss = float(self.loss(model, (windows, step, noise))["x0"])
        fresh = lambda x: torch.randn(x.shape, generator=generator, device=x.device)
        made = self.diffusion.p_sample_loop(self._told(model, windows), fresh(noise), fresh)
        model.train()
        ends = [self._ends(motion) for motion in (made, windows.future)]
        return {"held_out": loss, "way_cm": float((ends[0] - ends[1]).norm(dim=-1).mean()) * _CENTIMETRES}

    def export(self, model: OriginalLocoDenoiser, path: Path, card: dict[str, str]) -> None:
        known = self.recordings
        save(OriginalLoco(model, known.statistics, None, known.styles if model.styles else (), known.past, known.future), path, card)

    def _told(self, model: nn.Module, windows: Windows):
        """The network with everything but the noised motion told."""
        style = nn.functional.one_hot(windows.style, self.model.styles).float() if self.model.styles else None
        return lambda x, t: model(x, t, windows.past, windows.control, style)

    def _noise(self, windows: Windows, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        step = torch.randint(STEPS, (len(windows.future),), generator=generator, device=self.device)
        return step, torch.randn(windows.future.shape, generator=generator, device=self.device)

    def _ends(self, motion: Tensor) -> Tensor:
        """(B,2) m: where the root of windows (B,203,1,F) ends, from where it began."""
        values = self.recordings.statistics.restored(motion[:, :, 0].transpose(1, 2).double().cpu().numpy())[..., ROOT_CHANNELS]
        return torch.stack([torch.as_tensor(decode_root(from_origin(one))[0][-1, :2]) for one in values])


def train_loco_original(
    data: Path, options: TrainOptions, *, cmdm_base: bool = False, base_model: Path | None = None, statistics: Path | None = None,
    commercial_safe: bool = False, device: str = "cpu", past: int = 10, future: int = 30, batch: int = 64, width: int = 512, layers: int = 8,
) -> dict:
    """Trains the published network on a motion store.

    Args:
        data: motion store made by `smplit data process`.
        cmdm_base: without styles; with `base_model`, goes on with it.
        base_model: a base to fine-tune by style (or a fine-tuned one to go on with), with `statistics` if it is a published file.
        commercial_safe: only recordings under `FREE_LICENCES`.
        past, future: frames of a window; batch: windows; width, layers: of the network. A base has its own.

    Returns:
        What was written and on how much was trained.

    Raises:
        BadInput: nothing to train on, or a base that does not fit.
    """
    device = worker_device(device)
    store = MotionStore.open(data)
    chosen = [i for i, info in enumerate(store.clips) if not commercial_safe or info.licence in FREE_LICENCES]
    rest = BodyModel.load().rest_joints()[:22].cpu().double().numpy()
    base = load(base_model, statistics) if base_model else None
    if base:
        past, future = base.past, base.future
    styles = () if cmdm_base else (base.styles or None) if base else None
    recordings = OriginalRecordings(store, chosen, rest, past, future, device, styles, base.motion if base else None)
    torch.manual_seed(options.seed)
    network = _network(base, cmdm_base, len(recordings.styles), base_model, width, layers)
    used = recordings.clips
    licences = sorted({store.clips[i].licence for i in used})
    card = {
        "data": f"{len(used)} clips, {store.hours(used):.2f} h", "licences": ", ".join(licences), "device": device, "seed": str(options.seed),
        "date": datetime.date.today().isoformat(), "batch": f"{batch} x {past}+{future} frames",
    }
    weights = train(OriginalLocoRecipe(network, recordings, device, batch), options, card)
    return {
        "written": str(weights), "clips": len(used), "hours": round(store.hours(used), 3), "licences": licences, "styles": len(recordings.styles)
    }


def _network(
    base: OriginalLoco | None, without_styles: bool, styles: int, source: Path | None, width: int, layers: int
) -> OriginalLocoDenoiser:
    """A new network, a base as it is, or a base with a branch that begins as its copy."""
    if base is None:
        return OriginalLocoDenoiser(styles, width, layers)
    if isinstance(base.network, OriginalControlDenoiser) and not without_styles:
        return base.network.train()
    if base.network.styles:
        raise BadInput(f"'{source}' knows styles already; a base has none.", "Train a base with --cmdm-base.", "not_a_base")
    if without_styles:
        return base.network.train()
    own = base.network.state_dict()
    tuned = OriginalControlDenoiser(styles, own["sequence_pos_encoder.pe"].shape[-1], len(base.network.seqTransEncoder.layers))
    tuned.load_state_dict(tuned.state_dict() | own)
    tuned.copy_base()
    return tuned
