# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the background of each frame went, followed from key frames, in a small grey picture.

A key frame is warped onto each new frame by the homography known so far and its corners are then
followed by Lucas-Kanade (Bouguet's pyramid, OpenCV): errors do not add up from frame to frame, and
roll or zoom do not spoil the patches. Pictures are first flattened to local contrast, because
Lucas-Kanade assumes equal brightness and cameras change their exposure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WORK_WIDTH = 480  # px: corners are good to about 0.1 px here, 0.01 degree for a usual lens
MIN_POINTS = 12  # fewer corners than this say nothing
_CORNERS = 160
_SPACING = 14  # px between corners: spreads them over the picture
_BORDER = 8  # px
_KEPT_PICTURES = 12  # old key frames that a returning camera can still be matched to
_CONTRAST_FLOOR = 6.0  # grey levels: below it texture is mostly sensor noise
_LEAST_CONTRAST = 3.0  # grey levels
_FLAT_CONTRAST = 45.0  # grey levels that one standard deviation of the neighbourhood becomes
_NEIGHBOURHOOD = (31, 31)  # px
_SAME_PICTURE = 0.1  # px: a key frame moved by less need not be warped
_BOX_GROWTH = 0.08  # a detector's box cuts off hands, hair and swinging clothes
_MAX_MISMATCH = 22.0  # mean absolute difference of a followed patch, in flattened grey levels
_LK = dict(winSize=(17, 17), maxLevel=3, criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.01))


@dataclass
class KeyFrame:
    """`points` (M,2) working px (0,0 at a pixel's centre); `ids` (M,) name a corner across key frames.

    `parent` is the key frame it was itself placed by (-1: none, the chain begins here), `from_parent`
    the homography of that link. The picture of a key frame long past is dropped (None).
    """

    frame: int
    points: np.ndarray
    ids: np.ndarray
    parent: int
    from_parent: np.ndarray
    picture: np.ndarray | None


@dataclass
class Matches:
    """One frame against its key frame: corner numbers (m,), where they are now (m,2) working px, and
    whether they follow the common homography (m,)."""

    key: int
    index: np.ndarray
    points: np.ndarray
    agrees: np.ndarray


@dataclass
class _Found:
    matches: Matches
    homography: np.ndarray
    visible: int  # corners of the key frame that lie inside this picture, hidden by people or not


