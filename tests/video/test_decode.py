# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames, times and errors of the reader, on files whose truth the test wrote."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.video.decode import VideoReader, parse_range
from smplit.video.read_ahead import read_ahead

from .conftest import number_of, numbered


def read(path: Path, **part) -> tuple[list[int], list[float], VideoReader]:
    with VideoReader(path, **part) as video:
        frames = [(number_of(frame.image), frame.time) for frame in video]
    return [number for number, _ in frames], [time for _, time in frames], video


@pytest.mark.parametrize("fps", [5.0, 23.976, 30.0, 120.0])
def test_every_frame_comes_once_at_its_own_time_at_any_rate(write_video, fps):
    times = np.arange(24) / fps
    numbers, read_times, video = read(write_video("rate.mp4", [numbered(i) for i in range(24)], times))
    assert numbers == list(range(24))
    np.testing.assert_allclose(read_times, times, atol=2e-4)
    assert video.info.fps == pytest.approx(fps, rel=0.05)
    assert video.warnings == []


def test_a_variable_rate_keeps_each_frame_at_the_time_it_was_shown(write_video):
    times = np.cumsum([0.0, 0.033, 0.033, 0.5, 0.01, 0.25, 0.04, 0.1, 1.0, 0.02])
    numbers, read_times, _ = read(write_video("phone.mp4", [numbered(i) for i in range(10)], times))
    assert numbers == list(range(10))
    np.testing.assert_allclose(read_times, times, atol=2e-4)


def test_the_first_frame_is_at_zero_even_when_the_file_starts_later(write_video):
    _, times, _ = read(write_video("late.mkv", [numbered(i) for i in range(6)], 7.5 + np.arange(6) / 25))
    np.testing.assert_allclose(times, np.arange(6) / 25, atol=1.1e-3)  # Matroska counts milliseconds


@pytest.mark.parametrize(("codec", "name"), [("libx265", "hevc.mp4"), ("libvpx-vp9", "vp9.webm"), ("mpeg4", "old.mov"), ("libsvtav1", "av1.mp4")])
def test_other_codecs_are_read_like_h264(write_video, codec, name):
    numbers, times, _ = read(write_video(name, [numbered(i, 128, 192) for i in range(12)], np.arange(12) / 30, codec))
    assert numbers == list(range(12))
    np.testing.assert_allclose(times, np.arange(12) / 30, atol=2e-3)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_rotation_flag_is_obeyed(write_video, turns):
    """The file holds the picture turned clockwise and asks to be turned back counter-clockwise."""
    upright = numbered(0b10110010, 96, 144)
    path = write_video("turned.mp4", [np.rot90(upright, -turns)] * 3, [0.0, 0.04, 0.08], rotation=90 * turns)
    with VideoReader(path) as video:
        frame = next(iter(video))
    assert (video.info.width, video.info.height) == (144, 96)
    assert frame.image.shape == (96, 144, 3)
    assert np.abs(frame.image.astype(int) - upright).mean() < 4


def test_odd_sizes_keep_every_row_and_column(write_video):
    with VideoReader(write_video("odd.mp4", [numbered(i, 97, 131) for i in range(3)], [0, 0.1, 0.2])) as video:
        frames = list(video)
    assert all(frame.image.shape == (97, 131, 3) for frame in frames)
    assert (video.info.width, video.info.height) == (131, 97)


def test_names_in_any_script_and_with_spaces_are_read(write_video):
    numbers, _, _ = read(write_video("Übung – 踊り прыжок 🕺.mp4", [numbered(i) for i in range(4)], np.arange(4) / 30))
    assert numbers == [0, 1, 2, 3]


def test_colours_come_as_red_green_blue(write_video):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :32, 0], image[:, 32:64, 1], image[:, 64:, 2] = 220, 220, 220
    with VideoReader(write_video("colours.mp4", [image] * 2, [0, 0.1])) as video:
        read_image = next(iter(video)).image
    assert [int(read_image[32, x].argmax()) for x in (16, 48, 80)] == [0, 1, 2]


def test_a_part_starts_and_stops_at_the_asked_times(write_video):
    path = write_video("part.mp4", [numbered(i) for i in range(30)], np.arange(30) / 10)
    numbers, times, _ = read(path, start=0.95, stop=2.0)
    assert numbers == list(range(10, 20))
    np.testing.assert_allclose(times, np.arange(10, 20) / 10, atol=1e-3)


@pytest.mark.parametrize("name", ["cut.mkv", "cut.ts"])
def test_a_truncated_file_gives_what_decodes_and_a_warning(write_video, name):
    whole = write_video("whole" + Path(name).suffix, [numbered(i, 256, 256) for i in range(90)], np.arange(90) / 30)
    cut = whole.with_name(name)
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.5)])
    numbers, times, video = read(cut)
    assert 10 < len(numbers) < 80
    assert numbers == list(range(len(numbers)))
    assert np.all(np.diff(times) > 0)
    if name.endswith("mkv"):  # a transport stream does not say how long it should be
        assert len(video.warnings) == 1 and name in video.warnings[0]


