"""Multiply-accumulates and parameters as one counts them on paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from secateur.networks import NetworkSettings, build_network, count_macs, count_parameters


def test_eegnet_by_hand() -> None:
    network = build_network(NetworkSettings(name="eegnet"), 18, 1024)
    # convolutions, norms (two numbers a kernel), linear layer
    weights = 8 * 128 + 16 * 18 + 16 * 16 + 16 * 16
    assert count_parameters(network) == weights + 2 * (8 + 16 + 16) + (16 * 16 * 2 + 2)
    # padding of 64 on both sides leaves 1025 samples, a mean of 8 leaves 128, padding of 8 leaves 129
    temporal, spatial = 8 * 128 * 18 * 1025, 16 * 18 * 1025
    depthwise, pointwise = 16 * 16 * 129, 16 * 16 * 129
    assert count_macs(network, 18, 1024) == temporal + spatial + depthwise + pointwise + 16 * 16 * 2


def test_depthwise_strided_and_dilated_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv1d(4, 8, 3, stride=2, groups=4),  # 20 samples leave 9; 8 · 1 · 3 each
        nn.Conv1d(8, 6, 2, dilation=3),  # 6; 6 · 8 · 2 each
        nn.Conv1d(6, 6, 3, groups=6, padding="same"),  # 6; 6 · 1 · 3 each
    )
    assert count_macs(network, 4, 20) == 9 * 24 + 6 * 96 + 6 * 18
    # biases count as parameters
    assert count_parameters(network) == (24 + 8) + (96 + 6) + (18 + 6)


def test_a_linear_layer_works_for_each_row() -> None:
    assert count_macs(nn.Sequential(nn.Linear(20, 5), nn.Linear(5, 3)), 4, 20) == 4 * (100 + 15)


class Recurrent(nn.Module):
    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, windows: Tensor) -> Tensor:
        out: Tensor = self.layer(windows.transpose(1, 2))[0]
        return out


def test_recurrent_layers_work_for_each_step() -> None:
    gru = Recurrent(nn.GRU(4, 6, batch_first=True))
    assert count_macs(gru, 4, 20) == 20 * 3 * (4 * 6 + 6 * 6)
    lstm = Recurrent(nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True))
    first, second = 2 * 4 * (4 * 6 + 6 * 6), 2 * 4 * (12 * 6 + 6 * 6)
    assert count_macs(lstm, 4, 20) == 20 * (first + second)


def test_a_transposed_convolution_works_for_each_sample_that_it_reads() -> None:
    assert count_macs(nn.Sequential(nn.ConvTranspose1d(4, 3, 5, stride=2)), 4, 20) == 20 * 60


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv1d(4, 3, 1), nn.BatchNorm1d(3)).train()
    network[1].eval()
    count_macs(network, 4, 20)
    assert (network.training, network[0].training, network[1].training) == (True, True, False)
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert not torch.any(norm.running_mean)
    assert not network[0]._forward_hooks
