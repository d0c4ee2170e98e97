# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can ask of a capture. One definition feeds the command line, the server and the add-on."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from smplit.errors import BadInput

CHOICES = {
    "preset": ("none", "fast", "half-body", "best"),
    "body": ("auto", "wham", "hmr2", "landmarks"),
    "hands": ("auto", "acr", "landmarks", "none"),
    "face": ("auto", "smirk", "landmarks", "none"),
    "fitting": ("temporal", "smplifyx"),
    "prior": ("auto", "open", "gmm", "vposer"),
    "trajectory": ("auto", "difftraj", "wham", "camera", "none"),
    "camera": ("auto", "static", "moving"),
    "landmarks": ("auto", "blazepose", "vitpose", "rtmpose", "rtmw"),
    "boxes": ("auto", "movenet", "yolo"),
}
# Choices that need an estimator this version does not hold yet, and the one to use meanwhile.
_NOT_YET = {("trajectory", "wham"): "camera"}
_PRESETS = {"none": {}, "fast": {"fit": False}, "half-body": {"fit": True}, "best": {"fit": True, "flip_eval": True}}


@dataclass
class CaptureOptions:
    """Options of `smplit capture`; the comment of each field is its help text."""

    # fast: the networks alone, no fit. half-body: HMR2 where its file was added, and the fit. best: everything there is, mirrored too
    preset: str = "none"
    body: str = "auto"  # body estimator; landmarks: the detector's own 3D, without a learned one; auto: the best one there is
    hands: str = "auto"  # finger estimator, or none; auto: ACR where its file was added
    face: str = "auto"  # expression estimator, or none; auto: SMIRK where its file was added
    landmarks: str = "auto"  # 2D landmarks: the shipped ones, or an added ViTPose, RTMPose or RTMW file; auto: the most accurate there is
    boxes: str = "auto"  # who finds people: the shipped MoveNet, or an added YOLO file; auto: YOLO where it is there
    fit: bool = True  # refine the body over the whole clip
    fitting: str = "temporal"  # how it is refined: over the whole clip, or as published, every frame by itself (smplifyx; trembles, for comparisons)
    prior: str = "auto"  # which poses the fit holds likely: VPoser or SMPLify's mixture (gmm) where it was added, or the shipped one (open)
    trajectory: str = "auto"  # where the world path comes from: the camera, or the feet alone (difftraj); none keeps the person in place
    camera: str = "auto"  # static, moving, or decide from the background
    focal: float | None = None  # focal length in pixels of the upright frame
    camera_file: str | None = None  # the video's camera: COLMAP text model, OpenCV yml/json/xml, or npz with camera_R, camera_t, camera_K
    people: str = "all"  # all, largest, or person numbers such as 1,3
    flip_eval: bool = False  # wham: average with the mirrored video (slower); the shipped body estimator always does
    visualize: bool = False  # also write an overlay video and a contact sheet
    range: str | None = None  # part of the video, A:B in seconds or mm:ss
    device: str = "auto"  # auto, cpu, cuda, cuda:N or mps
    seed: int = 0  # random seed

    @classmethod
    def from_dict(cls, values: dict) -> CaptureOptions:
        """Options from the wire; unknown names are bad input."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise BadInput(f"Unknown capture option: {', '.join(unknown)}.", f"Known options: {', '.join(sorted(known))}.", "unknown_option")
        options = cls(**values)
        options.validate()
        return options

    def validate(self) -> None:
        """All problems of the options at once, before any model is loaded.

        Raises:
            BadInput: some value is not allowed, or names an estimator that is not there yet.
        """
        problems = []
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                problems.append(f"--{name} {value!r} is not one of {', '.join(allowed)}")
            elif (name, value) in _NOT_YET:
                problems.append(f"--{name} {value} is not in this version; use --{name} {_NOT_YET[name, value]}")
        if self.focal is not None and not 10 <= float(self.focal) <= 1e6:
            problems.append(f"--focal {self.focal} is not a focal length in pixels (10 or more)")
        if self.camera_file is not None:
            # The file tells both: two answers to one question are a mistake.
            told = [name for name in ("focal", "camera") if getattr(self, name) not in (None, "auto")]
            problems += [f"--{name} and --camera-file exclude each other" for name in told]
        if self.people not in ("all", "largest"):
            try:
                if not all(int(part) >= 1 for part in self.people.split(",")):
                    raise ValueError
            except ValueError:
                problems.append(f"--people {self.people!r} is not 'all', 'largest' or numbers from 1 such as 1,3")
        if problems:
            raise BadInput("; ".join(problems) + ".", "Correct the option and run again.", "bad_option")

    def resolved(self) -> CaptureOptions:
        """What the preset stands for, written out; a named estimator stays the one that was named."""
        return replace(self, **_PRESETS[self.preset])

    def person_numbers(self) -> set[int] | None:
        """The asked-for person numbers, or None for `all` and `largest`."""
        if self.people in ("all", "largest"):
            return None
        return {int(part) for part in self.people.split(",")}
