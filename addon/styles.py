# SPDX-License-Identifier: GPL-3.0-or-later
"""The styles of the locomotion network that comes with SMPLit: they can be chosen before any backend runs. A test compares."""

STYLES = (
    "active", "angry", "childish", "elderly", "feminine", "giant", "happy", "masculine", "musical", "normal", "not-confident", "proud",
    "sad", "stealthy", "sword-and-shield", "tired", "youthful", "zombie",
)