def test_a_truncated_mp4_with_its_index_in_front_gives_what_decodes_and_a_warning(write_video, tmp_path):
    whole = write_video("whole.mp4", [numbered(i, 256, 256) for i in range(90)], np.arange(90) / 30)
    front = tmp_path / "front.mp4"
    with av.open(str(whole)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(front.read_bytes()[: int(front.stat().st_size * 0.6)])
    numbers, _, video = read(cut)
    assert 10 < len(numbers) < 80 and numbers == list(range(len(numbers)))
    assert len(video.warnings) == 1 and "cut.mp4" in video.warnings[0]


def test_a_truncated_mp4_without_its_index_is_bad_input(write_video, tmp_path):
    whole = write_video("whole.mp4", [numbered(i) for i in range(30)], np.arange(30) / 30)
    cut = tmp_path / "noindex.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert refused(cut) == "not_a_video"


def test_damage_in_the_middle_costs_frames_not_the_file(write_video, tmp_path):
    whole = write_video("whole.mkv", [numbered(i, 256, 256) for i in range(90)], np.arange(90) / 30)
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(data)
    _, times, _ = read(damaged)
    assert len(times) > 20 and np.all(np.diff(times) > 0)


def refused(path: Path) -> str:
    """The code of the error; its message names the file and says what to do."""
    with pytest.raises(BadInput) as caught:
        VideoReader(path)
    assert str(path) in caught.value.message
    assert len(caught.value.remedy) > 10
    assert caught.value.exit_code == 2
    return caught.value.code


def test_a_missing_file_is_named(tmp_path):
    assert refused(tmp_path / "nothing.mp4") == "no_such_file"


def test_a_folder_is_named(tmp_path):
    assert refused(tmp_path) == "is_directory"


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert refused(path) == "empty_file"


def test_a_file_that_may_not_be_read_is_named(write_video, monkeypatch):
    path = write_video("secret.mp4", [numbered(0)] * 2, [0, 0.1])

    def deny(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)  # root may read anything, so a mode of 000 proves nothing there
    assert refused(path) == "no_permission"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff"])
def test_a_picture_named_mp4_is_called_a_picture(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f"picture{suffix}"), numbered(5))
    path = tmp_path / "holiday.mp4"
    shutil.move(tmp_path / f"picture{suffix}", path)
    assert refused(path) == "still_image"


@pytest.mark.parametrize("content", [b"not a video at all\n" * 50, b"PK\x03\x04" + bytes(500), bytes(5000)])
def test_other_files_are_not_videos(tmp_path, content):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    assert refused(path) == "not_a_video"


def write_sound(path: Path, with_cover: bool) -> None:
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100)
        if with_cover:
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
        for start in range(0, 44100, 1152):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
        if with_cover:
            container.mux(cover.encode(av.VideoFrame.from_ndarray(numbered(1, 64, 64), format="rgb24").reformat(format="yuvj420p")))
            container.mux(cover.encode())


@pytest.mark.parametrize("with_cover", [False, True])
def test_sound_is_no_video_even_with_a_cover_picture(tmp_path, with_cover):
    path = tmp_path / "song.mp3"
    write_sound(path, with_cover)
    assert refused(path) == "no_video_stream"


def test_frames_are_not_kept_after_they_were_handed_on(write_video):
    """Memory must not grow with the clip: of all pictures read so far hardly any is still alive."""
    path = write_video("long.mp4", [numbered(i % 256) for i in range(120)], np.arange(120) / 30)
    alive: list[weakref.ref] = []
    most = 0
    with VideoReader(path) as video, read_ahead(video, ahead=3) as frames:
        for frame in frames:
            alive.append(weakref.ref(frame.image))
            del frame
            if len(alive) % 20 == 0:
                gc.collect()
                most = max(most, sum(ref() is not None for ref in alive))
    assert len(alive) == 120
    assert most <= 2


def test_leaving_read_ahead_early_stops_its_thread_and_lets_the_file_go(write_video):
    path = write_video("left.mp4", [numbered(i) for i in range(60)], np.arange(60) / 30)
    with VideoReader(path) as video, read_ahead(video, ahead=2) as frames:
        first = [next(frames).index for _ in range(3)]
    assert first == [0, 1, 2]


def test_read_ahead_raises_the_error_of_its_source_after_the_items_before_it():
    def source():
        yield from (1, 2)
        raise ValueError("boom")

    got = []
    with read_ahead(source(), ahead=4) as items, pytest.raises(ValueError, match="boom"):
        for item in items:
            got.append(item)
    assert got == [1, 2]


@pytest.mark.parametrize(
    ("text", "part"),
    [(None, (None, None)), ("", (None, None)), ("2.5:10", (2.5, 10.0)), ("2.5:", (2.5, None)), (":10", (None, 10.0)), ("0:05-1:12", (5.0, 72.0)),
     ("1:00:00-", (3600.0, None))],
)
def test_a_range_is_seconds_or_minutes(text, part):
    assert parse_range(text) == part


@pytest.mark.parametrize("text", ["5", "10:2", "3:3", "a:b", "-1:5x", "1:2:3", "nan:2", "1e3:2e3"])
def test_a_range_that_is_none_says_how_to_write_one(text):
    with pytest.raises(BadInput, match="--range") as caught:
        parse_range(text)
    assert caught.value.code == "bad_option"
