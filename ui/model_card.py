"""The model on the desk: what it is, what it was recognised as, and the ways to change it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from loaders import catalogue, companions
from loaders.preprocessing import PRESETS, Options
from loaders.texts import NotText, decode_text
from ui import missing, pretrained, reading, text, upload, views
from ui.desk import Desk, Model
from workers.incoming import Upload
from xai_core.errors import ParamError, VitrineError
from xai_core.model import Finding

OPENING = "shapes_shortcut"
"""The built-in model that a first visitor meets: it looks good and cheats."""

FRAMEWORKS = {"auto": "Detect it", "torch": "PyTorch", "keras": "TensorFlow", "onnx": "ONNX"}
DETECT = "As the file says"


@dataclasses.dataclass(frozen=True)
class Origin:
    """An answer to where a model comes from: what it asks for, and what it leads us to check."""

    title: str
    sentence: str
    asks_classes: bool
    asks_preprocessing: bool
    imagenet_head: bool | None

    def check(self, card: dict[str, Any]) -> Finding | None:
        """Compare the answer with what was loaded."""
        classes = int(card["classes"])
        if self.imagenet_head is True and classes != 1000:
            return Finding(
                "warning",
                f"You said pre-trained, and this model has {classes} classes where ImageNet has "
                "1,000: its head was replaced, so give its class names.",
            )
        if self.imagenet_head is False and classes == 1000:
            return Finding(
                "warning",
                "You said custom head, and this model has 1,000 classes as ImageNet does: it "
                "looks like the head it was published with.",
            )
        return None


ORIGINS = {
    "custom": Origin(
        "Custom",
        "A network of your own. Nothing is taken for granted: say how its photos were prepared, "
        "and name its classes if the file does not.",
        asks_classes=True,
        asks_preprocessing=True,
        imagenet_head=None,
    ),
    "pretrained": Origin(
        "Pre-trained",
        "A published network as it came. Names and pre-processing follow from the recognised "
        "architecture; we check that it has ImageNet's 1,000 classes.",
        asks_classes=False,
        asks_preprocessing=False,
        imagenet_head=True,
    ),
    "custom-head": Origin(
        "Pre-trained + custom head",
        "A published network with your own last layers. Pre-processing follows from the "
        "architecture; we check that the head is not ImageNet's, and that your names fit it.",
        asks_classes=True,
        asks_preprocessing=False,
        imagenet_head=False,
    ),
}


def open_first(desk: Desk) -> None:
    """Put the opening model on an empty desk."""
    if desk.model is None and desk.opening is None and not desk.model_error:
        entries = catalogue.models()
        named = [entry for entry in entries if entry.name == OPENING]
        _open_built_in(desk, (named or list(entries))[0])


def _open_built_in(desk: Desk, entry: catalogue.Entry) -> None:
    desk.open_model(
        entry.path,
        entry.options,
        name=entry.title,
        word=entry.name,
        about=entry.trained_on,
        built_in=True,
    )


def show(desk: Desk) -> None:
    """Draw the card's head: name, kind, chips, the three ways to change, findings."""
    views.line("Model", "v-label")
    model = desk.model
    if desk.opening is not None:
        views.line(f"Opening {desk.opening.name} ...", "v-quiet v-small")
    if model is not None:
        st.html(
            f'<div class="v-name">{text.escape(model.name)}</div>'
            f'<div class="v-quiet">{text.escape(description(model.card))}</div>'
        )
        if model.about:
            views.line(model.about)
        views.chips(facts(model))
    elif desk.opening is not None:
        st.skeleton(height=120)
    if desk.model_error:
        views.error(desk.model_error)
    missing.show(desk)
    with st.container(horizontal=True, gap="small", key="model-buttons"):
        _change(desk)
        _preprocessing(desk)
        _classes(desk)
        reading.popover(desk, _close)
    pretrained.under_way(desk)
    upload.under_way(lambda found: _arrived(desk, found))
    if model is not None:
        views.findings(_findings(desk, model), {} if model.built_in else reading.PLACES)


