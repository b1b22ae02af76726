"""What a text is, of those that people bring with a model or in its place."""

from __future__ import annotations

import re

from loaders import other_models
from loaders.file_kind import FileKind

_BRING = "Bring the file that torch.save or model.save wrote."
LFS = FileKind(
    "pointer of Git LFS",
    refusal="It stands in the model's place. Fetch the model itself with git lfs pull.",
)
WEB_PAGE = FileKind(
    "web page",
    refusal="The download saved a page, often a sign-in or a warning, in the model's place. "
    "Download the model itself.",
)
TEXT = FileKind("text file", refusal=_BRING)
SOURCE = FileKind(
    "Python file", refusal="Send it together with the file of the model whose class it defines."
)
KERAS_JSON = FileKind(
    "Keras network's JSON, without weights",
    refusal="Send it together with the file that save_weights wrote.",
)
NOTEBOOK = FileKind("Jupyter notebook", refusal=f"It makes a model and holds none. {_BRING}")
HUB_CONFIG = FileKind(
    "Hugging Face model's settings (config.json)",
    refusal="It holds no weights. Bring model.safetensors, or an ONNX export of the model.",
)
TREES = FileKind(
    "model of decision trees",
    refusal="Such a model works on rows of numbers. Bring a classifier of photos, of PyTorch or "
    "Keras.",
)
JSON = FileKind("JSON file", refusal=_BRING)
XML = FileKind("XML file", refusal=_BRING)

_CODE = re.compile(
    r"^(import \w|from [\w.]{1,200} import |class \w[^\n:]{0,500}:|(async )?def \w+\(|@\w)", re.M
)

# each is looked for in the beginning, without its spaces
_JSONS: tuple[tuple[FileKind, tuple[str, ...]], ...] = (
    (other_models.TFJS, ('"weightsmanifest"', '"modeltopology"')),
    (other_models.MXNET, ('"nodes":[{"op":"null"', '"arg_nodes"')),
    (other_models.PADDLE, ('"base_code":{"magic":"pir"',)),
    (NOTEBOOK, ('{"cells":[', '"nbformat"')),
    (HUB_CONFIG, ('"architectures":[', '"model_type":', '"transformers_version"')),
    (TREES, ('{"learner":{', '"gradient_booster"')),
    (
        KERAS_JSON,
        ('"class_name":"functional"', '"class_name":"sequential"', '"class_name":"model"'),
    ),
)
_STARTS: tuple[tuple[FileKind, tuple[str, ...]], ...] = (
    (LFS, ("version https://git-lfs",)),
    (WEB_PAGE, ("<!doctype html", "<html")),
    (other_models.DARKNET, ("[net]", "[network]")),
    (other_models.NCNN, ("7767517",)),
    (other_models.TF_CHECKPOINT, ("model_checkpoint_path:",)),
    (TREES, ("tree\nversion=", "<pmml")),
)
_CAFFE = re.compile(r"^\s{0,9}(layers?\s{0,9}\{|input_dim\s{0,9}:)", re.M)
_JSON = re.compile(r"[\[{]\s*[\"{\[}\]]")
_SPACES = re.compile(r"\s+")
HEAD = 4096


def is_code(text: str) -> bool:
    """Tell whether a text is Python: a line of it begins as hardly any other text's does."""
    return _CODE.search(text) is not None


def named(text: str) -> FileKind | None:
    """Return what a text is that belongs to no model here, or None where that stays open."""
    head = text[:HEAD].lstrip("\ufeff \t\r\n").lower()
    for kind, starts in _STARTS:
        if head.startswith(starts):
            return kind
    if head.startswith("<"):
        if head.startswith(("<net ", "<?xml")) and "<net " in head and "<layers" in head:
            return other_models.OPENVINO
        return TREES if "<pmml" in head else XML if head.startswith("<?xml") else None
    if head.startswith("{"):
        close = _SPACES.sub("", head)
        for kind, words in _JSONS:
            if any(word in close for word in words):
                return kind
    if _CAFFE.search(head) and (head.startswith(("name:", "layer", "input")) or "}" in head):
        return other_models.CAFFE
    return None


def kind(text: str) -> FileKind:
    """Return what a text is that came in a model's place."""
    if found := named(text):
        return found
    if is_code(text):
        return SOURCE
    return JSON if _JSON.match(text.lstrip("\ufeff \t\r\n")[:HEAD]) else TEXT
