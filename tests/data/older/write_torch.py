"""Write what one PyTorch writes: `cd tests/data/older && OLD_PYTHON write_torch.py`.

Runs under Python 3.6 and PyTorch 1.0, and under every later one; torchvision stands beside it.
"""

import tempfile
import warnings
from pathlib import Path

import torch
import torchvision
from common import Archive, photo, weights
from torch import nn

VERSION = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Small(nn.Module):
    """A network of one's own class."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2)
        self.second = nn.Conv2d(8, 6, 3)
        self.last = nn.Linear(6, 4)

    def forward(self, images):
        """Map `[N, 3, h, w]` to `[N, 4]`."""
        maps = torch.relu(self.second(torch.relu(self.first(images))))
        return self.last(maps.mean(3).mean(2))


def sequential():
    """Return a network of torch.nn's own classes, or None before there was a Flatten."""
    if not hasattr(nn, "Flatten"):
        return None
    body = [nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.GELU()]
    if not hasattr(nn, "GELU"):
        body[-1] = nn.ReLU6()
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))


def filled(module):
    """Return the module with the weights that every version gets."""
    own = [value for key, value in module.state_dict().items() if "num_batches" not in key]
    arrays = weights([tuple(value.shape) for value in own])
    for tensor, array in zip(own, arrays):  # noqa: B905 - `strict` is younger
        tensor.copy_(torch.from_numpy(array))
    return module.eval()


def answers(module, scaled=False):
    """Return scores and gradient for the photo, ImageNet's scaling done first if asked."""
    images = torch.from_numpy(photo()[None].transpose(0, 3, 1, 2) / 255.0).float()
    images.requires_grad_(True)
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (MEAN, STD))
    scores = module((images - mean) / std if scaled else images)
    (scores[0, 1] - scores[0, 0]).backward()
    return scores.detach().numpy(), images.grad[0].numpy().transpose(1, 2, 0)


def main():
    """Write the archive of this version."""
    warnings.simplefilter("ignore")
    archive = Archive("torch " + torch.__version__.split("+")[0])
    path = str(Path(tempfile.mkdtemp()) / "file")
    # only zeros and one number: a real architecture that packs to little
    squeeze = filled(torchvision.models.squeezenet1_1(num_classes=2))
    said = answers(squeeze, scaled=True)
    torch.save(squeeze.state_dict(), path)
    archive.add("state.pth", path, "PyTorch state dict", "torchvision's own network", *said)
    torch.save(squeeze, path)
    archive.add("vision.pt", path, "PyTorch whole module", "torchvision's classes", *said)
    stack = sequential()
    if stack is not None:
        filled(stack)
        torch.save(stack, path)
        archive.add("whole.pt", path, "PyTorch whole module", "torch.nn's classes", *answers(stack))
    small = filled(Small())
    example = torch.zeros(2, 3, 64, 64)
    torch.jit.save(torch.jit.trace(small, example), path)
    archive.add("script.pt", path, "TorchScript", "any traced network", *answers(small))
    if VERSION >= (2, 1):
        dynamic = ({0: torch.export.Dim("batch")},)
        exported = torch.export.export(small, (example,), dynamic_shapes=dynamic)
        torch.export.save(exported, path)
        said = answers(small)
        archive.add("exported.pt2", path, "torch.export (.pt2)", "any exported network", *said)
    free = {"dynamic_axes": {"images": [0]}} if VERSION >= (1, 2) else {}
    torch.onnx.export(small, example, path, input_names=["images"], **free)
    archive.add("graph.onnx", path, "ONNX", "what torch.onnx writes", *answers(small))
    archive.close()


if __name__ == "__main__":
    main()