class BackgroundTracker:
    """Follows corners outside people. Memory per frame: about 2 KB of matches."""

    def __init__(self, width: int, height: int):
        """`width`, `height`: px of the frames that will come."""
        self.scale = min(1.0, WORK_WIDTH / max(width, height))
        self.size = (max(16, round(width * self.scale)), max(16, round(height * self.scale)))
        self.to_work = np.array([self.size[0] / width, self.size[1] / height])
        self.keys: list[KeyFrame] = []
        self.matches: list[Matches] = []
        self._current: int | None = None  # key frame in use
        self._homography = np.eye(3)  # key frame in use -> last frame
        self._offsets = np.zeros((0, 2), np.float32)  # how far each of its corners was off that homography
        self._near: dict[int, np.ndarray] = {}  # key frames whose picture is kept -> homography to the one in use
        self._last: tuple[np.ndarray, np.ndarray] | None = None  # the last frame's picture and mask
        self._next_id = 0

    def add(self, image_rgb: np.ndarray, boxes: np.ndarray) -> None:
        """image_rgb (H,W,3) uint8; boxes (P,4) px x0, y0, x1, y1 of people in it."""
        picture, textured = self._flatten(image_rgb)
        mask = self._background(np.asarray(boxes, dtype=np.float64).reshape(-1, 4)) & textured
        found = self._locate(picture, mask) if self._current is not None else None
        if found is None:
            self._begin(picture, mask)
        else:
            self._accept(found, picture, mask)
        self._last = picture, mask

    def _flatten(self, image_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Local contrast (h,w) uint8, and a mask of where there is any (255) rather than sensor noise."""
        grey = self._shrink(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY))
        # Mean and contrast change slowly over the picture: a quarter of their pixels is enough.
        mean = cv2.boxFilter(grey, cv2.CV_32F, _NEIGHBOURHOOD)[2::4, 2::4]
        variance = cv2.sqrBoxFilter(grey, cv2.CV_32F, _NEIGHBOURHOOD)[2::4, 2::4] - mean * mean
        gain = _FLAT_CONTRAST / np.sqrt(np.maximum(variance, 0.0) + _CONTRAST_FLOOR**2)
        full = lambda field: cv2.resize(field, self.size, interpolation=cv2.INTER_LINEAR)
        flat = cv2.add(cv2.multiply(grey, full(gain), dtype=cv2.CV_32F), full(128.0 - mean * gain))
        textured = cv2.resize((variance > _LEAST_CONTRAST**2).astype(np.uint8) * 255, self.size, interpolation=cv2.INTER_NEAREST)
        return cv2.convertScaleAbs(cv2.max(flat, 0.0)), textured

    def _shrink(self, grey: np.ndarray) -> np.ndarray:
        """To working size: whole steps by area first, which OpenCV does ten times faster than fractions."""
        step = int(1.0 / self.scale)
        if step > 1:
            grey = cv2.resize(grey, (grey.shape[1] // step, grey.shape[0] // step), interpolation=cv2.INTER_AREA)
        return cv2.resize(grey, self.size, interpolation=cv2.INTER_LINEAR)

    def _background(self, boxes: np.ndarray) -> np.ndarray:
        mask = np.zeros((self.size[1], self.size[0]), np.uint8)
        mask[_BORDER:-_BORDER, _BORDER:-_BORDER] = 255
        for x0, y0, x1, y1 in boxes[np.isfinite(boxes).all(axis=1)]:
            grow = _BOX_GROWTH * np.array([x1 - x0, y1 - y0])
            low = np.clip(np.floor((np.array([x0, y0]) - grow) * self.to_work), 0, self.size).astype(int)
            high = np.clip(np.ceil((np.array([x1, y1]) + grow) * self.to_work), 0, self.size).astype(int)
            mask[low[1] : high[1], low[0] : high[0]] = 0
        return mask

    def _corners(self, picture: np.ndarray, mask: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """New corners (M,2), away from the `kept` ones."""
        free = mask.copy()
        for x, y in kept:
            cv2.circle(free, (int(x), int(y)), _SPACING, 0, -1)
        room = _CORNERS - len(kept)
        found = cv2.goodFeaturesToTrack(picture, room, 0.02, _SPACING, mask=free, blockSize=5) if room > 0 else None
        return np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2).astype(np.float32)

    def _begin(self, picture: np.ndarray, mask: np.ndarray) -> None:
        """A key frame tied to nothing: the first frame, or the view was lost."""
        points = self._corners(picture, mask, np.zeros((0, 2)))
        key = KeyFrame(len(self.matches), points, self._new_ids(len(points)), -1, np.eye(3), picture)
        self._use(key)
        if len(points) < MIN_POINTS:
            # Nothing to follow: the next frame tries afresh.
            self._current = None
        self.matches.append(self._itself(len(self.keys) - 1))

    def _itself(self, number: int) -> Matches:
        points = self.keys[number].points
        return Matches(number, np.arange(len(points), dtype=np.uint16), points, np.ones(len(points), bool))

    def _new_ids(self, count: int) -> np.ndarray:
        self._next_id += count
        return np.arange(self._next_id - count, self._next_id)

    def _use(self, key: KeyFrame) -> None:
        self.keys.append(key)
        number = len(self.keys) - 1
        if key.parent < 0:
            for other in self._near:
                self.keys[other].picture = None
            self._near = {}
        self._near = {n: key.from_parent @ h for n, h in self._near.items()} | {number: np.eye(3)}
        if len(self._near) > _KEPT_PICTURES:
            # The very first stays: every direction is told relative to it.
            oldest = sorted(self._near)[1]
            self.keys[oldest].picture = None
            del self._near[oldest]
        self._current, self._homography = number, np.eye(3)
        self._offsets = np.zeros_like(key.points)

    def _locate(self, picture: np.ndarray, mask: np.ndarray) -> _Found | None:
        """The frame against the key frame in use, else against the last frame made a key frame, else None."""
        found = self._follow_or_search(picture, mask)
        if found is None and self.keys[self._current].frame < len(self.matches) - 1:
            last = _Found(self.matches[-1], self._homography, 0)
            self._renew(last, *self._last)
            found = self._follow_or_search(picture, mask)
        return found

    def _follow_or_search(self, picture: np.ndarray, mask: np.ndarray) -> _Found | None:
        """From the last known place; else after the shift of the whole picture; else from features alone."""
        key = self.keys[self._current]
        found = self._register(self._current, self._homography, self._offsets, picture, mask)
        if found is None:
            shift = _shift(self._last[0], picture)
            moved = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]], [0.0, 0.0, 1.0]]) @ self._homography
            found = self._register(self._current, moved, self._offsets, picture, mask)
        if found is None:
            searched = _search(key.picture, picture, mask)
            found = None if searched is None else self._register(self._current, searched, np.zeros_like(key.points), picture, mask)
        return found

    def _register(self, number: int, guess: np.ndarray, offsets: np.ndarray, picture: np.ndarray, mask: np.ndarray) -> _Found | None:
        """Follow key frame `number` into the picture, starting from homography `guess`."""
        key = self.keys[number]
        for _ in range(2):
            start = _project(guess, key.points)
            warped = key.picture
            if np.abs(start - key.points).max() > _SAME_PICTURE:
                warped = cv2.warpPerspective(key.picture, guess, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            else:
                start = key.points
            visible = _inside(start, self.size)
            tried = np.flatnonzero(visible & _on(mask, start + offsets))
            if len(tried) < MIN_POINTS:
                return None
            begin = start[tried]
            ends, status, mismatch = cv2.calcOpticalFlowPyrLK(
                warped, picture, begin, (begin + offsets[tried]).copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **_LK
            )
            good = (status.ravel() == 1) & (mismatch.ravel() < _MAX_MISMATCH) & _on(mask, ends)
            if good.sum() < max(MIN_POINTS, 0.3 * len(tried)):
                return None
            index, ends = tried[good], ends[good]
            homography, agrees = _homography(key.points[index], ends)
            if homography is None or agrees.sum() < max(8, 0.25 * len(index)):
                return None
            step = np.median(np.linalg.norm(_project(homography, key.points[index]) - start[index], axis=1))
            found = _Found(Matches(number, index.astype(np.uint16), ends, agrees), homography, int(visible.sum()))
            # After a long step the patches were warped from too far away: once more from nearer by.
            if step < 6.0:
                return found
            guess = homography
        return found

    def _accept(self, found: _Found, picture: np.ndarray, mask: np.ndarray) -> None:
        key = self.keys[self._current]
        if self._worn(found, key):
            back = self._return(found, picture, mask)
            if back is not None:
                self._follow(back)
                return
            self.matches.append(found.matches)
            self._renew(found, picture, mask)
            return
        self._follow(found)
        if len(key.points) < _CORNERS // 2 and len(self.matches) - key.frame >= 12 and len(self.matches) % 12 == 0:
            # It began with the background hidden; more of it may be free now.
            fresh = self._corners(picture, mask, found.matches.points)
            if len(fresh) + len(found.matches.points) > 1.3 * len(key.points):
                self._renew(found, picture, mask)

    def _worn(self, found: _Found, key: KeyFrame) -> bool:
        zoom = np.sqrt(abs(np.linalg.det(found.homography[:2, :2])))
        count = len(found.matches.index)
        return found.visible < 0.6 * len(key.points) or count < 0.4 * len(key.points) or not 0.72 < zoom < 1.38

    def _follow(self, found: _Found) -> None:
        number = found.matches.key
        points = self.keys[number].points
        self._current, self._homography = number, found.homography
        self._offsets = np.zeros_like(points)
        index = found.matches.index
        off = found.matches.points - _project(found.homography, points[index])
        self._offsets[index] = np.where(np.linalg.norm(off, axis=1, keepdims=True) < 12.0, off, 0.0)
        self.matches.append(found.matches)

    def _renew(self, found: _Found, picture: np.ndarray, mask: np.ndarray) -> None:
        """The frame just stored becomes a key frame; corners that it still sees keep their names."""
        old = self.keys[found.matches.key]
        kept = _spread(found.matches.points, found.matches.agrees)
        points = found.matches.points[kept]
        fresh = self._corners(picture, mask, points)
        ids = np.concatenate([old.ids[found.matches.index[kept]], self._new_ids(len(fresh))])
        frame = len(self.matches) - 1
        self._use(KeyFrame(frame, np.concatenate([points, fresh]), ids, found.matches.key, found.homography, picture))

    def _return(self, found: _Found, picture: np.ndarray, mask: np.ndarray) -> _Found | None:
        """An older key frame that the camera has come back to, oldest first: closes the loop."""
        for number, to_current in sorted(self._near.items()):
            key = self.keys[number]
            guess = found.homography @ to_current
            if number == self._current or _inside(_project(guess, key.points), self.size).sum() < 0.75 * len(key.points):
                continue
            back = self._register(number, guess, np.zeros_like(key.points), picture, mask)
            if back is not None and back.matches.agrees.sum() > 0.5 * len(key.points) and not self._worn(back, key):
                step = np.linalg.pinv(back.homography) @ found.homography
                self._near = {n: step @ h for n, h in self._near.items()} | {number: np.eye(3)}
                return back
        return None


def _project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(M,2) through a (3,3) homography; points behind the picture plane land far outside it."""
    mapped = points.astype(np.float64) @ homography[:, :2].T + homography[:, 2]
    depth = mapped[:, 2:]
    return np.where(depth > 1e-6, mapped[:, :2] / np.maximum(depth, 1e-6), -1e4).astype(np.float32)


def _shift(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """Motion (px) of the whole picture, from a quarter of its size."""
    quarter = (before.shape[1] // 4, before.shape[0] // 4)
    small = [cv2.resize(p, quarter, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (before, now)]
    (x, y), _ = cv2.phaseCorrelate(*small, cv2.createHanningWindow(quarter, cv2.CV_32F))
    return 4.0 * x, 4.0 * y


def _inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return ((points >= _BORDER) & (points < np.array(size) - _BORDER)).all(axis=1)


def _on(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    where = np.clip(np.rint(points), 0, np.array(mask.shape[::-1]) - 1).astype(int)
    return mask[where[:, 1], where[:, 0]] > 0


def _spread(points: np.ndarray, agrees: np.ndarray) -> np.ndarray:
    """At most 3/4 of the corners go on, the agreeing ones first; the rest makes room for new ones."""
    order = np.argsort(~agrees, kind="stable")
    return np.sort(order[: 3 * _CORNERS // 4])


def _homography(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Robust homography (3,3) and who agrees (M,); a plain similarity where the corners do not hold one."""
    homography, agrees = cv2.findHomography(source, target, cv2.USAC_FAST, 2.0, maxIters=300, confidence=0.995)
    if homography is not None and agrees.sum() >= 20 and _sane(homography, source):
        return homography, agrees.ravel().astype(bool)
    similarity, agrees = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=3.0)
    if similarity is None:
        return None, np.zeros(len(source), bool)
    return np.vstack([similarity, [0.0, 0.0, 1.0]]), agrees.ravel().astype(bool)


def _sane(homography: np.ndarray, points: np.ndarray) -> bool:
    depth = points @ homography[2, :2] + homography[2, 2]
    area = np.linalg.det(homography[:2, :2])
    return bool((depth > 0.4).all() and (depth < 2.5).all() and 0.2 < area < 5.0)


def _search(before: np.ndarray, now: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Homography before -> now without a guess, from ORB features; None when they do not agree."""
    orb = cv2.ORB_create(400)
    points_a, words_a = orb.detectAndCompute(before, None)
    points_b, words_b = orb.detectAndCompute(now, mask)
    if words_a is None or words_b is None or len(points_a) < MIN_POINTS or len(points_b) < MIN_POINTS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words_a, words_b)
    if len(pairs) < MIN_POINTS:
        return None
    source = np.array([points_a[p.queryIdx].pt for p in pairs], np.float32)
    target = np.array([points_b[p.trainIdx].pt for p in pairs], np.float32)
    homography, agrees = cv2.findHomography(source, target, cv2.USAC_MAGSAC, 4.0, maxIters=1000, confidence=0.999)
    if homography is None or agrees.sum() < 15 or not _sane(homography, source[agrees.ravel() > 0]):
        return None
    return homography
