# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to `look_alikes` and the landmark tests' `onnx_writer`, and a model folder of the test's own."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "mocap" / "keypoints")]


@pytest.fixture
def model_folder(monkeypatch, tmp_path):
    """Where the user's models go; it is not there yet."""
    folder = tmp_path / "models of the user"
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(folder))
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """Without the second process, which takes seconds to start: its own code, here."""
    from smplit.errors import BadInput
    from smplit.models import adding, child

    def ask(paths, scratch):
        report = child.examine(paths, scratch)
        if error := report.get("error"):
            raise BadInput(error["message"], error["remedy"], error["code"])
        return report

    monkeypatch.setattr(adding, "_ask_child", ask)
