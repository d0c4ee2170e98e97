# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a result is: metrics, and the runs that measure them."""
