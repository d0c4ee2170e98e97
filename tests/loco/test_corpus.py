# SPDX-License-Identifier: GPL-3.0-or-later
"""Which recordings are locomotion, and what is made of them for training. Oracle: the list that the store was made from."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from styled_store import CLIPS, FPS

from smplit.datasets.store import ClipInfo
from smplit.loco.corpus import corpus
from smplit.loco.recordings import HELD_OUT, TRAIN, pieces, style_and_gait
from smplit.loco.windows import AHEAD, PAST

HOLD = 30  # frames that a standing end is held


@pytest.mark.parametrize("part,style,label,expected", [
    ("bandai_1", "happy", "walk", ("happy", "walk")),
    ("bandai_1", "Happy", "Run", ("Happy", "run")),
    ("bandai_2", "sad", "walk-back", ("sad", "backward")),
    ("bandai_2", "sad", "walk-left", ("sad", "left")),
    ("bandai_2", "sad", "run-right", ("sad", "right")),
    ("bandai_1", "old", "walk", ("elderly", "walk")),
    ("bandai_2", "masculinity", "walk-turn-left", ("masculine", "turn")),
    ("ase_sword", "sword-and-shield", "walk backward", ("sword-and-shield", "backward")),
    ("deepmimic", "", "walk", None),
    ("deepmimic", "zombie", "zombie", ("zombie", "walk")),
    ("bandai_1", "happy", "dance-long", None),
    ("bandai_1", "happy", "respond", None),
    ("cmu_amc", "", "walk", ("normal", "walk")),
    ("cmu_amc", "", "run/jog", ("normal", "run")),
    ("cmu_amc", "", "walk on uneven terrain", None),
    ("somewhere_else", "happy", "walk", None),
])
def test_style_and_gait_are_read_from_what_a_recording_is_called(part, style, label, expected):
    assert style_and_gait(ClipInfo("x", "open", part, "1", style, label)) == expected


def named(store, piece):
    return store.clips[piece.clip].name.split("/")[1]


def test_styled_locomotion_is_taken_and_nothing_else(store):
    found = pieces(store)
    assert {named(store, piece) for piece in found} == {"happy_walk_1", "happy_walk_2", "happy_run_1", "sad_walk_1"}
    assert {(piece.style, piece.gait) for piece in found} == {("happy", "walk"), ("happy", "run"), ("sad", "walk")}


def test_free_recordings_are_those_under_the_named_licences(store):
    found = pieces(store, free=True, licences=("MIT", "CMU-free"))
    assert {named(store, piece) for piece in found} == {"happy_walk_1", "happy_walk_2", "happy_run_1", "02_01"}


def test_of_a_walk_with_few_takes_the_last_seconds_are_held_out(store):
    for piece in pieces(store):
        length = round(next(clip for clip in CLIPS if clip[0] == named(store, piece))[5] * FPS)
        if piece.gait == "run":
            expected = {(0, length, TRAIN)}
        else:
            expected = {(0, length - 90, TRAIN), (length - 90, length, HELD_OUT)}
        assert (piece.first, piece.last, piece.part) in expected


def test_of_many_takes_the_last_fifth_is_held_out_whole_and_short_ones_are_left():
    clips = [ClipInfo(f"take{number:02}", "open", "bandai_2", "1", "giant", "walk") for number in range(12)]
    store = SimpleNamespace(fps=30.0, clips=clips, frames=lambda index: slice(0, 30 if index == 3 else 200))  # a second is too short
    found = pieces(store)
    assert {piece.clip for piece in found if piece.part == HELD_OUT} == {10, 11}
    assert {piece.clip for piece in found if piece.part == TRAIN} == set(range(10)) - {3}
    assert all((piece.first, piece.last) == (0, 200) for piece in found)


def test_no_frame_is_both_learnt_and_held_out(store):
    seen = {}
    for piece in pieces(store):
        for frame in range(piece.first, piece.last):
            assert seen.setdefault((piece.clip, frame), piece.part) == piece.part


def stands(store, piece):
    """Whether a piece begins and whether it ends standing, by the list the store was made from."""
    *_, standing = next(clip for clip in CLIPS if clip[0] == named(store, piece))
    whole = len(store.clip(piece.clip))
    return standing and piece.first == 0, standing and piece.last == whole


def laid_out(store):
    """(piece, first row, known rows, rows in all) of every piece, by arithmetic."""
    at, rows = 0, []
    for piece in pieces(store):
        begins, ends = stands(store, piece)
        known = piece.last - piece.first + (PAST if begins else 0) + (HOLD if ends else 0)
        rows.append((piece, at, known, known + AHEAD))
        at += known + AHEAD
    return rows


def test_standing_ends_are_held_and_every_piece_is_followed_by_rows_of_plan(store, recorded):
    rows = laid_out(store)
    assert sum(row[3] for row in rows) == len(recorded.frames)
    for piece, at, known, whole in rows:
        begins, ends = stands(store, piece)
        frames, place = recorded.frames[at : at + whole], recorded.place[at : at + whole]
        if begins:
            assert (frames[:PAST] == frames[0]).all() and (place[:PAST] == place[0]).all()
        after = place[known - 1 :].diff(dim=0).norm(dim=-1) * FPS
        if ends:
            assert (frames[known - HOLD :] == frames[-1]).all()
            assert after.max() == 0
        else:
            speed = next(clip for clip in CLIPS if clip[0] == named(store, piece))[6]
            assert after[1:].min() > 0.7 * speed
            assert after[1:].std() < 1e-3, "the plan goes on as it came"


def test_no_window_reaches_over_the_end_of_its_recording(store, recorded):
    starts, room = recorded.starts.numpy(), recorded.room.numpy()
    taken = np.zeros(len(starts), bool)
    for _, at, known, whole in laid_out(store):
        mine = (starts >= at) & (starts < at + whole)
        assert (starts[mine] - PAST + 1).min() == at
        assert (starts[mine] + room[mine] == at + known - 1).all(), "what is to come ends with the last known frame"
        assert (starts[mine] + AHEAD < at + whole).all(), "what the plan says lies within too"
        assert mine.sum() == known - PAST
        taken |= mine
    assert taken.all() and room.min() == 1


def test_rows_carry_their_style_and_gait(store, recorded):
    assert recorded.styles == ("happy", "sad") and recorded.gaits == ("run", "walk")
    for piece, at, _, whole in laid_out(store):
        rows = slice(at, at + whole)
        assert (recorded.style[rows] == recorded.styles.index(piece.style)).all()
        assert (recorded.gait[rows] == recorded.gaits.index(piece.gait)).all()
    assert not recorded.bent.any()


def test_a_piece_on_its_plan_sways_by_centimetres_and_goes_its_way(store, recorded):
    from smplit.loco.frames import SWAY, UNITS

    for piece, at, known, _ in laid_out(store):
        sway = (recorded.frames * UNITS)[at : at + known, SWAY].norm(dim=-1)
        assert sway.max() < 0.05, named(store, piece)


def test_bent_copies_are_many_where_recordings_are_few(store, body):
    run = [piece for piece in pieces(store) if piece.gait == "run"]
    found = corpus(store, run, body, seed=1)
    whole = 120 + AHEAD
    assert not found.bent[:whole].any() and found.bent[whole:].all()
    ends = torch.nonzero(found.room == 1)[:, 0]
    assert len(ends) == 11, "ten copies of a recording that has less than a minute of its kind"
    places = [found.place[int(row)] for row in found.starts[ends]]
    assert len({tuple(place.tolist()) for place in places}) == 11, "each on a path of its own"
    again, other = corpus(store, run, body, seed=1), corpus(store, run, body, seed=2)
    assert torch.equal(again.frames, found.frames) and not torch.equal(other.place[whole : whole + 50], found.place[whole : whole + 50])


def test_held_out_recordings_are_numbered_like_those_learnt(store, body, recorded):
    sad = [piece for piece in pieces(store) if piece.style == "sad" and piece.part == HELD_OUT]
    found = corpus(store, sad, body, bends=False, like=recorded)
    assert found.styles == recorded.styles and (found.style == 1).all() and (found.gait == recorded.gaits.index("walk")).all()
