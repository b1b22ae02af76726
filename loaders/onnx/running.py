"""The photo's way in: the size and the batch that a graph runs on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loaders import heads
from loaders.onnx import outputs, scaling
from loaders.onnx.entry import SIZES, Entry, entries
from loaders.onnx.graph import Graph
from loaders.onnx.outputs import Scores
from loaders.onnx.session import Network, reason
from loaders.preprocessing import MAX_SIZE, Options
from xai_core.checks import refusal
from xai_core.errors import UnsupportedModel
from xai_core.model import Finding

Array = NDArray[np.float32]

MAX_BATCH = 512
"""The most photos that a graph may want at once."""


def running(
    graph: Graph, opened: Any, readable: Sequence[Scores], options: Options
) -> tuple[Network, list[Scores], tuple[Finding, ...]]:
    """Return a network that runs on photos, the scores among its answers, what to say of it."""
    first = ""
    listed = entries(graph, opened.get_inputs(), options)
    refuse_large(listed[0])
    fixed = listed[0].size
    if fixed and options.size and options.size != fixed:
        height, width = fixed
        raise refusal("size", f"{height}x{width}, which the graph has fixed", options.size)
    tried: list[str] = []
    for entry in listed:
        own = entry.size or options.size or scaling.metadata_size(graph)
        for size in [own] if own else [(side, side) for side in SIZES]:
            network = Network(opened, entry, size)
            for alone in (False,) if network.fixed else (False, True):
                if alone:
                    network.alone()
                found, why, final = _attempt(network, graph, readable)
                if found:
                    return network, found, _sayings(graph, network, options, alone)
                first = first or why
                if final and (own or not alone):
                    raise UnsupportedModel(why)
            tried.append(
                f"{size[0]} x {size[1]} pixels with {entry.channels} "
                f"channel{'s' * (entry.channels > 1)}"
            )
    raise UnsupportedModel(f"The network does not run on photos of {tried[0]}: {first}")


def _attempt(
    network: Network, graph: Graph, readable: Sequence[Scores]
) -> tuple[list[Scores], str, bool]:
    """Return the scores among what the network gives, else why there are none, and if for good."""
    count = network.step if network.fixed else 2
    photos = np.zeros((count, *network.size, network.entry.channels), np.float32)
    wanted = [row.name for row in readable]
    try:
        values = [parts[0] for parts in network.run(photos, wanted)]
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's own errors share no base but this
        return [], f"onnxruntime says '{reason(error)}'.", False
    given = {row.name: value for row, value in zip(readable, values, strict=True)}
    answers = [name for name in graph.outputs if name in given]
    declared = [given[name] for name in answers]
    if outputs.holds_boxes(declared, answers, count):
        return [], outputs.refusal(declared, answers), True
    found = [
        dataclasses.replace(row, units=outputs.units(value, count))
        for row, value in zip(readable, values, strict=True)
    ]
    found = [row for row in found if row.units]
    # More rows than photos: the size is another, or the photos go one by one.
    other = any(np.ndim(value) in (1, 2) and len(value) != count for value in declared)
    return found, outputs.refusal(declared, graph.outputs), not other


def _sayings(graph: Graph, network: Network, options: Options, alone: bool) -> tuple[Finding, ...]:
    entry, size = network.entry, network.size
    said = list(entry.findings)
    if network.fixed:
        how = "one photo" if network.step == 1 else f"{network.step} photos"
        why = "gives an answer only" if alone else "is exported"
        said.append(
            Finding(
                "info",
                f"The graph {why} for {how} at a time: methods that ask about many masked photos "
                "take longer. Export it with a dynamic batch to save the time.",
            )
        )
    if not entry.size and not options.size:
        known = scaling.metadata_size(graph)
        if not known:
            said.append(
                Finding(
                    "warning",
                    f"The graph does not say the size of its photos: {size[0]} x {size[1]} pixels "
                    "is the first usual one that it runs on. If it was trained on another, give "
                    "it (--size).",
                    "size",
                )
            )
    return tuple(said)


def apart(
    network: Network, probes: Array, name: str, answers: Array
) -> tuple[Array, tuple[Finding, ...]]:
    """Send photos one by one from now on where a batch mixes them; return the answers again."""
    if network.fixed or np.ptp(answers) == 0 or not np.isfinite(answers).all():
        return answers, ()
    (single,) = network.rows(probes[:1], name)
    if np.allclose(single, answers[:1], atol=1e-2 * float(np.abs(answers[:1]).max())):
        return answers, ()
    network.alone()
    said = (
        "In a batch the network's answer to a photo depends on the others, so photos go through it "
        "one by one, which takes longer."
    )
    (again,) = network.rows(probes, name)
    return again, (Finding("warning", said, "mode"),)


def probes(entry: Entry, size: tuple[int, int]) -> Array:
    """Return inputs that give a guess about the head away, float32 `[8, h, w, channels]`."""
    made = heads.probes(size, entry.channels)
    return 64 * made + 128 if entry.whole else made


def refuse_large(entry: Entry) -> None:
    """Raise UnsupportedModel for photos or batches of a size that no classifier takes."""
    if (entry.batch or 1) > MAX_BATCH:
        raise UnsupportedModel(
            f"The graph takes {entry.batch:,} photos at a time, and {MAX_BATCH} are the most that "
            "are run here. Export it with a dynamic batch."
        )
    if entry.size and max(entry.size) > 2 * MAX_SIZE:
        raise UnsupportedModel(
            f"The graph takes photos of {entry.size[0]:,} x {entry.size[1]:,} pixels, and "
            f"{2 * MAX_SIZE:,} a side are the most that are shown here."
        )