def _findings(desk: Desk, model: Model) -> list[Finding]:
    said = [*model.findings, *(desk.prediction.findings if desk.prediction else ())]
    checked = None if model.built_in else ORIGINS[model.options.origin].check(model.card)
    return list(dict.fromkeys([*said, *([checked] if checked else [])]))


def description(card: dict[str, Any]) -> str:
    """Say in a line what the file is and what it was recognised as."""
    height, width = card["input_size"]
    known = card.get("architecture")
    parts = [
        str(card["kind"]) + (f", recognised as {known}" if known else ""),
        f"{int(card['classes']):,} classes",
        f"{height} x {width} px" + (", grey" if card.get("channels") == 1 else ""),
        f"{int(card['parameters']):,} parameters",
    ]
    return ", ".join(parts)


def facts(model: Model) -> list[tuple[str, bool]]:
    """Return the chips: how the model is held, and how a photo is prepared for it."""
    done = model.preprocessing
    why = f" ({done.why})" if done.why and len(done.why) < 60 else ""
    return [sandbox(model.card.get("sandbox", {})), (f"pre-processing: {done.name}{why}", False)]


def sandbox(state: dict[str, Any]) -> tuple[str, bool]:
    """Say in a few words how the model's process is held, and whether something is missing."""
    named = ("files", "network", "processes")
    lost = [name for name in named if not state.get(name)]
    if not lost:
        return f"sandboxed: {', '.join(named)}", False
    return f"not sandboxed from: {', '.join(lost)}", True


# -- the three popovers ----------------------------------------------------------------------


def _change(desk: Desk) -> None:
    with st.popover("Change model", key="change-model", on_change="rerun"):
        entries = {entry.name: entry for entry in catalogue.models()}
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                "Built-in models",
                list(entries),
                format_func=lambda name: entries[name].title,
                key="built-in",
                persist_state="session",
            )
            if st.button("Open", key="open-built-in") and chosen:
                _open_built_in(desk, entries[chosen])
                _close("change-model")
        if pretrained.choose(desk):
            _close("change-model")
        views.line("Or a file of your own", "v-label v-ruled")
        upload.place()
        views.line(
            "A PyTorch, Keras or ONNX file. It is read by its content, in a process without "
            "network or files, and opened with the answers below as they stand when it has "
            "arrived. Drop what belongs to it along with it: its class's source, its network's "
            "JSON, its class names."
        )
        _asked_of_upload()
        if desk.model is not None and not desk.model.built_in:
            st.button("Open again with these answers", on_click=_again, args=(desk,))
            with st.expander("With the source of its class"):
                missing.source(desk, desk.model, "again", lambda **given: _with(desk, given))


def _asked_of_upload() -> None:
    st.session_state.setdefault("framework", "auto")
    st.session_state.setdefault("origin", "custom")
    st.segmented_control(
        "Framework",
        list(FRAMEWORKS),
        format_func=FRAMEWORKS.__getitem__,
        key="framework",
        required=True,
        persist_state="session",
    )
    st.segmented_control(
        "Where it comes from",
        list(ORIGINS),
        format_func=lambda name: ORIGINS[name].title,
        key="origin",
        required=True,
        persist_state="session",
    )
    origin = ORIGINS[st.session_state["origin"]]
    views.line(origin.sentence)
    if origin.asks_preprocessing:
        st.selectbox(
            "Pre-processing",
            ["auto", *PRESETS],
            format_func=_preset_title,
            key="upload-preprocessing",
            persist_state="session",
        )
    if origin.asks_classes:
        st.text_area(
            "Class names, one a line",
            key="upload-classes",
            height=80,
            placeholder="Optional: cat, dog, ... in the order of the training",
            persist_state="session",
        )


