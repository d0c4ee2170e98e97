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
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

import smplit
from smplit import terminal
from smplit.cli_options import Common, Output
from smplit.cli_research import eval_capture, eval_difftraj, eval_loco, eval_style100, plot, train_difftraj, train_loco, train_loco_original
from smplit.cli_wham import eval_wham, train_wham_original, train_wham_stage1, train_wham_stage2
from smplit.datasets.commands import data_process, data_split
from smplit.errors import BadInput, Cancelled, SmplitError
from smplit.loco.options import WalkOptions
from smplit.loco.published.options import RolloutOptions
from smplit.mocap.options import CaptureOptions

if TYPE_CHECKING:
    pass

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
    if options.camera_file is not None and len(videos) > 1:
        raise BadInput("One camera file was named for several videos.", "Capture each video with its own --camera-file.", "bad_option")
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


def import_(
    motion: Positional[Path], output: Output, common: OmitArgPrefixes[Common], rest_pose: Path | None = None, map: Path | None = None,
    fps: float | None = None,
) -> None:
    """Somebody else's motion -> SMPL-X motion npz. Reads BVH, and AMASS, SMPL-H, SMPL-X and original SMPLit npz.

    Args:
        motion: file to read.
        output: npz to write.
        rest_pose: BVH whose first frame is a T-pose of the file's skeleton (BVH only).
        map: JSON from SMPL-X's body joints to the file's (BVH only).
        fps: frames per second where a BVH's header is wrong.
    """
    from smplit.export.whole_file import whole_file
    from smplit.imports import import_motion

    result = import_motion(motion, rest_pose=rest_pose, joint_map=map, fps=fps)
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
    """Which model files are there, what each enables, and how to get the others."""
    from smplit import models
    from smplit.models.table import lines

    rows = models.states()
    if common.json:
        terminal.result({"models": rows, "folder": str(models.user_folder())}, True)
        return
    terminal.table(lines(rows))
    print(f"smplit models add FILE files a model, whatever its name, in '{models.user_folder()}'. How to get each one: model_files/README.md.")


def models_add(files: Positional[tuple[Path, ...]], common: OmitArgPrefixes[Common]) -> None:
    """Published model files, zips as downloaded, or folders -> recognised by content, converted safely, and put where they are found.

    Args:
        files: MANO's left and right hand together, everything else one by one or together.
    """
    from smplit import models
    from smplit.models.adding import add

    if not files:
        raise BadInput("No file was named.", "Write: smplit models add FILE.", "no_file")
    outcome = add(list(files), terminal.say)
    for text in (*outcome["skipped"][:12], *(note for row in outcome["added"] for note in row["notes"])):
        terminal.say(text, style="yellow")
    if common.json:
        terminal.result(outcome | {"models": models.states(hashes=False)}, True)
        return
    for row in outcome["added"]:
        print(f"{row['source']} is {row['title']} ({row['build']}): {row['enables']}. Now '{row['path']}'.")


def models_remove(name: Positional[str], common: OmitArgPrefixes[Common]) -> None:
    """Deletes a model that was added with 'smplit models add'; never a shipped one, or one that was put there by hand.

    Args:
        name: as 'smplit models list' has it.
    """
    from smplit import models
    from smplit.models.added import remove

    gone = {"removed": remove(name)}
    terminal.result(gone | {"models": models.states(hashes=False)} if common.json else gone, common.json)


def models_verify(common: OmitArgPrefixes[Common]) -> None:
    """Checks that every shipped model file is there and unchanged, and that added ones are as they were when they were added."""
    from smplit import models

    rows = models.verify()
    terminal.result({"models": rows}, common.json)
    bad = [row["name"] for row in rows if row["state"] in ("missing", "changed", "wrong file")]
    if bad:
        raise SmplitError(f"Damaged or missing model files: {', '.join(bad)}.",
                          "Install SMPLit again, or add the file again with 'smplit models add'.", "damaged_model")


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


def difftraj(
    motions: Positional[tuple[Path, ...]], output: Output, common: OmitArgPrefixes[Common], flip_x: bool = False, flip_y: bool = False,
    flip_z: bool = False, rot_deg: float | None = None, keep_heading: bool = False, samples: int = 0, steps: int = 100,
    commercial_safe: bool = False, weights: Path | None = None, lock_feet: bool = True, original: Path | None = None,
    statistics: Path | None = None,
) -> None:
    """Local poses -> the same motion, travelling, turning and planting its feet. The first frame keeps its place.

    Args:
        motions: files that `smplit import` reads.
        output: npz for one result, else a folder.
        flip_x: turn the input about x first, by --rot-deg or half a turn.
        flip_y: the same about y.
        flip_z: the same about z.
        rot_deg: degrees; without an axis, about z (up).
        keep_heading: with --original, keep the input's headings (ours always does).
        samples: several hypotheses instead of the likeliest.
        steps: sampling steps of --original.
        commercial_safe: use the weights that were trained on free data only.
        weights: weights of your own instead of the shipped ones.
        lock_feet: bend the legs so that planted feet do not move.
        original: checkpoint of the published DiffTraj to use instead of ours.
        statistics: its mean and std npz.
    """
    from smplit.difftraj.commands import add_trajectories, axis_turn

    body = common.body()
    with terminal.TerminalReporter("difftraj") as reporter:
        rows = add_trajectories(
            motions, output, body, reporter, weights=weights or ("free" if commercial_safe else "auto"), samples=samples, seed=common.seed,
            turn=axis_turn(flip_x, flip_y, flip_z, rot_deg), lock_feet=lock_feet, original=original, statistics=statistics, steps=steps,
            keep_heading=keep_heading, device=str(body.device),
        )
    terminal.result({"written": rows}, common.json)


