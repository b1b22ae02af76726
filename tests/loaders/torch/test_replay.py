"""What a pass had made when it came to a layer stays as it was, whatever the network writes."""

import torch
from torch import nn

from loaders.torch.replay import behind, front


class Writing(nn.Module):
    """Writes over what its layer gave."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.conv(x)
        maps += 1
        return maps.relu_().mean((2, 3))


def test_a_kept_activation_is_not_written_over() -> None:
    torch.manual_seed(0)
    net, photos = Writing(), torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        own, scores = net.conv(photos), net(photos)
        kept = front(net, net.conv, 1, lambda: net(photos), copied=False)
        torch.testing.assert_close(kept.output, own, rtol=0, atol=0)
        with behind(net, net.conv, kept, lambda output: None):
            assert torch.equal(net(photos), scores)
    torch.testing.assert_close(kept.output, own, rtol=0, atol=0)