def _preset_title(name: str) -> str:
    return DETECT if name == "auto" else f"{name}: {PRESETS[name].meaning}"


def _answers() -> Options:
    """Read the form above the uploader. Raises ParamError."""
    state = st.session_state
    origin = ORIGINS[state.get("origin", "custom")]
    flags = {
        "framework": state.get("framework", "auto"),
        "origin": state.get("origin", "custom"),
        "preprocessing": state.get("upload-preprocessing") if origin.asks_preprocessing else None,
        "classes": (state.get("upload-classes") or None) if origin.asks_classes else None,
    }
    return Options.from_text(flags)


def _arrived(desk: Desk, found: Sequence[Upload]) -> None:
    """Open what was sent with the answers above its place, and close the popover."""
    if _supplied(desk, found):
        _close("change-model")
        return
    said = ""
    try:
        options = _answers()
    except ParamError as error:
        # The file is kept and opened: the answers can be mended on the card.
        options, said = Options(), str(error)
    try:
        sent, options = _sorted(desk, found, options)
    except VitrineError as error:
        for each in found:
            if each.path.exists():
                desk.session.remove_file(each.path)
        desk.model_error = str(error)
    else:
        for each in found:
            if each is not sent and each.path.exists():
                desk.session.remove_file(each.path)
        desk.open_model(sent.path, options, name=sent.name, word=sent.name)
        desk.model_error = said or desk.model_error
    _close("change-model")


def _supplied(desk: Desk, found: Sequence[Upload]) -> bool:
    """Give a refused model what it lacked, where just that was sent after it."""
    refused = desk.refused
    if refused is None:
        return False
    if refused.wants == "files":
        return _joined(desk, refused.model, found)
    if len(found) != 1:
        return False
    try:
        said = companions.alone(found[0].name, found[0].path)
    except VitrineError:
        return False
    if said is None or said[0] != refused.wants:
        return False
    desk.session.remove_file(found[0].path)
    desk.supply(**{said[0]: said[1]})
    return True


def _joined(desk: Desk, model: Model, found: Sequence[Upload]) -> bool:
    """Put files of weights beside the refused model, where what was sent is nothing else."""
    sent = [(each.name, each.path) for each in found]
    try:
        bundle = companions.sort([(model.name, model.path), *sent])
        if bundle.model != model.path or not bundle.beside:
            return False
        for name, path in bundle.beside:
            desk.session.add_beside(model.path, name, path)
    except VitrineError:
        return False
    for each in found:
        if each.path.exists():
            desk.session.remove_file(each.path)
    desk.supply(**bundle.options)
    return True


def _sorted(desk: Desk, found: Sequence[Upload], options: Options) -> tuple[Upload, Options]:
    """Return the model among what was sent, and the options that the rest stands for."""
    if len(found) == 1:
        return found[0], options
    bundle = companions.sort([(each.name, each.path) for each in found])
    sent = next(each for each in found if each.path == bundle.model)
    for name, path in bundle.beside:
        desk.session.add_beside(sent.path, name, path)
    return sent, dataclasses.replace(options, **bundle.options)


def _with(desk: Desk, given: Mapping[str, str]) -> None:
    desk.reopen(**given)
    _shut("change-model")


def _again(desk: Desk) -> None:
    try:
        changes = _answers()
    except ParamError as error:
        desk.model_error = str(error)
        return
    desk.reopen(
        framework=changes.framework,
        origin=changes.origin,
        preprocessing=changes.preprocessing,
        classes=changes.classes,
    )
    _shut("change-model")


