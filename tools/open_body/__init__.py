# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that turn MakeHuman's open data into a body in the SMPL-X file format; build_open_body.py runs them in order."""
