# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend that the add-on talks to (`smplit serve`). `smplit.protocol` describes the wire.

Start reading in `main.py` (what a run of the server is), then `backend.py` (the socket loop),
`scheduler.py` (jobs and workers) and `worker.py` (the other process, where the work happens).
Only `worker.py` and the runners it loads import torch.
"""
