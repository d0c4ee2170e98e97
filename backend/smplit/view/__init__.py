# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a motion: over its video, on a floor, or in the browser."""
