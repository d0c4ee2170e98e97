# SPDX-License-Identifier: GPL-3.0-or-later
"""What WHAM's recurrent parts are made of; names are the checkpoint's."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

LstmState = tuple[Tensor, Tensor]  # hidden and cell, (layers,B,width) each


class NeuralInitialization(nn.Module):
    """The LSTM's first state out of what is known of the first frame."""

    def __init__(self, inputs: int, width: int, layers: int):
        super().__init__()
        self.width, self.layers = width, layers
        self.linear1 = nn.Linear(inputs, width)
        self.linear2 = nn.Linear(width, width * layers)
        self.linear3 = nn.Linear(width * layers, 2 * width * layers)

    def forward(self, known: Tensor) -> LstmState:
        """(B,inputs) -> state."""
        values = self.linear3(self.linear2(self.linear1(known).relu()).relu())
        hidden, cell = values.view(-1, 2, self.layers, self.width).permute(1, 2, 0, 3).contiguous()
        return hidden, cell


class Regressor(nn.Module):
    """An LSTM with linear heads.

    Args:
        inputs: numbers of a frame in all, those that are fed back included; heads: numbers that each head gives.
    """

    def __init__(self, inputs: int, width: int, heads: Sequence[int], layers: int):
        super().__init__()
        self.rnn = nn.LSTM(inputs, width, layers, batch_first=True, dropout=0.3)
        self.heads = len(heads)
        for number, outputs in enumerate(heads):
            layer = nn.Linear(width, outputs)
            nn.init.xavier_uniform_(layer.weight, gain=0.01)  # what is fed back starts near its initial value
            self.add_module(f"declayer{number}", layer)

    def forward(self, x: Tensor, state: LstmState | None) -> tuple[list[Tensor], Tensor, LstmState]:
        """(B,F,inputs) -> each head's (B,F,numbers), the LSTM's output (B,F,width), the state after the last frame."""
        hidden, state = self.rnn(x, state)
        return [self.get_submodule(f"declayer{n}")(hidden) for n in range(self.heads)], hidden, state
