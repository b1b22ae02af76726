"""Which of a network's answers holds the class scores: a tensor, or one of a tuple, dict or object.

A name that says so decides, then the number of classes, then the operation that made it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from loaders.torch.origin import kind, leads_to
from loaders.torch.watch import step_of
from xai_core.errors import ParamError
from xai_core.model import Finding

MAX_ANSWERS = 64
"""The most tensors of an answer that are looked at."""

_NAMES = ("logits", "scores", "prediction", "predictions", "preds", "pred", "cls", "output", "out")
_BESIDE = re.compile(
    r"aux|feature|embed|hidden|attention|loss|repr|latent|code|distill"
    r"|bbox|box(es)?$|(^|[._])age|coord|landmark|keypoint|offset|regress"
)


@dataclasses.dataclass(frozen=True)
class Choice:
    """The answer that is taken: its path in the network's answer, and what to say of it."""

    path: tuple[str, ...]
    scores: Any
    findings: tuple[Finding, ...] = ()


def tensors(answer: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return the tensors of an answer with the names or numbers that lead to each."""
    import torch

    if isinstance(answer, torch.Tensor):
        return [(path, answer)]
    found: list[tuple[tuple[str, ...], Any]] = []
    if len(path) < 4:
        for key, item in _parts(answer):
            found += tensors(item, (*path, key))
            if len(found) > MAX_ANSWERS:
                break
    return found[:MAX_ANSWERS]


def _parts(answer: Any) -> list[tuple[str, Any]]:
    if isinstance(answer, Mapping):
        return [(str(key), item) for key, item in list(answer.items())[:MAX_ANSWERS]]
    if fields := getattr(answer, "_fields", None):
        return [(str(field), getattr(answer, field)) for field in fields]
    if isinstance(answer, (list, tuple)):
        return [(str(place), item) for place, item in enumerate(answer[:MAX_ANSWERS])]
    if dataclasses.is_dataclass(answer):
        return [(each.name, getattr(answer, each.name)) for each in dataclasses.fields(answer)]
    if answer is None or isinstance(answer, (int, float, str, bytes)):
        return []
    return list(getattr(answer, "__dict__", {}).items())[:MAX_ANSWERS]


def at(answer: Any, path: Sequence[str]) -> Any:
    """Return the tensor that a path of `tensors` leads to."""
    for key in path:
        answer = dict(_parts(answer))[key]
    return answer


def rows(tensor: Any, photos: int) -> Any:
    """Return a tensor as `[photos, classes]`, or None where it is not one row a photo."""
    if not (tensor.is_floating_point() and tensor.numel()):
        return None
    if len(tensor.shape) and len(tensor) == photos:
        wide = [side for side in tensor.shape[1:] if side != 1]
        return tensor.reshape(photos, -1) if len(wide) <= 1 else None
    if photos == 1 and tensor.ndim <= 1:  # squeezed: a photo's scores without the photo
        return tensor.reshape(1, -1)
    return None


def choose(answer: Any, photos: int, *, asked: str = "", classes: int = 0) -> Choice | None:
    """Return the answer that holds class scores; None where there is none.

    `asked` is its name or number, `classes` how many there are, where that is known. Raises
    ParamError for one that is asked for and not there.
    """
    every = tensors(answer)
    held = [(path, scores) for path, t in every if (scores := rows(t, photos)) is not None]
    if asked:
        return _asked(asked, every, held)
    if not held:
        return None
    (path, scores), why, sure = _best(held, every, classes)
    if len(every) < 2:
        return Choice(path, scores)
    said = (
        f"The network gives {len(every)} answers ({_shown(every)}): {_name(path)!r} is taken as "
        f"the class scores, {why}. "
        + ("Another can be chosen" if sure else "If another holds them, choose it")
        + " (--output)."
    )
    return Choice(path, scores, (Finding("info" if sure else "warning", said, "output"),))


Held = tuple[tuple[str, ...], Any]


def _asked(asked: str, every: list[Held], held: list[Held]) -> Choice:
    named = {_name(path): (path, scores) for path, scores in held}
    chosen = named.get(asked)
    if chosen is None and asked.isdecimal() and len(asked) < 4 and int(asked) < len(every):
        chosen = named.get(_name(every[int(asked)][0]))
    if chosen is None:
        can = ", ".join(name or "0" for name in list(named)[:8]) or "none"
        raise ParamError(
            f"--output must be the name or number of an answer with one row of scores a photo "
            f"({can}), got {asked[:60]!r}"
        )
    said = f"{_name(chosen[0]) or '0'!r} is taken as the class scores, as was said (--output)."
    return Choice(*chosen, (Finding("info", said, "output"),) if len(every) > 1 else ())


def _best(held: list[Held], every: list[Held], classes: int) -> tuple[Held, str, bool]:
    if len(held) == 1:
        return held[0], "the only one with one row a photo", True
    if classes:
        fitting = [each for each in held if each[1].shape[1] == classes]
        if len(fitting) == 1:
            return fitting[0], f"the only one with {classes} numbers a photo", True
        held = fitting or held
    for name in _NAMES:
        named = [each for each in held if each[0] and each[0][-1].lower() == name]
        if len(named) == 1:
            return named[0], "by its name", True
    plain = [each for each in held if not _BESIDE.search(_name(each[0]).lower())] or held
    steps = {path: step_of(tensor) for path, tensor in every}
    kinds = {path: kind(steps[path]) for path, _ in held}

    def feeds(each: Held) -> bool:
        """Say whether it went into another that is more than its softmax."""
        return any(
            kinds[other[0]] in (None, "logits") and leads_to(steps[each[0]], steps[other[0]])
            for other in plain
            if other is not each
        )

    last = [each for each in plain if not feeds(each)] or plain
    # Scores and their softmax: the scores, which lose nothing.
    last = [each for each in last if kinds[each[0]] in (None, "logits")] or last
    scores = [each for each in last if kinds[each[0]] == "logits"]
    left = scores if len(scores) == 1 else last
    left = [each for each in left if each[1].shape[1] > 1] or left  # one number may be a quantity
    if len(left) > 1:
        return left[0], f"the first of {len(left)} that may hold them", False
    if len(plain) == 1 < len(held):
        return left[0], "by the others' names", True
    return left[0], "as the operations that made it tell", True


def _name(path: Sequence[str]) -> str:
    return "".join(letter for letter in ".".join(path)[:60] if letter.isprintable())


def _shown(every: list[Held]) -> str:
    rows = [f"{_name(path)} {list(tensor.shape[1:])}" for path, tensor in every[:4]]
    return ", ".join(rows) + (", ..." if len(every) > 4 else "")
