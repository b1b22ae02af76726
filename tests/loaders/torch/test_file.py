"""Torch files against torchvision itself: recognised, rebuilt, or refused in one true sentence."""

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from loaders import architectures, vitrine_net
from loaders.load import load
from loaders.preprocessing import Options
from loaders.torch import weights
from loaders.torch.sets import Weights
from xai_core.errors import LoadError, UnsupportedModel, VitrineError
from xai_core.model import Differentiates, HasLayers, HasNative, MasksFast
from xai_core.target import ClassTarget

SMALL = ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf")


@pytest.fixture(autouse=True)
def _quiet_torchvision() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def saved(tmp_path: Path, content: object, **kwargs: Any) -> Path:
    path = tmp_path / "upload.bin"  # the name says nothing
    torch.save(content, path, **kwargs)
    return path


def opened(path: Path, **options: Any) -> Any:
    return load(path, Options(**options), name="upload")


def expected(module: nn.Module, model: Any, views: np.ndarray) -> np.ndarray:
    """Return torchvision's own logits for views that are normalised here."""
    x = torch.from_numpy(views).permute(0, 3, 1, 2)
    mean, std = (
        torch.tensor(values).view(1, -1, 1, 1)
        for values in (model.preprocessing.mean, model.preprocessing.std)
    )
    with torch.no_grad():
        return module.eval()((x - mean) / std).numpy()


def views(model: Any, count: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((count, *model.input_size, 3), np.float32)


def said(model: Any) -> str:
    return " ".join(finding.message for finding in model.findings)


@pytest.mark.parametrize("name", SMALL)
def test_other_class_counts_give_torchvisions_logits(tmp_path: Path, name: str) -> None:
    module = models.get_model(name, weights=None, num_classes=7)
    model = opened(saved(tmp_path, module.state_dict()))
    assert model.architecture == name
    assert f"Recognised as torchvision {name}" in said(model)
    assert model.labels == tuple(f"class {index}" for index in range(7))
    batch = views(model, 2)
    np.testing.assert_allclose(model.logits(batch), expected(module, model, batch), atol=1e-4)


def test_one_unit_is_a_class_against_its_absence(tmp_path: Path) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=1)
    model = opened(saved(tmp_path, module.state_dict()))
    assert (len(model.labels), model.head.kind) == (2, "sigmoid")
    assert "gives one number" in said(model)
    batch = views(model, 2)
    chance = 1 / (1 + np.exp(-expected(module, model, batch)))
    ours = model.head.probabilities(model.logits(batch))
    np.testing.assert_allclose(ours, np.concatenate([1 - chance, chance], 1), atol=1e-5)


def test_every_torchvision_classifier_has_its_own_row() -> None:
    table = architectures.table()
    assert set(table) == set(models.list_models(module=models))
    assert len({row["digest"] for row in table.values()}) == len(table)
    for name in ("vit_b_32", "swin_v2_t", "densenet121", "googlenet", "maxvit_t", "vgg11_bn"):
        with torch.device("meta"):
            state = models.get_model(name, weights=None, num_classes=3).state_dict()
        shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
        assert architectures.recognise(shapes) == name


HEADS: dict[str, Any] = {
    "linear": lambda n: nn.Linear(n, 4),
    "mlp": lambda n: nn.Sequential(nn.Linear(n, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 4)),
    "dropout first": lambda n: nn.Sequential(nn.Dropout(0.2), nn.Linear(n, 4)),
    "batch norm": lambda n: nn.Sequential(
        nn.Linear(n, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 4)
    ),
    "log-softmax": lambda n: nn.Sequential(
        nn.Linear(n, 16), nn.ReLU(), nn.Linear(16, 4), nn.LogSoftmax(1)
    ),
}


