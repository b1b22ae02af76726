"""A recording: 8 bits a value, coded by differences, within bounds, and nothing else lost."""

import dataclasses
import io

import numpy as np
import pytest

from xai_core import plain
from xai_core.errors import ParamError
from xai_core.training.recording import EPOCHS, Frames, Recording, Writer, gives, room


def written(values, **how):
    writer = Writer(**how)
    shown = [writer.add(each) for each in values]
    return writer.made(), shown


def drifting(epochs=12, rows=7, columns=5, seed=0):
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(epochs, rows, columns)) * 0.1
    return np.maximum(0, 1 + steps.cumsum(0)).astype(np.float32)


def test_a_value_comes_back_within_half_a_step():
    values = drifting()
    frames, shown = written(values)
    assert np.array_equal(frames.coded(), shown)
    gap = np.abs(frames.decoded() - values)
    assert (gap <= frames.steps[:, None, None] * 0.5001).all()
    assert frames.steps[0] == pytest.approx(values[0].max() * 1.25 / 255)
    assert (frames.decoded()[values == 0] == 0).all()
    assert np.array_equal(frames.column(3), frames.decoded()[:, :, 3])
    assert np.array_equal(frames.epoch(-1), frames.decoded()[-1])


def test_a_scale_doubles_when_an_epoch_outgrows_it_and_never_shrinks():
    values = drifting(4)
    values[2] *= 9
    frames, _ = written(values)
    ratio = frames.steps / frames.steps[0]
    assert np.array_equal(np.log2(ratio), np.round(np.log2(ratio)))
    assert ratio[2] >= 8
    assert ratio[3] == ratio[2]
    assert frames.whole.tolist() == [True, False, True, False]
    assert np.abs(frames.decoded() - values).max() <= frames.steps[2] / 2 * 1.0001


def test_signed_values_keep_their_zero():
    values = np.array([[[-1.0, 0.0, 0.5]]], np.float32)
    frames, _ = written(values, top=1, signed=True)
    assert frames.decoded()[0, 0] == pytest.approx([-1, 0, 0.5], abs=0.5 / 127)
    assert frames.decoded()[0, 0, 1] == 0


def test_a_layer_that_is_silent_from_the_start_has_a_scale():
    frames, _ = written(np.zeros((3, 2, 2), np.float32))
    assert not frames.decoded().any()
    assert (frames.steps > 0).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ends": np.array([3, 2], np.int64)}, "end elsewhere"),
        ({"ends": np.array([1, 3], np.int64)}, "end elsewhere"),
        ({"whole": np.array([False, False])}, "do not fit"),
        ({"steps": np.array([1, np.inf], np.float32)}, "without a scale"),
        ({"steps": np.array([1, 0], np.float32)}, "without a scale"),
        ({"sides": (1 << 14, 1 << 14)}, "frames of 2 x"),
    ],
)
def test_frames_that_are_none_are_refused(change, said):
    frames, _ = written(drifting(2))
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(frames, **change)


def test_a_stream_that_swells_is_refused_before_it_fills_the_memory():
    import zlib

    bomb = np.frombuffer(zlib.compress(bytes(1 << 26)), np.uint8)
    ends, whole = np.array([bomb.size]), np.array([True])
    frames = Frames(bomb, ends, whole, np.ones(1, np.float32), (2, 3))
    with pytest.raises(ValueError, match="damaged"):
        frames.coded()


def recorded(first=0, epochs=4, seed=0):
    frames, _ = written(drifting(epochs, seed=seed))
    return Recording(
        frames={"layer 1": frames},
        curves={"loss": np.arange(first, first + epochs, dtype=np.float32)},
        arrays={"each norm": np.full((epochs, 2), first, np.float32), "weight 1": np.eye(2)},
        first=first,
        chosen=first + epochs - 1,
        words={"data": "digits"},
    )


def test_a_branch_goes_on_where_it_left():
    parent, branch = recorded(), recorded(first=2, epochs=3, seed=1)
    whole = branch.after(parent)
    assert (len(whole), whole.first, whole.last) == (5, 0, 4)
    old, new = parent.frames["layer 1"].coded(), branch.frames["layer 1"].coded()
    assert np.array_equal(whole.frames["layer 1"].coded(), np.concatenate([old[:2], new]))
    assert whole.curves["loss"].tolist() == [0, 1, 2, 3, 4]
    assert whole.arrays["each norm"][:, 0].tolist() == [0, 0, 2, 2, 2]
    with pytest.raises(ValueError, match="another training"):
        recorded(first=6).after(parent)


def test_it_crosses_the_wall_as_declared():
    made = recorded()
    data, arrays = made.to_wire()
    again = plain.unpack(Recording, data, arrays)
    assert np.array_equal(again.frames["layer 1"].coded(), made.frames["layer 1"].coded())
    declared = gives({"layer 1": 35})
    for name, array in arrays.items():
        if not name.startswith("arrays."):
            shape = declared.get(name) or declared["curves.*"]
            assert shape.refusal(array, {}) == ""


def test_parts_that_differ_in_their_epochs_are_refused():
    made = recorded()
    with pytest.raises(ValueError, match="differ in their epochs"):
        dataclasses.replace(made, curves={"loss": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="epochs"):
        dataclasses.replace(made, first=EPOCHS)


def test_what_is_taken_away_holds_the_recording():
    made = recorded()
    with np.load(io.BytesIO(made.npz()), allow_pickle=False) as file:
        assert np.array_equal(file["layer 1"], made.frames["layer 1"].coded())
        assert np.array_equal(file["epoch"], [0, 1, 2, 3])
        assert file["words"].tolist() == ["data: digits"]
        values = (file["layer 1"] - file["layer 1 zero"]) * file["layer 1 step"][:, None, None]
    assert values == pytest.approx(made.frames["layer 1"].decoded())
    holed = dataclasses.replace(made, curves={"loss": np.array([1, np.nan, 0, 2], np.float32)})
    assert holed.csv().splitlines() == ["epoch,loss", "0,1", "1,", "2,0", "3,2"]


def test_room_is_told_beforehand():
    assert room([(100, 512)], 100) == 5_120_000
    with pytest.raises(ParamError, match="would have 82 million"):
        room([(100, 1024)] * 4, 200)
