# SPDX-License-Identifier: GPL-3.0-or-later
"""Our body estimator: landmarks of a whole clip in, SMPL-X body motion out; WHAM's first stage, done our way."""
