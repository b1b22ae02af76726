"""How often the pre-processing doctor is right: `python -m benchmarks.doctor [FOLDER]`.

The built-in models are asked about the built-in photos, whose classes their names tell, and, where
FOLDER holds them, a torch and a Keras MobileNetV2 and an emotion classifier about photos out of
scikit-image's and scikit-learn's packages. Each model is opened under each preset in turn; the
right one must stay quiet, a wrong one be called. Writes `docs/doctor.md`.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.doctor_limits import Asking, Counts, counted, lines, summed
from loaders import catalogue, doctor
from loaders.load import load
from loaders.options import Options
from loaders.presets import PRESETS

PLACE: Final = Path(__file__).parents[1] / "docs" / "doctor.md"
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
Photos = list[tuple[NDArray[np.uint8], tuple[str, ...]]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, the preset that it was trained with, photos with the classes that fit them.

    Those of one `kin` were trained on the same pictures, by the same preset.
    """

    name: str
    path: Path
    options: Options
    right: str
    photos: Photos
    kin: str


def main() -> None:
    """Measure, print and write."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    rows, named = [], 0
    every, models = list(cases(folder)), {}
    for case in every:
        models[case.name], best = measured(case)
        named += best == case.right
        rows.append(_line(case.name, case.right, best, counted(models[case.name])))
        print(rows[-1], flush=True)
    totals = summed(map(counted, models.values()))
    rows.append(_line("all", "", f"{named} of {len(every)}", totals))
    kin = {case.name: case.kin for case in every}
    limits = lines(models, kin) if len(set(kin.values())) > 1 else []
    print("\n".join(limits), flush=True)
    PLACE.write_text(_page(rows, limits), encoding="utf-8")


def cases(folder: Path | None) -> Iterator[Case]:
    """List the models at hand."""
    read = [(sample, np.asarray(Image.open(sample.path).convert("RGB")))
            for sample in catalogue.photos()]  # fmt: skip
    for entry in catalogue.models():
        shown = [(sample.name.split("_")[0], pixels) for sample, pixels in read]
        photos: Photos = [(pixels, (name,)) for name, pixels in shown if name in entry.classes]
        yield Case(entry.name, entry.path, entry.options, "symmetric", photos, "built-in")
    if folder is None:
        return
    import skimage.data
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    cats = ("tabby", "tiger cat", "Egyptian cat")
    objects: Photos = [
        (skimage.data.chelsea(), cats),
        (skimage.data.coffee(), ("espresso", "cup", "coffee mug")),
        (skimage.data.rocket(), ("missile", "projectile", "space shuttle")),
        (china, ("palace", "monastery", "bell cote", "stupa")),
        (flower, ("daisy", "bee", "sea anemone", "vase", "pot")),
    ]
    both = folder.parent / "images" / "dog_and_cat.png"
    if both.is_file():
        pixels = np.asarray(Image.open(both).convert("RGB"))
        objects.append((pixels, (*cats, "bull mastiff", "boxer")))
    face: Photos = [(skimage.data.astronaut()[50:190, 155:295], ("happy",))]
    named = Options(classes=catalogue.imagenet_labels())
    for file, options, right, photos in (
        ("imagenet_mobilenet_v2.pth", named, "imagenet", objects),
        ("imagenet_mobilenet_v2.h5", named, "symmetric", objects),
        ("emotions_mini_xception.hdf5", Options(classes=EMOTIONS), "symmetric", face),
    ):
        if (folder / file).is_file():
            yield Case(file, folder / file, options, right, photos, file)


def measured(case: Case) -> tuple[list[Asking], str]:
    """Return what is asked of each photo under each preset, and which one the doctor names.

    What a model says under a preparation does not hang on the one that it was opened with, so it
    is asked once, and each preset in turn is taken for its own: with the class known, and without.
    """
    options = dataclasses.replace(case.options, preprocessing=case.right)
    model = load(case.path, options, name=case.name)
    rows = [examined(model, pixels, fits) for pixels, fits in case.photos]
    asked = []
    for trials in rows:
        for name in PRESETS:
            seen = opened_as(name, trials)
            blind = [dataclasses.replace(each, known=None) for each in seen]
            asked += [
                Asking(right=name == case.right, known=known, trials=each)
                for known, each in ((True, seen), (False, blind))
            ]
    return asked, doctor.named(rows)


def opened_as(name: str, trials: list[doctor.Trial]) -> list[doctor.Trial]:
    """Return the trials as those of the model opened under a preset, in the fit in use."""
    own = next(each for each in trials if each.own)
    grey = own.channels == "grey"
    wanted = (name, "grey" if grey else PRESETS[name].channels, own.fit, own.resize)
    return [
        dataclasses.replace(each, own=(each.preset, each.channels, each.fit, each.resize) == wanted)
        for each in trials
    ]


def examined(
    model: Any, pixels: NDArray[np.uint8], fits: tuple[str, ...], *, every: bool = True
) -> list[doctor.Trial]:
    """Return the trials of a photo; several classes may fit what it shows, as breeds of cats do.

    Without `every`, those under the fit in use alone.
    """
    known = [at for at, name in enumerate(model.labels) if name in fits]
    own = model.preprocessing
    plans = [(named, how) for named, how in doctor.tried(own)
             if every or (how.fit, how.resize) == (own.fit, own.resize)]  # fmt: skip
    found = [doctor.trial(model, pixels, named, how, known) for named, how in plans]
    return [each for each in found if each is not None]


def _line(name: str, right: str, best: str, counts: Counts) -> str:
    pairs = [f"{counts[at]} of {counts[at + 1]}" for at in range(0, 8, 2)]
    return f"| {name} | {right} | {best} | " + " | ".join(pairs) + " |"


def _page(rows: list[str], limits: list[str]) -> str:
    head = [
        "# The pre-processing doctor, measured",
        "",
        "Under *Is the photo prepared as in training?* the Offering tries the usual presets,",
        "channel orders and fits on the photo. It warns where another one is much more plausible",
        f"than the one in use: by {doctor.MARGIN:g} in the logarithm of the known class's",
        "probability or, where no class is known, in the model's entropy; one that gives the first",
        "batch normalisation what it never got in training is out of the question. Where the",
        "layers remember their training well, it also warns when what they get now is more than",
        f"{doctor.WORSE:g} times as far from it as under another preset.",
        "",
        "Each model is taken as opened under each of the five presets: a warning under the right",
        "one is a false alarm, a warning under a wrong one a hit. *Named* is the preset that is",
        "most plausible over all photos with their classes known, under the fit in use. Written by",
        "`python -m benchmarks.doctor FOLDER`.",
        "",
        "| model | trained with | named | false alarms, class known | hits, class known "
        "| false alarms, unknown | hits, unknown |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    end = [
        "",
        "Where a wrong preset goes unnoticed, the photo's answer hardly depends on it. One photo",
        "proves little: where several are at hand, try more than one.",
        "",
    ]
    more = [
        "",
        "## The limits, chosen on other models",
        "",
        "The lead, from where on statistics fit, and how many times worse the others' must be were",
        "chosen on these very models. Here each is left out, the three built-in ones together; the",
        "limits that have the least false alarms and misses in sum, by their shares, on the others",
        "are taken for it.",
        "",
        *limits,
    ]
    return "\n".join([*head, *rows, *end, *(more[1:] if limits else []), *([""] if limits else [])])


if __name__ == "__main__":
    main()
