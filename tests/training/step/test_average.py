"""The moving average of the weights, against its definition."""

import torch

from napari_rdl.models import NetworkConfig, build_network
from napari_rdl.training.step.average import WeightAverage


def test_average_is_the_sum_of_its_definition():
    torch.manual_seed(0)
    network = build_network(NetworkConfig(channels=(4, 8), groups=2))
    average = WeightAverage(network, decay=0.5)
    expected = {name: value.double().clone() for name, value in network.state_dict().items()}
    for step in range(12):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    found = average.state_dict()
    assert found.keys() == network.state_dict().keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-5, atol=1e-6)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_an_average_is_put_back_under_the_names_of_the_network():
    """As the states of runs have it that were written before."""
    network = build_network(NetworkConfig(channels=(4, 8), groups=2))
    average = WeightAverage(network, decay=0.9)
    state = {name: torch.randn_like(value) for name, value in network.state_dict().items()}
    average.load_state_dict(state)
    for name, value in average.network.state_dict().items():
        torch.testing.assert_close(value, state[name])