def _preprocessing(desk: Desk) -> None:
    with st.popover(
        "Pre-processing", key="change-preprocessing", on_change="rerun", disabled=desk.model is None
    ):
        if desk.model is None:
            return
        views.line(desk.model.preprocessing.sentence())
        asked = desk.model.options
        with st.form(f"preprocessing-{desk.model.id}", border=False):
            flags: dict[str, str | None] = {
                "preprocessing": st.selectbox(
                    "Values",
                    ["auto", *PRESETS],
                    index=["auto", *PRESETS].index(asked.preprocessing),
                    format_func=_preset_title,
                ),
                "mean": st.text_input(
                    "Mean",
                    _numbers(asked.mean),
                    placeholder="0.485, 0.456, 0.406",
                    help="One number or one a channel, in units of the 0..1 photo.",
                ),
                "std": st.text_input(
                    "Deviation",
                    _numbers(asked.std),
                    placeholder="0.229, 0.224, 0.225",
                    help="One number or one a channel, in units of the 0..1 photo.",
                ),
            }
            left, right = st.columns(2)
            with left:
                flags["channels"] = _maybe("Channels", ("rgb", "bgr", "grey"), asked.channels)
                flags["fit"] = _maybe("Fit", ("crop", "stretch", "pad"), asked.fit)
                flags["size"] = st.text_input(
                    "Size",
                    "x".join(map(str, asked.size or ())),
                    placeholder="224x224",
                    help="Height x width of the view, in pixels.",
                )
            with right:
                flags["interpolation"] = _maybe(
                    "Interpolation",
                    ("bilinear", "bicubic", "lanczos", "nearest"),
                    asked.interpolation,
                )
                flags["resize"] = st.text_input(
                    "Shorter side before a crop",
                    str(asked.resize or ""),
                    placeholder="256",
                    help="In pixels; used when the photo is cropped.",
                )
            if st.form_submit_button("Apply", type="primary"):
                _apply(desk, flags)


def _apply(desk: Desk, flags: dict[str, str | None]) -> None:
    try:
        asked = Options.from_text({name: value or None for name, value in flags.items() if value})
    except ParamError as error:
        views.error(str(error))
        return
    desk.reopen(**{name: getattr(asked, name) for name in flags})
    _close("change-preprocessing")


def _numbers(values: tuple[float, ...] | None) -> str:
    return ", ".join(f"{value:.6g}" for value in values or ())


def _maybe(label: str, options: tuple[str, ...], asked: str | None) -> str | None:
    return st.selectbox(
        label, options, index=options.index(asked) if asked else None, placeholder=DETECT
    )


def _classes(desk: Desk) -> None:
    with st.popover(
        "Class names", key="change-classes", on_change="rerun", disabled=desk.model is None
    ):
        if desk.model is None:
            return
        count = len(desk.model.labels)
        views.line(f"{count:,} names, in the order of the network's outputs.")
        with st.form(f"classes-{desk.model.id}", border=False):
            given = st.text_area(
                "One a line", "\n".join(desk.model.labels) if count <= 200 else "", height=180
            )
            file = st.file_uploader(
                "Or a file",
                help="One name a line, with its number or without; a table; JSON, YAML or Python.",
            )
            if st.form_submit_button("Apply", type="primary"):
                _name(desk, file.getvalue() if file else given)
        if count == 1000 and st.button("Use ImageNet's names"):
            desk.reopen(classes=catalogue.imagenet_labels())
            _close("change-classes")


def _name(desk: Desk, listed: str | bytes) -> None:
    try:
        given = decode_text(listed) if isinstance(listed, bytes) else listed
        classes = Options.from_text({"classes": given}).classes
    except NotText as error:
        views.error(f"The class names cannot be read: {error}.")
        return
    except ParamError as error:
        views.error(str(error))
        return
    desk.reopen(classes=classes)
    _close("change-classes")


def _shut(popover: str) -> None:
    """Close a popover from a callback."""
    st.session_state[popover] = False


def _close(popover: str) -> None:
    """Close a popover from the script, where its own key can no longer be set."""
    st.session_state.setdefault("to-close", []).append(popover)
    st.rerun()


def close_popovers() -> None:
    """Close what the last run asked to close; call it before any popover is drawn."""
    for popover in st.session_state.pop("to-close", []):
        st.session_state[popover] = False
