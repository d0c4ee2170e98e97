# SPDX-License-Identifier: GPL-3.0-or-later
"""The one trainer: runs alone or under torchrun, resumes to the exact step. Readable top to bottom.

A recipe brings what differs between models:

- `model`: the network; `device`: where it and its batches live; `prepare(generator)`: what must be measured before the first step
- `batch(generator)`: one batch, made on the device
- `loss(model, batch)`: named parts whose sum is minimised
- `evaluate(model)`: named figures on held-out data
- `export(model, path, card)`: what is shipped
- `groups(model)`, if there is one: parameters as dicts of `params` and their `share` of the learning rate

A run's folder holds `options.json`, `losses.csv`, `metrics.csv`, TensorBoard events where tensorboardX is
installed, `training.pt` (everything a resumed run needs) and `weights.safetensors` (the averaged network).
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from smplit.errors import BadInput
from smplit.training.options import TrainOptions


class Recipe(Protocol):
    """See the module's text."""

    name: str
    model: nn.Module
    device: str

    def prepare(self, generator: torch.Generator) -> None: ...
    def batch(self, generator: torch.Generator) -> Any: ...
    def loss(self, model: nn.Module, batch: Any) -> dict[str, Tensor]: ...
    def evaluate(self, model: nn.Module) -> dict[str, float]: ...
    def export(self, model: nn.Module, path: Path, card: dict[str, str]) -> None: ...


