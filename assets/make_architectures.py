"""Write how each torchvision classifier is recognised by its weights.

Run after an update of torchvision: `python -m assets.make_architectures`. `architectures.json`
holds for each a digest of the names and shapes of the body's tensors, where its head lies, and the
pre-processing of its first published weights; `torchvision_bodies.json.gz` the names and shapes
themselves, and its children in their order.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from loaders.architectures import BODIES, HEADS, TABLE, body_digest, is_body


def network(name: str) -> Any:
    """Build one torchvision classifier, without memory where that is possible."""
    import torch
    from torchvision import models

    try:
        with torch.device("meta"):
            return models.get_model(name, weights=None)
    except NotImplementedError:  # RegNets fill their weights on a real device
        return models.get_model(name, weights=None)


def body(name: str) -> dict[str, Any]:
    """Describe the body of one classifier: its children, and its tensors' shapes in their order."""
    module = network(name)
    head = next(head for head in HEADS if hasattr(module, head))
    return {
        "children": [child for child, _ in module.named_children()],
        "shapes": {
            key: list(tensor.shape)
            for key, tensor in module.state_dict().items()
            if is_body(key, head)
        },
    }


def row(name: str) -> dict[str, Any]:
    """Describe how one torchvision classifier is told, and how its photos are prepared."""
    from torchvision import models

    module = network(name)
    head = next(head for head in HEADS if hasattr(module, head))
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    weights = models.get_model_weights(name)
    first = next((w for w in weights if w.name.startswith("IMAGENET1K_V1")), next(iter(weights)))
    transforms = first.transforms()
    return {
        "digest": body_digest(shapes, head),
        "tensors": len(shapes),
        "head": head,
        "size": transforms.crop_size[0],
        "resize": transforms.resize_size[0],
        "interpolation": transforms.interpolation.value,
        "mean": list(transforms.mean),
        "std": list(transforms.std),
    }


def main() -> None:
    """Write the table and say how many architectures it holds."""
    from torchvision import models

    table = {name: row(name) for name in models.list_models(module=models)}
    bodies = {name: body(name) for name in table}
    packed = json.dumps(bodies, separators=(",", ":")).encode()
    BODIES.write_bytes(gzip.compress(packed, mtime=0))
    labels = models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(r)}" for name, r in table.items())
    TABLE.write_text("{\n" + lines + "\n}\n")
    (Path(__file__).parent / "imagenet_classes.txt").write_text("\n".join(labels) + "\n")
    print(f"{len(table)} architectures, {len({r['digest'] for r in table.values()})} digests")


if __name__ == "__main__":
    main()
