# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO, and CAMDM's windows: networks of others, so that their checkpoints load and their figures can be compared."""
