"""A Keras file into a model; its configuration is held against lists before Keras sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loaders import source
from loaders.formats import TEACHABLE, sniff
from loaders.keras import archive, teachable, weights
from loaders.keras.audit import audit, named
from loaders.labels import Inside
from loaders.preprocessing import Options
from xai_core.errors import NeedsSource
from xai_core.model import Finding

if TYPE_CHECKING:
    from loaders.keras.model import KerasModel


def load(path: Path, options: Options, *, name: str) -> KerasModel:
    """Load a .keras archive or an HDF5 file, by Keras 3 or else by tf_keras.

    Of weights alone, those of keras.applications are recognised.

    Raises LoadError for a file that is damaged or unsafe, NeedsArchitecture for weights alone of
    another network, NeedsSource for classes that are not Keras's, UnsupportedModel for one that
    is no image classifier and ParamError for an option that does not fit it.
    """
    if sniff(path) is TEACHABLE:
        with teachable.unpacked(path) as (inner, names):
            inside = [] if names is None else [(teachable.WHERE, names)]
            return _opened(inner, options, name, "Teachable Machine archive", inside)
    return _opened(path, options, name)


def _opened(
    path: Path, options: Options, name: str, title: str = "", names: Sequence[Inside] = ()
) -> KerasModel:
    if not options.architecture and (known := weights.recognise(path)):
        return _application(known, path, options, name)
    held = archive.read(path, options.architecture)
    objects = _audited(held.config, options.source)
    from loaders.keras.model import KerasModel
    from loaders.keras.read import read

    model, read_by = read(path, held, objects)
    findings: list[Finding] = []
    if held.kind == "weights":
        joined = "The network is its JSON's: all of its weights are the file's."
        findings.append(Finding("info", joined))
    if objects:
        used = ", ".join(dict.fromkeys(source.shown(item.__name__) for item in objects.values()))
        said = f"Its source was run in the sandbox, and the file's own were taken from it: {used}."
        findings.append(Finding("info", said))
    if read_by == "tf_keras":
        findings.append(
            Finding(
                "info",
                "Read by tf_keras, the older Keras: Keras 3 cannot rebuild this file"
                + (f", which {held.written_by} wrote." if held.written_by else "."),
            )
        )
    return KerasModel(
        model,
        options,
        name=name,
        kind=title or held.title,
        findings=tuple(findings),
        names=[*names, *held.names],
        owned=True,
    )


def _application(known: weights.Application, path: Path, options: Options, name: str) -> KerasModel:
    from loaders.keras.model import KerasModel

    model = weights.build(known)
    weights.fill(model, path)
    found = (
        f"Recognised as {known.name} of keras.applications by its weights: all of the network's "
        "match in shape."
    )
    return KerasModel(
        model,
        options,
        name=name,
        kind="Keras weights",
        findings=(Finding("info", found),),
        owned=True,
    )


def _audited(config: dict[str, Any], text: str) -> dict[str, Any]:
    """Audit a configuration; return what it takes from the source of its classes, by name."""
    try:
        audit(config)
    except NeedsSource:
        if not text:
            raise
    else:
        return {}
    own = source.own(source.run(text))
    try:
        audit(config, own)
    except NeedsSource as error:
        raise NeedsSource(f"{error} The source that came with it does not define it.") from None
    return {name: own[bare] for name, bare in named(config).items() if bare in own}
