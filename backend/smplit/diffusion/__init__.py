# SPDX-License-Identifier: GPL-3.0-or-later
"""Diffusion over motion: noise schedules, the process, and the transformer that DiffTraj and LOCO share."""
