# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffTraj: a global trajectory for any sequence of local body poses.

`predict.add_trajectory` is the product's door to our own network; `original*` is the published diffusion model.
"""
