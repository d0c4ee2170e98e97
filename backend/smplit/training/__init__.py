# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: one trainer for every model, and a recipe for each."""