def loco(
    options: OmitArgPrefixes[WalkOptions], common: OmitArgPrefixes[Common], output: Annotated[Path | None, arg(aliases=["-o"])] = None,
    commercial_safe: bool = False, weights: Path | None = None, list_styles: bool = False,
) -> None:
    """A style and a path -> OUTPUT/<style>_<path>.npz, a character who walks, runs or strafes along it.

    Args:
        output: folder for the results.
        commercial_safe: refuse the shipped weights, whose training data exclude commercial use.
        weights: weights of your own instead of the shipped ones.
        list_styles: print the styles and their speeds, and do nothing else.
    """
    from smplit.loco.commands import style_rows, walk
    from smplit.models import find

    if commercial_safe and weights is None:
        raise BadInput(
            "There is no locomotion network yet whose training data may be used commercially.",
            "Train one: smplit train loco --commercial-safe, and name it with --weights.", "no_free_weights",
        )
    file = weights or find("loco")
    if list_styles:
        terminal.result({"styles": style_rows(file)}, common.json)
        return
    if output is None:
        raise BadInput("No folder for the result was named.", "Write: smplit loco -o DIR --style NAME.", "bad_option")
    with terminal.TerminalReporter("loco") as reporter:
        rows = walk(options, output, file, common.body(), reporter, common.seed)
    terminal.result({"written": rows}, common.json)


def loco_original(
    checkpoint: Positional[Path], output: Output, options: OmitArgPrefixes[RolloutOptions], common: OmitArgPrefixes[Common],
    statistics: Path | None = None, style: tuple[str, ...] = (), start: tuple[Path, ...] = (),
) -> None:
    """A checkpoint of the published LOCO and a path of its own -> motions, with its own options.

    Args:
        checkpoint: model*.pt of the original, or weights of 'smplit train loco --original'.
        output: folder for the results.
        statistics: mean and std npz that a published checkpoint was trained with.
        style: one for each sample, in turn; drawn by --seed when not given.
        start: motions to go on from, in turn; the mean of the training when not given.
    """
    from smplit.loco.published.commands import walk_original

    body = common.body()
    with terminal.TerminalReporter("loco") as reporter:
        rows = walk_original(
            checkpoint, output, options, body, reporter, statistics=statistics, styles=style, starts=start, seed=common.seed, device=str(body.device)
        )
    terminal.result({"written": rows}, common.json)


COMMANDS: dict[str, Callable[..., Any]] = {
    "capture": capture,
    "difftraj": difftraj,
    "loco": loco,
    "loco original": loco_original,
    "import": import_,
    "export": export,
    "view": view,
    "models list": models_list,
    "models add": models_add,
    "models remove": models_remove,
    "models verify": models_verify,
    "data process": data_process,
    "data split": data_split,
    "train difftraj": train_difftraj,
    "train loco": train_loco,
    "train loco-original": train_loco_original,
    "train wham-stage1": train_wham_stage1,
    "train wham-original": train_wham_original,
    "train wham-stage2": train_wham_stage2,
    "eval capture": eval_capture,
    "eval difftraj": eval_difftraj,
    "eval loco": eval_loco,
    "eval wham": eval_wham,
    "eval style100": eval_style100,
    "eval_style100": eval_style100,
    "plot": plot,
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
    return _run(*_old_switches(name, rest))


def _old_switches(name: str, arguments: list[str]) -> tuple[str, list[str]]:
    """Command and arguments, with the original's switches put into ours and the user told what became of them."""
    from smplit import seed_switches
    from smplit.loco.published import options as original_options
    from smplit.training.original_options import wants_original

    translators = {"capture": seed_switches.translate, "loco": seed_switches.translate_loco, "loco original": original_options.translate}
    translators |= dict.fromkeys(("eval style100", "eval_style100"), original_options.translate_evaluation)
    if name in translators:
        arguments, notes = translators[name](arguments)
        for note in notes:
            terminal.say(note, style="yellow")
    if name == "train loco":
        original, arguments = wants_original(arguments)
        name = "train loco-original" if original else name
    if name == "train wham-stage1" and "--original" in arguments:
        name, arguments = "train wham-original", [word for word in arguments if word != "--original"]
    return name, arguments


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
