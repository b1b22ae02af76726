"""Hide, keep, move or paste parts of a photo, one edit after another, and see what changes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from commands import _opened, _photo
from commands._files import write
from commands._waiting import wait
from loaders.preprocessing import Preprocessing
from workers.tasks.try_edit import TryEdit
from xai_core import params, render
from xai_core.probes._augmented import reduced
from xai_core.probes.edit_words import FORM, Edit
from xai_core.report import plates
from xai_core.report.edited import edited_facts, edited_sentences
from xai_core.report.page import document

DRAWS = params.declared(TryEdit)["draws"]


def flags(parser: argparse.ArgumentParser) -> None:
    """Take a model, a photo and the edits."""
    _opened.flags(parser)
    _photo.flags(parser)
    parser.add_argument(
        "--do",
        action="append",
        required=True,
        metavar="EDIT",
        help=f"{FORM}, in the photo's pixels once no side is longer than 1024; once for each edit",
    )
    parser.add_argument(DRAWS.flag, metavar=DRAWS.shape, help=DRAWS.help)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--report", action="store_true", help="write report.html, too: all of it, to read and print"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the photo after each edit and its first control, and return what the model said."""
    asked = [Edit.read(word) for word in args.do]  # refused before the model
    more = {} if args.draws is None else {"draws": DRAWS.parse("TryEdit", args.draws)}
    with _opened.opened(args) as model:
        labels, how = model.card.labels, Preprocessing.from_json(model.card.preprocessing)
        now = reduced(_photo.decoded(model, args.image)[0])
        size = (now.shape[0], now.shape[1])
        rows: list[dict[str, Any]] = []
        drawn, files = [], {}
        for number, edit in enumerate(asked, 1):
            part = reduced(_photo.decoded(model, edit.source)[0]) if edit.source else now
            whole = (part.shape[0], part.shape[1])
            edit = edit.on(whole, size)
            task = TryEdit(
                pixels=part,
                drawn=edit.drawn,
                act=edit.act,
                fill=edit.fill,
                into=now if edit.source else None,
                **more,
            )
            control = next(task.controls(how.geometry(size)))  # what is none is refused
            made = wait(model.handle.run(task), f"edit {number}")
            share = float(edit.drawn.area(whole).mean())
            said, words = edited_sentences(made, edit.act, share, labels), edit.words(whole)
            row = {"do": edit.word, "words": words, "share": share, "sentences": said}
            rows.append(row | edited_facts(made))
            before, now = now, task.edited()
            files[f"edited-{number}.png"] = render.png(now)
            files[f"elsewhere-{number}.png"] = render.png(control)
            shown = plates.edited_shown(made, (before, now, control), labels)
            drawn.append(plates.Plate(f"By hand: {words}", said, shown, columns=3))
        answer = {"size": list(size), "labels": list(labels), "edits": rows}
        text = json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
        files["edit.json"] = f"{text}\n".encode()
        if args.report:
            title = f"Tried on {args.image}"
            page = plates.page(title, model.word, args.image, drawn)
            files["report.html"] = document(title, page).encode()
        write(args.out, files)
        return answer | {"files": [str(args.out / name) for name in files]}
