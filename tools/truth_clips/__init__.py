# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of tools/make_truth_clips.py: who moves how, seen by which camera, drawn where."""
