# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of model files in the preferences, and adding and removing a model from Blender, with the real backend's commands."""

import pickle
import sys

import bpy
import numpy as np
import pytest

EXTENSION = "bl_ext.user_default.smplit"


ICONS = {item.identifier for item in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items}


class Page:
    """A layout that remembers what is written and which buttons there are, and knows Blender's icons and operators."""

    def __init__(self, seen=None):
        self.seen = [] if seen is None else seen
        self.use_property_split = False

    def label(self, text="", icon="NONE"):
        assert icon in ICONS
        self.seen.append(("label", text, icon))

    def operator(self, name, text="", icon="NONE", emboss=True):
        assert icon in ICONS
        group, _, of_group = name.partition(".")
        properties = getattr(getattr(bpy.ops, group), of_group).get_rna_type().properties
        button = type("Button", (), {"__slots__": tuple(properties.keys())})()
        self.seen.append(("operator", name, button))
        return button

    def row(self, align=False):
        return Page(self.seen)

    box = column = row

    def texts(self):
        return [text for kind, text, _ in self.seen if kind == "label"]

    def buttons(self, name):
        return [getattr(button, "name", None) for kind, operator, button in self.seen if kind == "operator" and operator == name]


@pytest.fixture
def chosen(addon, empty_file, backend_python, monkeypatch, tmp_path):
    """The preferences, set to an existing Python, and an empty folder of the user's models; both are reset afterwards."""
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path / "models"))
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.source, preferences.python = "PYTHON", str(backend_python)
    yield preferences
    preferences.source, preferences.python, preferences.shown_model = "OWN", "", ""
    sys.modules[f"{EXTENSION}.bridge.pump"].BACKEND.learn_models([])


@pytest.fixture
def page(chosen):
    """Draws the table and gives what is on it."""
    def drawn():
        seen = Page()
        sys.modules[f"{EXTENSION}.models_table"].draw_models(seen, chosen)
        return seen

    __import__(f"{EXTENSION}.models_table")
    return drawn


def mixture(path):
    spread = np.random.default_rng(0).normal(0, 0.1, (8, 69, 69))
    arrays = {"means": np.zeros((8, 69)), "covars": spread @ spread.transpose(0, 2, 1) + 0.1 * np.eye(69), "weights": np.full(8, 0.125)}
    path.write_bytes(pickle.dumps(arrays, 2))
    return path


def refused(operator, **options):
    with pytest.raises(RuntimeError) as error:
        operator(**options)
    return str(error.value)


def test_what_is_missing_is_an_invitation_with_steps_and_a_licence(chosen, page):
    assert bpy.ops.smplit.refresh_models() == {"FINISHED"}
    texts = page().texts()
    assert any(text.startswith("The best hands") and "get ACR, 2 steps" in text for text in texts), texts
    assert page().buttons("smplit.add_model") and not page().buttons("smplit.remove_model")
    assert "1." not in " ".join(texts)
    assert bpy.ops.smplit.show_model(name="acr") == {"FINISHED"}
    text = " ".join(" ".join(page().texts()).split())
    for told in ("Commercial use: no", "File: wild.pkl", "1. Read about models at github.com/", "2. smplit models add"):
        assert told in text
    bpy.ops.smplit.show_model(name="acr")
    assert page().texts() == texts


def test_best_invites_to_what_it_lacks_and_is_silent_where_nothing_is_known(chosen, page):
    panels, backend = sys.modules[f"{EXTENSION}.panels"], sys.modules[f"{EXTENSION}.bridge.pump"].BACKEND
    backend.learn_models([])
    silent = Page()
    panels.draw_invitations(silent)
    assert silent.seen == []
    bpy.ops.smplit.refresh_models()
    shown = Page()
    panels.draw_invitations(shown)
    said = " ".join(shown.texts())
    assert all(name in said for name in ("WHAM", "HMR2", "ACR", "SMIRK")) and "steps" in said
    assert [name for kind, name, _ in shown.seen if kind == "operator"] == ["preferences.addon_show"]


def test_a_model_is_added_from_the_file_browser_and_removed_again(chosen, page, tmp_path):
    path = mixture(tmp_path / "downloaded thing.zip")
    assert bpy.ops.smplit.add_model(directory=str(tmp_path), files=[{"name": path.name}]) == {"FINISHED"}
    assert (tmp_path / "models" / "pose_prior" / "gmm_08.npz").is_file()
    assert page().buttons("smplit.remove_model") == ["gmm_prior"]
    assert any(text.startswith("SMPLify's mixture of poses: ") for text in page().texts())
    assert bpy.ops.smplit.remove_model(name="gmm_prior") == {"FINISHED"}
    assert not list((tmp_path / "models").rglob("*.npz")) and not page().buttons("smplit.remove_model") and path.is_file()


def test_a_file_that_is_no_model_is_named_and_shipped_ones_stay(chosen, tmp_path):
    (tmp_path / "wild.pkl").write_text("no model")
    assert "'wild.pkl' was refused" in refused(bpy.ops.smplit.add_model, filepath=str(tmp_path / "wild.pkl"))
    assert "No file was chosen" in refused(bpy.ops.smplit.add_model)
    assert "belongs to SMPLit itself" in refused(bpy.ops.smplit.remove_model, name="lifter")
    assert not (tmp_path / "models").exists()


def test_a_file_put_in_a_model_s_place_by_hand_is_shown_as_wrong(chosen, page, tmp_path):
    (tmp_path / "models" / "acr").mkdir(parents=True)
    (tmp_path / "models" / "acr" / "wild.pkl").write_text("<!DOCTYPE html>")
    bpy.ops.smplit.refresh_models()
    assert ("label", "ACR: The file is a web page: the download needs you to be signed in.", "ERROR") in page().seen


def test_without_a_backend_the_buttons_are_grey_and_the_table_says_what_to_do(addon, empty_file, chosen, page):
    chosen.source = "OWN"
    assert not bpy.ops.smplit.add_model.poll() and not bpy.ops.smplit.refresh_models.poll()
    assert any("Press the arrows" in text for text in page().texts())
