# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPLify-X as published: every frame by itself, in five stages, from 2D landmarks alone.

The capture's own fit (`mocap.fit.body_fit`) is temporal and starts from estimators; this one is what papers compare
with. Written from Pavlakos et al. 2019 (CVPR), Bogo et al. 2016 (ECCV) and ../shared/goldens/smplifyx/SPEC.md.
"""
