# SPDX-License-Identifier: GPL-3.0-or-later
"""Which style two seconds of locomotion show; its inner numbers are what the Frechet distance is taken of.

A small network of 1-D convolutions, trained on recordings only, mirrored ones too, with every joint a little out of its place:
a retargeted foot that stands 2 cm too deep, or is planted, says nothing of a style. Every style is drawn equally often, and
within a style every gait, so that neither the size of a set nor its share of turns says what a style is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, safe_open, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from smplit.evaluation.style_windows import CHANNELS, RealWindows, mirrored
from smplit.export.whole_file import whole_file
from smplit.progress import Reporter

FEATURES = 32
_WIDTH = 64
_STEPS, _BATCH = 1500, 64
_RATE, _DECAY = 2e-3, 1e-2
_NOISE, _OFFSET = 0.1, 0.03  # of a channel's spread, frame by frame; m, the same for a window: a foot may stand higher, a hand hang lower
_SMOOTHING = 0.05
_FORMAT = "smplit-style-classifier-1"


class StyleNetwork(nn.Module):
    """(B,T,channels) standardised, of about one length -> features (B,FEATURES) and logits (B,styles)."""

    def __init__(self, styles: int, channels: int = CHANNELS):
        super().__init__()
        blocks = []
        for into in (channels, _WIDTH, _WIDTH):
            blocks += [nn.Conv1d(into, _WIDTH, 5, stride=2, padding=2), nn.BatchNorm1d(_WIDTH), nn.LeakyReLU(0.2), nn.Dropout(0.2)]
        self.blocks = nn.Sequential(*blocks)
        self.narrow = nn.Linear(2 * _WIDTH, FEATURES)
        self.named = nn.Linear(FEATURES, styles)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        inner = self.blocks(windows.transpose(1, 2))
        features = F.leaky_relu(self.narrow(torch.cat([inner.mean(-1), inner.amax(-1)], -1)), 0.2)
        return features, self.named(features)

    def standardised(self, windows: Tensor) -> Tensor:
        return (windows - self.mean) / self.spread


@dataclass
class StyleClassifier:
    """`styles`: names in the order of the logits."""

    network: StyleNetwork
    styles: tuple[str, ...]

    @torch.no_grad()
    def features(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,FRAMES,CHANNELS) -> features (N,FEATURES) and the chosen style's number (N,)."""
        self.network.eval()
        parts = torch.as_tensor(np.asarray(windows, np.float32)).split(512)
        found = [self.network(self.network.standardised(part)) for part in parts]
        return np.concatenate([f.numpy() for f, _ in found]), np.concatenate([x.argmax(1).numpy() for _, x in found])

    def named(self, windows: np.ndarray) -> np.ndarray:
        """(N,FRAMES,CHANNELS) -> (N,) style names."""
        return np.array(self.styles)[self.features(windows)[1]]

    @classmethod
    def trained(cls, real: RealWindows, seed: int = 0, reporter: Reporter | None = None) -> StyleClassifier:
        """Trains on the given windows, two minutes or less; the same seed gives the same classifier."""
        reporter = reporter or Reporter()
        styles = tuple(sorted(set(real.style.tolist())))
        groups = _by_style_and_gait(real, styles)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random = np.random.default_rng(seed)
            network = StyleNetwork(len(styles))
            windows = np.stack([real.windows, mirrored(real.windows)])
            network.mean.copy_(torch.as_tensor(windows.mean((0, 1, 2))))
            network.spread.copy_(torch.as_tensor(windows.std((0, 1, 2)) + 1e-3))
            optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_STEPS)
            network.train()
            for step in range(_STEPS):
                reporter.check()
                chosen = random.integers(len(styles), size=_BATCH)
                rows = [random.choice(groups[style][random.integers(len(groups[style]))]) for style in chosen]
                batch = torch.as_tensor(windows[random.integers(2, size=_BATCH), rows])
                batch = network.standardised(batch + _OFFSET * torch.randn(_BATCH, 1, CHANNELS))
                logits = network(batch + _NOISE * torch.randn_like(batch))[1]
                loss = F.cross_entropy(logits, torch.as_tensor(chosen), label_smoothing=_SMOOTHING)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                reporter.stage("style classifier", step + 1, _STEPS)
        return cls(network.eval(), styles)

    def save(self, path: Path, key: str) -> None:
        with whole_file(path) as temporary:
            save_file(self.network.state_dict(), temporary, {"format": _FORMAT, "styles": "\n".join(self.styles), "key": key})

    @classmethod
    def cached(cls, path: Path, real: RealWindows, seed: int = 0, reporter: Reporter | None = None) -> StyleClassifier:
        """From `path` if that was trained on the same windows with the same seed; else trained and kept there."""
        key = hashlib.sha256(real.windows.tobytes() + "\n".join(real.style.tolist()).encode() + f"{seed} {_STEPS} {_OFFSET}".encode()).hexdigest()
        if path.is_file():
            with safe_open(path, framework="pt") as file:
                known = file.metadata() or {}
            if (known.get("format"), known.get("key")) == (_FORMAT, key):
                styles = tuple(known["styles"].split("\n"))
                network = StyleNetwork(len(styles))
                network.load_state_dict(load_file(path))
                return cls(network.eval(), styles)
        found = cls.trained(real, seed, reporter)
        found.save(path, key)
        return found


def _by_style_and_gait(real: RealWindows, styles: tuple[str, ...]) -> list[list[np.ndarray]]:
    """Rows of every gait of every style."""
    return [[np.flatnonzero((real.style == style) & (real.gait == gait)) for gait in sorted(set(real.gait[real.style == style]))] for style in styles]
