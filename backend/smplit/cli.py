# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: every command, thin. `smplit COMMAND --help` tells its options.

tyro (MIT) builds the parsers from the signatures and dataclasses below, so that the options' own
comments are the help. A command's imports are inside it: `smplit --help` answers without torch.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

import smplit
from smplit import terminal
from smplit.errors import BadInput, Cancelled, SmplitError
from smplit.mocap.options import CaptureOptions

if TYPE_CHECKING:
    from smplit.body.model import BodyModel

Output = Annotated[Path, arg(aliases=["-o"])]


@dataclass
class Common:
    """Options that every command has."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N or mps
    seed: int = 0  # random seed
    json: bool = False  # print one JSON object: what was written, and figures

    def body(self) -> BodyModel:
        """The best body model there is, on the chosen device."""
        from smplit.body.model import BodyModel
        from smplit.device import resolve_device

        return BodyModel.load(device=resolve_device(self.device))


def capture(
    videos: Positional[tuple[Path, ...]], output: Output, options: OmitArgPrefixes[CaptureOptions], json: bool = False
) -> None:
    """Video(s) -> OUTPUT/<video stem>_p<person>.npz, one SMPL-X motion per person.

    Args:
        videos: video files.
        output: folder for the results.
        json: print one JSON object: what was written, and figures.
    """
    from smplit.device import resolve_device

    options.validate()
    if not videos:
        raise BadInput("No video was named.", "Write: smplit capture VIDEO -o FOLDER.", "no_video")
    stems = [video.stem for video in videos]
    doubled = sorted({stem for stem in stems if stems.count(stem) > 1})
    if doubled:
        raise BadInput(f"Several videos are called '{doubled[0]}': their results would overwrite each other.", "Rename one, or use two folders.")
    resolve_device(options.device)
    from smplit.mocap import init_model
    from smplit.mocap.pipeline import capture as run

    body = init_model(device=options.device)
    written, warnings = [], []
    for video in videos:
        with terminal.TerminalReporter(video.name) as reporter:
            results = run(video, output, options, reporter, body)
        warnings += reporter.warnings
        written += [{"file": result.path, "person": result.person, **result.figures} for result in results]
    terminal.result({"written": written, "warnings": warnings} if json else {"written": written}, json)


def export(motion: Positional[Path], output: Output, common: OmitArgPrefixes[Common], to: str | None = None) -> None:
    """A motion file -> another tool's format, chosen by the ending of OUTPUT: npz, bvh or glb.

    Args:
        motion: SMPL-X motion npz.
        output: file to write.
        to: "joints" writes world joint positions as npz.
    """
    from smplit.export import export_motion
    from smplit.motion import Motion

    source = Motion.load(motion)
    terminal.result({"written": export_motion(source, output, to, common.body())}, common.json)


def import_(motion: Positional[Path], output: Output, common: OmitArgPrefixes[Common]) -> None:
    """Somebody else's motion -> SMPL-X motion npz. Reads AMASS, SMPL-H, SMPL-X and original SMPLit npz.

    Args:
        motion: file to read.
        output: npz to write.
    """
    from smplit.export.whole_file import whole_file
    from smplit.imports import import_motion

    result = import_motion(motion)
    with whole_file(output) as path:
        result.save(path)
    terminal.result({"written": output, "frames": len(result), "fps": result.fps}, common.json)


def view(
    motion: Positional[Path], common: OmitArgPrefixes[Common], png: Path | None = None, mp4: Path | None = None, port: int = 8080
) -> None:
    """Looks at a motion: in the browser, or as a picture or video.

    Args:
        motion: SMPL-X motion npz.
        png: write a picture instead.
        mp4: write a video instead.
        port: of the browser viewer on this machine.
    """
    from smplit.motion import Motion

    loaded = Motion.load(motion)
    if png is None and mp4 is None:
        from smplit.view.browser import serve as browse

        browse(loaded, port)
        return
    from smplit.view.render import render_motion

    with terminal.TerminalReporter(motion.name) as reporter:
        render_motion(loaded, png=png, mp4=mp4, reporter=reporter)
    terminal.result({"written": [str(path) for path in (png, mp4) if path]}, common.json)


def models_list(common: OmitArgPrefixes[Common]) -> None:
    """Which model files are there, and what each enables."""
    from smplit import models

    rows = models.states()
    columns = ("name", "state", "enables", "licence", "source")
    terminal.result({"models": rows if common.json else [{name: row[name] for name in columns} for row in rows]}, common.json)


def models_verify(common: OmitArgPrefixes[Common]) -> None:
    """Checks that every shipped model file is there and unchanged."""
    from smplit import models

    rows = models.verify()
    terminal.result({"models": rows}, common.json)
    bad = [row["name"] for row in rows if row["state"] != "intact"]
    if bad:
        raise SmplitError(f"Damaged or missing model files: {', '.join(bad)}.", "Install SMPLit again.", "damaged_model")


def serve(
    connection_file: Path, common: OmitArgPrefixes[Common], parent_pid: int | None = None, host: str = "127.0.0.1",
    client_key: str | None = None, jobs_dir: Path | None = None, root: tuple[Path, ...] = (),
) -> int:
    """The backend that the Blender add-on talks to.

    Args:
        connection_file: file to write (mode 0600): endpoint, keys, protocol version.
        parent_pid: leave when this process is gone.
        host: address to listen on.
        client_key: the only client's public key (Z85); without it a client key pair is made and written.
        jobs_dir: folder of jobs and their results.
        root: a folder that videos may be read from; may be given several times. Without it any file the user may read.
    """
    from smplit.server.main import serve as run

    return run(connection_file, parent_pid=parent_pid, host=host, client_key=client_key, jobs_dir=jobs_dir, roots=root, device=common.device)


def eval_capture(
    truth: Positional[Path], output: Output, options: OmitArgPrefixes[CaptureOptions], only: tuple[str, ...] = (), json: bool = False
) -> None:
    """Scores capture against rendered truth (tools/make_truth_clips.py), the detector's own 3D beside it.

    Args:
        truth: folder with `<clip>.mp4` and `<clip>_truth.npz`.
        output: folder for the captures and report.json.
        only: names of clips; default all.
        json: print one JSON object.
    """
    from smplit.evaluation.capture import evaluate_capture

    with terminal.TerminalReporter("evaluation") as reporter:
        report = evaluate_capture(truth, output, options, reporter, only=only)
    terminal.result(report, json)


COMMANDS: dict[str, Callable[..., Any]] = {
    "capture": capture,
    "import": import_,
    "export": export,
    "view": view,
    "models list": models_list,
    "models verify": models_verify,
    "eval capture": eval_capture,
    "serve": serve,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0 done, 1 failed or cancelled, 2 bad input.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=os.environ.get("SMPLIT_LOG", "WARNING").upper(), format="%(levelname)s %(name)s: %(message)s")
    if words[:1] == ["--version"]:
        print(f"smplit {smplit.__version__}")
        return 0
    name = next((n for n in (" ".join(words[:2]), " ".join(words[:1])) if n in COMMANDS), None)
    if name is None:
        return _overview(words)
    rest = words[len(name.split()) :]
    if name == "capture":
        from smplit.seed_switches import translate

        rest, notes = translate(rest)
        for note in notes:
            terminal.say(note, style="yellow")
    return _run(name, rest)


def _run(name: str, arguments: list[str]) -> int:
    # A terminated command cleans up like an interrupted one.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        return tyro.cli(COMMANDS[name], prog=f"smplit {name}", args=arguments) or 0
    except SmplitError as error:
        terminal.fail(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        terminal.fail(str(Cancelled("Cancelled; nothing was left half-written.")))
        return 1
    except SystemExit as leave:  # tyro: 0 after --help, 2 after a bad option
        return leave.code if isinstance(leave.code, int) else 2
    except MemoryError:
        terminal.fail("Out of memory. Use --range to capture a part of the video, or close other programs.")
        return 1


def _overview(words: list[str]) -> int:
    lines = [f"  {name:15} {(function.__doc__ or '').strip().splitlines()[0]}" for name, function in COMMANDS.items()]
    text = "smplit COMMAND ...   (smplit COMMAND --help tells its options)\n\n" + "\n".join(lines)
    if not words or words[0] in ("-h", "--help"):
        print(text)
        return 0
    near = [name for name in COMMANDS if name.split()[0] == words[0]]
    terminal.fail(f"There is no command '{' '.join(words[:2] if near else words[:1])}'. {'Did you mean: ' + ', '.join(near) + '?' if near else ''}")
    terminal.say(text)
    return 2


if __name__ == "__main__":
    sys.exit(main())