@pytest.mark.parametrize("head", HEADS)
def test_replaced_fc_is_rebuilt(tmp_path: Path, head: str) -> None:
    module = models.resnet18(weights=None)
    module.fc = HEADS[head](512)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d):
            norm.running_mean.uniform_(-1, 1)
    model = opened(saved(tmp_path, module.state_dict()))
    batch = views(model, 2)
    ours, theirs = model.logits(batch), expected(module, model, batch)
    if head == "log-softmax":  # the same up to a constant: it has no weights and is not in the file
        ours = ours - ours.max(1, keepdims=True)
        theirs = theirs - theirs.max(1, keepdims=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert ("ReLU is assumed" in said(model)) == (head not in ("linear", "dropout first"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mobilenet_v3_small", lambda m: m.classifier.__setitem__(3, nn.Linear(1024, 4))),
        ("vgg11", lambda m: m.classifier.__setitem__(6, nn.Linear(4096, 4))),
        (
            "alexnet",
            lambda m: m.classifier.__setitem__(
                6, nn.Sequential(nn.Linear(4096, 8), nn.ReLU(), nn.Linear(8, 4))
            ),
        ),
        ("squeezenet1_1", lambda m: m.classifier.__setitem__(1, nn.Conv2d(512, 4, 1))),
        (
            "mobilenet_v2",
            lambda m: setattr(
                m,
                "classifier",
                nn.Sequential(nn.Linear(1280, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 4)),
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_replaced_classifier_is_rebuilt(tmp_path: Path, name: str, change: Any) -> None:
    module = models.get_model(name, weights=None)
    change(module)
    model = opened(saved(tmp_path, module.state_dict()))
    batch = views(model)
    np.testing.assert_allclose(model.logits(batch), expected(module, model, batch), atol=1e-4)


@pytest.mark.parametrize(
    ("wrap", "inside"),
    [
        (lambda state: {"state_dict": state, "epoch": 3}, "state_dict"),
        (lambda state: {"epoch": 1, "model_state_dict": state, "loss": 0.5}, "model_state_dict"),
        (lambda state: {f"module.{key}": value for key, value in state.items()}, ""),
        (lambda state: {"net": {f"module.{k}": v for k, v in state.items()}}, "net"),
        (lambda state: {f"_orig_mod.{key}": value for key, value in state.items()}, ""),
        (lambda state: {k: v.half() if v.is_floating_point() else v for k, v in state.items()}, ""),
    ],
)
def test_wrappings_are_taken_off(tmp_path: Path, wrap: Any, inside: str) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=3)
    model = opened(saved(tmp_path, wrap(module.state_dict())))
    batch = views(model)
    np.testing.assert_allclose(model.logits(batch), expected(module, model, batch), atol=0.02)
    assert (f"found under '{inside}'" in said(model)) == bool(inside)


def test_legacy_files_and_files_before_batch_counters(tmp_path: Path) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=3)
    old = {k: v for k, v in module.state_dict().items() if "num_batches" not in k}
    model = opened(saved(tmp_path, old, _use_new_zipfile_serialization=False))
    assert model.architecture == "shufflenet_v2_x0_5"


@pytest.mark.parametrize("place", ["cuda:0", "mps"])
def test_weights_saved_on_a_gpu(tmp_path: Path, place: str) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=3)
    source = saved(tmp_path, module.state_dict())
    moved = tmp_path / "moved"
    text = b"X" + len(place).to_bytes(4, "little") + place.encode()
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(moved, "w") as target:
        for member in archive.infolist():
            content = archive.read(member)
            if member.filename.endswith("data.pkl"):
                assert b"X\x03\x00\x00\x00cpu" in content
                content = content.replace(b"X\x03\x00\x00\x00cpu", text)
            target.writestr(member.filename, content)
    model = opened(moved)
    batch = views(model)
    np.testing.assert_allclose(model.logits(batch), expected(module, model, batch), atol=1e-4)


def test_inception_is_loaded_with_its_transform(tmp_path: Path) -> None:
    module = models.inception_v3(weights=None, init_weights=False, transform_input=True)
    model = opened(saved(tmp_path, module.state_dict()))
    assert model.input_size == (299, 299)
    assert "transform_input" in said(model)


@pytest.mark.parametrize("asked", [{"preprocessing": "unit"}, {"mean": (0.4,), "std": (0.2,)}])
def test_what_was_set_by_hand_is_not_doubted_for_a_transform(asked: dict[str, Any]) -> None:
    module = models.googlenet(weights=None, init_weights=False, aux_logits=False)
    sets = [Weights("", module.state_dict())]
    model = weights.from_sets(sets, Options(**asked), name="m", kind="weights")
    found = [each.message for each in model.findings if each.about == "preprocessing"]
    assert not any("taken as on" in message for message in found)
    assert not any("'symmetric'" in message for message in found) or "preprocessing" in asked


def test_published_weights_are_not_doubted_for_their_transform() -> None:
    module = models.googlenet(weights=None, init_weights=False, aux_logits=False)
    state, options = module.state_dict(), Options(origin="pretrained")
    model = weights.from_sets([Weights("", state)], options, name="m", kind="weights")
    assert "transform_input" not in said(model)
    assert model.preprocessing.name == "symmetric"
    batch = views(model)
    # torchvision feeds ImageNet's normalisation to a network that turns it into -1..1
    mean, std = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        x = torch.from_numpy((batch - mean) / std).permute(0, 3, 1, 2)
        theirs = module.eval()(x).numpy()
    np.testing.assert_allclose(model.logits(batch), theirs, atol=1e-4)


def test_has_its_capabilities(tmp_path: Path) -> None:
    module = models.shufflenet_v2_x0_5(weights=None, num_classes=3)
    model = opened(saved(tmp_path, module.state_dict()), size=(64, 64))
    for capability in (MasksFast, Differentiates, HasLayers, HasNative):
        assert isinstance(model, capability)
    view, target = views(model), ClassTarget(1, against=0)
    gradient = model.gradients(view, target)
    direction = np.random.default_rng(1).normal(size=view.shape).astype(np.float32)
    step = 1e-2 * direction / np.abs(direction).max()
    up, down = (target.score(model.logits(view + s), model.head)[0] for s in (step, -step))
    assert (up - down) / 2 == pytest.approx(float((gradient * step).sum()), rel=0.05, abs=1e-5)
    last = model.layers()[-1]
    maps, gradients = model.activation_gradients(view, last.name, target)
    assert maps.shape == gradients.shape == (1, *last.map_size, last.channels)
    np.testing.assert_array_equal(maps, model.activations(view, last.name))


@pytest.mark.parametrize("name", ["swin_t", "vit_b_32"])
def test_layers_of_transformers_are_maps(tmp_path: Path, name: str) -> None:
    from xai_core.explainer import make
    from xai_core.layers import default_layer

    module = models.get_model(name, weights=None, num_classes=3)
    # torchvision starts the last layer of a vision transformer at zero, so that nothing would act
    for parameter in module.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    model = opened(saved(tmp_path, module.state_dict()))
    layer = next(row for row in model.layers() if row.name == default_layer(model))
    assert layer.map_size == (7, 7)
    view = views(model)[0]
    cams = [
        make("grad-cam", {"relu": False}).explain(model, view, ClassTarget(k)).attribution
        for k in range(3)
    ]
    assert all(np.ptp(cam) > 0 for cam in cams)
    theirs = (
        make("grad-cam", {}, engine="grad-cam").explain(model, view, ClassTarget(0)).attribution
    )
    ours = np.maximum(make("grad-cam", {}).explain(model, view, ClassTarget(0)).attribution, 0)
    if ours.max() > 0:
        np.testing.assert_allclose((ours - ours.min()) / (1e-7 + np.ptp(ours)), theirs, atol=1e-3)


class Net(nn.Module):
    """Stands for a class of the user's own."""


class Runs:
    """Pickles as a call."""

    def __reduce__(self) -> Any:
        return print, ("read",)


REFUSED: dict[str, tuple[Any, str]] = {
    "a call": (lambda: Runs(), r"holds a whole Python object \(print\).*could run code"),
    "whole module": (
        lambda: Net(),
        "object of the class .*Net, whose code is not in it.*class's source",
    ),
    "optimiser": (
        lambda: torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=1).state_dict(),
        "optimiser's checkpoint",
    ),
    "tensor": (lambda: torch.ones(3, 4), r"holds one tensor \[3, 4\]"),
    "list": (lambda: [1, 2], "holds a list"),
    "numbers": (lambda: {"epoch": 3}, "holds no model weights"),
    "own network": (
        lambda: {"conv.weight": torch.ones(3, 3, 3, 3), "conv.bias": torch.ones(3)},
        "No torchvision classifier has these 2 tensors",
    ),
    "no convolution": (lambda: nn.Linear(3, 4).state_dict(), "a network of dense layers alone"),
    "detector": (
        lambda: {"rpn.head.conv.weight": torch.ones(3, 3, 3, 3)},
        "weights of an object detector",
    ),
    "bomb": (
        lambda: {"a": torch.ones(1).as_strided((1 << 40,), (0,))},
        "claims 1,099,511,627,776 numbers",
    ),
    "body only": (
        lambda: {
            k: v
            for k, v in models.shufflenet_v2_x0_5(weights=None).state_dict().items()
            if not k.startswith("fc.")
        },
        "body without its head",
    ),
    "other head": (
        lambda: {
            k if k != "fc.weight" else "fc.conv.weight": v if k != "fc.weight" else v[None, None]
            for k, v in models.shufflenet_v2_x0_5(weights=None).state_dict().items()
            if k != "fc.bias"
        },
        "not a Linear, BatchNorm or LayerNorm",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_the_thing(tmp_path: Path, case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises((LoadError, UnsupportedModel), match=message) as caught:
        opened(saved(tmp_path, make()))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith((".", ")"))


class Evil:
    """Would leave a trace if it were ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> Any:
        return (open, (self.trace, "w"))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "ran"
    path = saved(tmp_path, {"a": Evil(trace)}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(LoadError):
        opened(path)
    assert not trace.exists()


BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "This is an empty file"),
    "text": (b"hello, I am text\n" * 9, "This is a text file"),
    "pickle": (pickle.dumps({"a": 1}), "This is a Python pickle"),
    "photo": (b"\x89PNG\r\n\x1a\n" + bytes(99), "This is a photo"),
    "pdf": (b"%PDF-1.7 \x00\x01", "This is a PDF document"),
    "noise": (bytes(range(200, 256)) + b"\x00\x01\x02" * 40, "no kind that Vitrine knows"),
    "cut zip": (b"PK\x03\x04" + bytes(100), "is damaged"),
    "safetensors": ((20).to_bytes(8, "little") + b'{"a": 1}' + bytes(50), "safetensors"),
}


@pytest.mark.parametrize("case", BYTES)
def test_other_files_are_named(tmp_path: Path, case: str) -> None:
    content, message = BYTES[case]
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=message):
        opened(path)


def test_archives_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    for member, message in (
        ("holiday.jpg", "ZIP archive of photos"),
        ("m/code/__torch__/x.py", "TorchScript"),
        ("m/archive_format", "torch.export archive"),
        ("m/saved_model.pb", "SavedModel"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, b"x")
        with pytest.raises(LoadError, match=message):
            opened(path)


def test_truncated_and_bent_files_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(models.shufflenet_v2_x0_5(weights=None).state_dict(), buffer)
    whole = buffer.getvalue()
    rng = np.random.default_rng(0)
    path = tmp_path / "model.pt"
    for size in (5, 100, 5000, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(VitrineError):
            opened(path)
    for _ in range(30):
        bent = bytearray(whole)
        for place in rng.integers(0, 20_000, 20):
            bent[place] = rng.integers(0, 256)
        path.write_bytes(bent)
        try:
            opened(path)
        except VitrineError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some bent bytes are weights, and load


def test_the_framework_that_was_chosen_is_checked(tmp_path: Path) -> None:
    path = saved(tmp_path, models.shufflenet_v2_x0_5(weights=None).state_dict())
    with pytest.raises(LoadError, match="This is a PyTorch file, and TensorFlow was chosen"):
        opened(path, framework="keras")


def test_class_names_must_be_as_many(tmp_path: Path) -> None:
    path = saved(tmp_path, models.shufflenet_v2_x0_5(weights=None, num_classes=3).state_dict())
    with pytest.raises(LoadError, match="2 class names were given and the model has 3 classes"):
        opened(path, classes=("a", "b"))
    assert opened(path, classes=("a", "b", "c")).labels == ("a", "b", "c")


def test_broken_weights_are_said(tmp_path: Path) -> None:
    state = models.shufflenet_v2_x0_5(weights=None, num_classes=3).state_dict()
    state["fc.bias"][1] = torch.nan
    assert "infinite or not numbers" in said(opened(saved(tmp_path, state)))


def test_a_real_network_sees_a_cat(shared: Path) -> None:
    import skimage.data

    model = opened(shared / "models" / "imagenet_mobilenet_v2.pth")
    view, _ = model.preprocessing.view(skimage.data.chelsea())
    assert model.labels[model.logits(view[None])[0].argmax()] in ("Egyptian cat", "tabby")
    assert model.preprocessing.resize == 256


def test_tensors_of_another_device_are_read(tmp_path: Path) -> None:
    """Storages that say they were on Apple's or on NVIDIA's processor come to this one."""
    torch.save(vitrine_net.build(3).state_dict(), tmp_path / "cpu")
    for device in (b"mps:0", b"cuda:1"):
        with (
            zipfile.ZipFile(tmp_path / "cpu") as old,
            zipfile.ZipFile(tmp_path / "other", "w") as new,
        ):
            for name in old.namelist():
                data = old.read(name)
                if name.endswith("data.pkl"):
                    assert b"X\x03\0\0\0cpu" in data
                    size = len(device).to_bytes(4, "little")
                    data = data.replace(b"X\x03\0\0\0cpu", b"X" + size + device)
                new.writestr(name, data)
        assert len(load(tmp_path / "other", Options(), name="upload").labels) == 3