def train(recipe: Recipe, options: TrainOptions, card: dict[str, str] | None = None) -> Path:
    """Trains until `options.steps`, or until it is told to stop (SIGINT, SIGTERM), and saves.

    Args:
        card: what the weights say of themselves (data, licence).

    Returns:
        The averaged weights, `save_dir/weights.safetensors`.

    Raises:
        BadInput: the folder holds another run, or there is nothing to resume.
    """
    rank, workers, device = *_join(recipe.device), recipe.device
    folder = Path(options.save_dir)
    saved = folder / "training.pt"
    _check_folder(saved, options)
    generator = torch.Generator(device).manual_seed(options.seed * 1000 + rank)
    model = recipe.model.to(device)
    optimiser = torch.optim.AdamW(_groups(recipe, model), lr=options.lr, weight_decay=options.weight_decay, fused=device.startswith("cuda"))
    step = 0
    if options.resume:
        state = torch.load(saved, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        average, step = state["average"], state["step"]
        if rank < len(state["generators"]):  # another number of workers goes on with fresh windows
            generator.set_state(state["generators"][rank].cpu())
    else:
        recipe.prepare(generator)
        average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    if workers > 1:
        for value in model.state_dict().values():
            dist.broadcast(value, 0)
    parallel = nn.parallel.DistributedDataParallel(model) if workers > 1 else model
    log = _Log(folder, step, options, recipe.name) if rank == 0 else None
    half = torch.autocast("cuda", torch.bfloat16) if device.startswith("cuda") else contextlib.nullcontext()

    with _bar(options.steps, step, rank) as advance, _Stop() as stop:
        while step < options.steps and not stop.asked:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(step, options) * group.get("share", 1.0)  # runs begun earlier know no shares
            batch = recipe.batch(generator)  # kinematics need all their digits
            with half:
                parts = recipe.loss(parallel, batch)
            loss = torch.stack(list(parts.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), options.clip)
            if torch.isfinite(norm):  # one bad batch must not end the run
                optimiser.step()
            step += 1
            _follow(average, model, min(options.ema, step / (step + 10)))
            last = step == options.steps
            if log and (step % options.log_every == 0 or last):
                log.losses(step, learning_rate(step - 1, options), parts, norm)
                advance(step, f"loss {float(loss.detach()):.3f}")
            if log and options.eval_every and (step % options.eval_every == 0 or last):
                with averaged(model, average):
                    log.metrics(step, recipe.evaluate(model))
            if step % options.save_every == 0 or last or stop.asked:
                generators = _gathered(generator.get_state().to(device), workers)
                if rank == 0:
                    _save(saved, model, average, optimiser, generators, step)
                    with averaged(model, average):
                        recipe.export(model, folder / "weights.safetensors", (card or {}) | {"steps": str(step)})
    if log:
        log.close()
    if workers > 1:
        dist.destroy_process_group()
    return folder / "weights.safetensors"


def learning_rate(step: int, options: TrainOptions) -> float:
    """Of the parameters that have no share of their own."""
    return options.lr * options.share(step)


def _groups(recipe: Recipe, model: nn.Module) -> list[dict]:
    """Parameters by their `share` of the learning rate: all alike, unless the recipe says otherwise."""
    return recipe.groups(model) if hasattr(recipe, "groups") else [{"params": list(model.parameters()), "share": 1.0}]


@torch.no_grad()
def _follow(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            average[name].lerp_(value, 1.0 - decay)
        else:
            average[name].copy_(value)


@contextlib.contextmanager
def averaged(model: nn.Module, average: dict[str, Tensor]) -> Iterator[None]:
    """The model with its averaged weights, for as long as this lasts."""
    own = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(average)
    model.eval()
    try:
        yield
    finally:
        model.load_state_dict(own)
        model.train()


def worker_device(device: str) -> str:
    """The device of this process: under torchrun every worker has a GPU of its own."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _join(device: str) -> tuple[int, int]:
    """Rank and number of workers: torchrun's, or 0 and 1."""
    workers = int(os.environ.get("WORLD_SIZE", "1"))
    if workers == 1:
        return 0, 1
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return dist.get_rank(), workers


def _gathered(state: Tensor, workers: int) -> list[Tensor]:
    if workers == 1:
        return [state]
    states = [torch.empty_like(state) for _ in range(workers)]
    dist.all_gather(states, state)
    return states


def _check_folder(saved: Path, options: TrainOptions) -> None:
    if options.resume and not saved.is_file():
        raise BadInput(f"'{saved.parent}' holds no run to resume.", "Leave --resume out, or name the folder of a run.", "nothing_to_resume")
    if not options.resume and saved.is_file():
        raise BadInput(f"'{saved.parent}' already holds a run.", "Give --resume, or another --save-dir.", "run_exists")
    saved.parent.mkdir(parents=True, exist_ok=True)


def _save(path: Path, model: nn.Module, average: dict, optimiser: torch.optim.Optimizer, generators: list[Tensor], step: int) -> None:
    """Whole or not at all."""
    temporary = path.with_suffix(".tmp")
    state = {"model": model.state_dict(), "average": average, "optimiser": optimiser.state_dict(), "generators": generators, "step": step}
    torch.save(state, temporary)
    os.replace(temporary, path)


class _Stop:
    """Turns the first SIGINT or SIGTERM into a request to save and end; the second one ends at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():  # elsewhere nobody can ask
            self._before = {kind: signal.signal(kind, self._ask) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _ask(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class _Log:
    """CSV always, TensorBoard where tensorboardX is installed. A resumed run forgets what its save does not know of."""

    def __init__(self, folder: Path, step: int, options: TrainOptions, name: str):
        described = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(options).items()}
        (folder / "options.json").write_text(json.dumps({"recipe": name} | described, indent=2))
        self._folder, self._begun, self._from = folder, time.monotonic(), step
        for path in (folder / "losses.csv", folder / "metrics.csv"):
            _forget_after(path, step)
        try:
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(str(folder), purge_step=step)
        except ImportError:
            self._board = None

    def losses(self, step: int, lr: float, parts: dict[str, Tensor], norm: Tensor) -> None:
        values = {name: float(value.detach()) for name, value in parts.items()}
        speed = (step - self._from) / max(time.monotonic() - self._begun, 1e-9)
        self._write("losses.csv", step, {"loss": sum(values.values())} | values | {"gradient": float(norm), "lr": lr, "steps_per_second": speed})

    def metrics(self, step: int, figures: dict[str, float]) -> None:
        self._write("metrics.csv", step, figures)

    def _write(self, name: str, step: int, values: dict[str, float]) -> None:
        path = self._folder / name
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *values])
            writer.writerow([step, *(f"{value:.6g}" for value in values.values())])
        if self._board:
            for key, value in values.items():
                if value == value:  # a figure that the data could not give
                    self._board.add_scalar(f"{name.removesuffix('.csv')}/{key}", value, step)

    def close(self) -> None:
        if self._board:
            self._board.close()


def _forget_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    rows = path.read_text().splitlines()
    kept = rows[:1] + [row for row in rows[1:] if row and int(row.split(",")[0]) <= step]
    if step == 0:
        path.unlink()
    else:
        path.write_text("\n".join(kept) + "\n")


@contextlib.contextmanager
def _bar(steps: int, done: int, rank: int) -> Iterator:
    """A progress bar on a terminal: yields `advance(step, text)`."""
    if rank or not sys.stderr.isatty():
        yield lambda step, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=steps, completed=done)
        yield lambda step, text: bar.update(task, completed=step, description=text)
