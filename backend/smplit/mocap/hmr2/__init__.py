# SPDX-License-Identifier: GPL-3.0-or-later
"""HMR2 (Goel et al. 2023): a body from the picture of a person, frame by frame; and WHAM's image features. `estimate.Hmr2` is the way in."""
