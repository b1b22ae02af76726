"""Networks told stage by stage, from what ran in them."""

import pytest

from xai_core.stages import KINDS, Group, Ran, Stage, folded, kind_of, kinds, stages

C, N, R = "3 x 3 convolution", "batch normalisation", "ReLU"


def test_a_stage_is_what_runs_at_one_size():
    ran = [
        Ran(C, (8, 8), 4), Ran(R, (8, 8), 4), Ran("max pooling", (4, 4), 4), Ran(C, (4, 4), 6),
        Ran("global average pooling", (1, 1), 6), Ran("dense layer", (1, 1), 2),
    ]  # fmt: skip
    first, second, head = stages(ran)
    assert (first.title, first.line) == ("8 x 8 cells, 4 channels", "3 x 3 convolution, ReLU")
    assert (second.title, second.line) == (
        "4 x 4 cells, 4 to 6 channels", "max pooling; 3 x 3 convolution",
    )  # fmt: skip
    assert (head.title, head.line) == (
        "No map, between 2 and 6 numbers", "global average pooling; dense layer",
    )  # fmt: skip
    assert head.head
    assert not second.head
    assert kinds([first, second, head]) == [
        "convolution", "ReLU", "max pooling", "global average pooling", "dense layer",
    ]  # fmt: skip


def test_a_gate_without_a_map_stays_in_its_stage_and_what_is_not_known_too():
    ran = [
        Ran(C, (8, 8), 4), Ran("global average pooling", (1, 1), 4), Ran("sigmoid", (1, 1), 4),
        Ran("gate", (8, 8), 4), Ran("attention", None), Ran(C, (4, 4), 9), Ran("sum", None),
    ]  # fmt: skip
    assert [each.map_size for each in stages(ran)] == [(8, 8), (4, 4)]
    assert stages(ran)[0].channels == (4, 4)
    assert stages([Ran("dense layer", (1, 1), 7)])[0].title == "No map, 7 numbers"
    assert stages([]) == ()
    assert stages([Ran("attention", None)])[0].map_size == (1, 1)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([C, R, C, R, C, R], [(3, (C, R))]),
        ([C, N, R, C, N, "sum", R] * 2, [(2, (C, N, R, C, N, "sum", R))]),
        (["max pooling", C, C, "sum"], [(1, ("max pooling",)), (2, (C,)), (1, ("sum",))]),
        # a layer and what bends its numbers stay together
        ([C, N, C, N, R], [(1, (C, N, C, N, R))]),
        (["sum", R, C, R, C], [(1, ("sum", R, C, R, C))]),
        ([N, R, C, N, R, C], [(2, (N, R, C))]),
        ([], []),
    ],
)
def test_what_is_repeated_is_told_once(parts, told):
    found = folded(parts)
    assert [(group.times, group.parts) for group in found] == told
    again = [part for group in found for _ in range(group.times) for part in group.parts]
    assert again == parts


def test_only_what_has_a_sentence_is_told():
    assert kind_of("7 x 7 depthwise convolution") == "depthwise convolution"
    assert kind_of("1 x 1 convolution") == "1 x 1 convolution"
    assert kind_of("<b>convolution") is None
    assert kind_of("99999 x 1 convolution") is None
    for bad in ((0, (C,)), (1, ()), (1, ("anything",))):
        with pytest.raises(ValueError, match="no layers"):
            Group(*bad)
    for size, channels in (((0, 1), (1, 1)), ((2, 2), (3, 1))):
        with pytest.raises(ValueError, match="no size"):
            Stage(size, channels, ())
    for sentence in KINDS.values():
        assert sentence[0].islower()
        assert not sentence.endswith(".")


def test_a_stage_whose_width_is_not_known_names_none():
    head = Stage((1, 1), (0, 0), (Group(1, ("dense layer",)),))
    maps = Stage((7, 5), (0, 0), (Group(1, ("ReLU",)),))
    assert (head.title, maps.title) == ("No map", "7 x 5 cells")
