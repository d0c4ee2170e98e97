# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked: the best that is there, or who was named. Oracle: DESIGN section 5 and the original's two settings."""

import pytest

from smplit import models
from smplit.errors import BadInput, MissingModel
from smplit.mocap.estimators import choose_estimators
from smplit.mocap.options import CaptureOptions


@pytest.fixture
def added(monkeypatch):
    """`added("hmr2a", "acr")`: these files are there, and no other published one."""

    def add(*names):
        def find(name):
            if name in names:
                return name
            raise MissingModel(f"{name} is missing", "Get it.")

        monkeypatch.setattr(models, "find", find)

    return add


def _bodies(*files, **options):
    chosen = choose_estimators(CaptureOptions(**options).resolved())
    return chosen.body, chosen.half_body


def test_with_nothing_added_everything_is_ours(added):
    added()
    for preset in ("none", "fast", "half-body", "best"):
        chosen = choose_estimators(CaptureOptions(preset=preset).resolved())
        assert (chosen.body, chosen.half_body, chosen.hands, chosen.face) == ("lifter", "lifter", "landmarks", "landmarks")
        assert not chosen.look_again


@pytest.mark.parametrize("files, preset, whole, half", [
    (("wham_published", "hmr2a"), "none", "wham", "hmr2"),
    (("wham_published", "hmr2a"), "best", "wham", "hmr2"),
    (("wham_published", "hmr2a", "hmr2b"), "fast", "wham", "wham"),  # the original's setting 1
    (("wham_published", "hmr2a", "hmr2b"), "half-body", "hmr2", "hmr2"),  # setting 2
    (("wham_published",), "none", "lifter", "lifter"),  # without image features it is not what was published
    (("hmr2b",), "none", "lifter", "hmr2"),
    (("hmr2b",), "fast", "lifter", "hmr2"),
])
def test_auto_and_presets_take_the_best_body_there_is(added, files, preset, whole, half):
    added(*files)
    chosen = choose_estimators(CaptureOptions(preset=preset).resolved())
    assert (chosen.body_of(True), chosen.body_of(False)) == (whole, half)
    assert chosen.look_again == (whole == "wham" or "hmr2" in (whole, half))


def test_a_named_body_is_taken_by_every_preset(added):
    added("wham_published", "hmr2a")
    for preset in ("none", "fast", "half-body", "best"):
        for name in ("hmr2", "wham", "landmarks"):
            assert choose_estimators(CaptureOptions(preset=preset, body=name).resolved()).body == name


def test_the_later_hmr2_tells_bodies_and_the_first_one_features(added):
    added("hmr2a", "hmr2b", "wham_published")
    chosen = choose_estimators(CaptureOptions())
    assert chosen.hmr2 == "hmr2b" and chosen.features


def test_hands_and_face_are_the_published_ones_where_they_were_added(added):
    added("acr", "smirk")
    chosen = choose_estimators(CaptureOptions())
    assert (chosen.hands, chosen.face, chosen.look_again) == ("acr", "smirk", True)
    chosen = choose_estimators(CaptureOptions(hands="landmarks", face="none"))
    assert (chosen.hands, chosen.face, chosen.look_again) == ("landmarks", "none", False)


@pytest.mark.parametrize("option, value, file", [
    ("body", "wham", "wham_published"), ("body", "hmr2", "hmr2b"), ("hands", "acr", "acr"), ("face", "smirk", "smirk"),
])
def test_a_named_estimator_whose_file_is_missing_is_an_error(added, option, value, file):
    added()
    with pytest.raises(MissingModel, match=f"{file} is missing"):
        choose_estimators(CaptureOptions(**{option: value}))


def test_presets_say_whether_the_body_is_refined():
    assert [CaptureOptions(preset=preset).resolved().fit for preset in ("none", "fast", "half-body", "best")] == [True, False, True, True]
    assert CaptureOptions(preset="best").resolved().flip_eval
    with pytest.raises(BadInput, match="--preset 'slow'"):
        CaptureOptions(preset="slow").validate()
