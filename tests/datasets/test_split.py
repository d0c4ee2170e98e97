# SPDX-License-Identifier: GPL-3.0-or-later
"""Splits hold out whole people or styles, and the shipped one every recording that reports are made on."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from smplit.datasets.split import HELD_OUT, TRAIN, Split, new_split, split
from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store
from smplit.errors import BadInput

REPOSITORY = Path(__file__).resolve().parents[2]
MOTION = REPOSITORY.parent / "shared" / "motion"
INFOS = [ClipInfo(f"s{subject}/take{take}", "Own", subject=f"s{subject}", style=style, seconds=10.0)
         for subject, style in ((1, "sad"), (2, "sad"), (3, "old"), (4, "shy"), (5, "old")) for take in range(4)]


@pytest.fixture
def store(tmp_path):
    clips = [Clip(info, np.full((3, 22, 3), number, np.float32), np.zeros((3, 3), np.float32), np.zeros((3, 4), np.uint8), 30.0)
             for number, info in enumerate(INFOS)]
    write_store(tmp_path / "all.safetensors", clips, 30.0, "", {"hours": 0})
    return tmp_path / "all.safetensors"


@pytest.mark.parametrize("by", ["subject", "style"])
@pytest.mark.parametrize("seed", range(5))
def test_no_person_and_no_style_is_on_both_sides(store, by, seed):
    opened = MotionStore.open(store)
    found = new_split(opened.clips, by, 0.3, seed=seed).indices(opened)
    sides = [{getattr(opened.clips[index], by) for index in found[part]} for part in (TRAIN, HELD_OUT)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert sorted(found[TRAIN] + found[HELD_OUT]) == list(range(20))
    assert len(found[HELD_OUT]) >= 6


def test_the_draw_depends_on_the_seed_alone():
    draws = [json.dumps(new_split(INFOS, "subject", 0.2, seed=seed).parts) for seed in (0, 0, 1, 2, 3, 4)]
    assert draws[0] == draws[1] and len(set(draws)) > 1


def test_named_people_are_held_out(store):
    opened = MotionStore.open(store)
    found = new_split(opened.clips, "subject", held=["s2", "s4"]).indices(opened)
    assert {opened.clips[index].subject for index in found[HELD_OUT]} == {"s2", "s4"}


def test_a_split_writes_a_store_for_each_part(store, tmp_path):
    report = split(store, new_split(INFOS, "style", held=["old"]), tmp_path / "parts")
    assert {row["part"]: row["clips"] for row in report["parts"]} == {"train": 12, "held_out": 8}
    held = MotionStore.open(tmp_path / "parts" / "all_held_out.safetensors")
    assert {clip.style for clip in held.clips} == {"old"}
    assert held.clip(0).poses[0, 0, 0] == 8  # the frames travel with their clip
    assert held.report["split"]["part"] == "held_out"


def test_a_split_file_is_read_as_it_was_written(tmp_path):
    made = new_split(INFOS, "style", held=["sad"])
    made.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == made


def test_question_marks_in_names_are_no_wildcards():
    infos = [ClipInfo("a", "Own", subject="9?", seconds=1), ClipInfo("b", "Own", subject="94", seconds=1)]
    made = new_split(infos, "subject", held=["9?"])
    assert [made.part(info) for info in infos] == [HELD_OUT, TRAIN]


@pytest.mark.parametrize(
    "options, words",
    [({"by": "file"}, "leak"), ({"by": "subject", "fraction": 1.5}, "--fraction"), ({"by": "style", "held": ["glad"]}, "glad.*old")],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(BadInput, match=words.replace(".*", r"[\s\S]*")) as refused:
        raise_whole(lambda: new_split(INFOS, **options))
    assert refused.value.exit_code == 2


def raise_whole(call):
    """The message and the remedy are one text to a user."""
    try:
        call()
    except BadInput as error:
        raise BadInput(str(error), error.remedy, error.code) from error


def test_clips_of_nobody_cannot_be_split_by_person():
    with pytest.raises(BadInput, match="fewer than two"):
        new_split([ClipInfo("a", subject="?", seconds=1), ClipInfo("b", subject="n/a", seconds=1)], "subject")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"parts": {"held_out": [{"colour": "red"}]}}', '{"parts": {"held_out": [{"why": "x"}]}}', '{"parts": 3}']
)
def test_a_bad_split_file_is_refused_by_name(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(BadInput, match=r"split\.json"):
        Split.load(tmp_path / "split.json")


def test_a_part_without_clips_is_refused(store, tmp_path):
    with pytest.raises(BadInput, match="held_out"):
        split(store, Split({HELD_OUT: [{"style": "glad"}]}), tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


@pytest.fixture(scope="module")
def pack():
    """What the pack's manifest says of each clip, without processing it."""
    if not MOTION.is_dir():
        pytest.skip("needs ../shared/motion")
    with (MOTION / "MANIFEST.csv").open(encoding="utf-8") as file:
        known = ("dataset", "part", "subject", "style", "label", "licence")
        return [
            ClipInfo(row["file"].removesuffix(".bvh"), seconds=float(row["seconds"]), **{name: row[name] for name in known})
            for row in csv.DictReader(file)
        ]


def test_the_shipped_split_holds_out_all_that_validation_clips_show(pack, monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "tools"))
    from truth_clips.clips import SETS

    shipped, known = Split.load(), {info.name: info for info in pack}
    shown = {person.source for clip in SETS["validation"] for person in clip.people}
    assert len(shown) >= 9 and {shipped.part(known[source]) for source in shown} == {HELD_OUT}
    sys.modules.pop("truth_clips.clips", None)


def test_the_shipped_split_leaves_no_known_person_or_style_on_two_sides(pack):
    shipped = Split.load()
    people, styles = {}, {}
    for info in pack:
        subject = info.subject.rstrip("?")
        if subject and subject != "n/a":
            people.setdefault((info.dataset, subject), set()).add(shipped.part(info))
        if info.dataset.startswith("Bandai"):
            styles.setdefault(info.style, set()).add(shipped.part(info))
    assert people and styles and all(len(parts) == 1 for parts in [*people.values(), *styles.values()])


def test_the_shipped_split_reports_on_hours_of_both_kinds_and_leaves_most_to_train(pack):
    shipped = Split.load()
    hours = {}
    for info in pack:
        key = shipped.part(info), info.dataset.split("-")[0]
        hours[key] = hours.get(key, 0) + info.seconds / 3600
    assert hours[HELD_OUT, "Bandai"] > 0.4 and hours[HELD_OUT, "CMU"] > 0.1
    assert sum(value for (part, _), value in hours.items() if part == TRAIN) > 3.5
