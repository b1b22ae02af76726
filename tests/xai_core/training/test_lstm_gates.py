"""What gates say: closed forms of memory, units put in order, days that are alike."""

import numpy as np
import pytest

from xai_core.training import lstm_gates


def test_memory_is_the_closed_form_of_a_leaky_cell() -> None:
    gate = np.tile([0.5, 0.9, 1.0, 0.0], (30, 1))
    steps = lstm_gates.memory(gate)
    assert steps[0] == pytest.approx(1 / np.log(2))
    assert 0.9 ** steps[1] == pytest.approx(np.exp(-1))
    assert steps[2] == np.inf
    assert steps[3] < 0.05
    # the mean of logs, and not the log of the mean: one shut day forgets all
    mixed = np.array([[1.0], [1e-6]])
    assert lstm_gates.memory(mixed)[0] == pytest.approx(-2 / np.log(1e-6))


def test_memory_is_said_with_its_spread() -> None:
    gate = np.tile(np.linspace(0.1, 0.99, 11), (30, 1))
    said = lstm_gates.remembered(gate, 20, "day").words
    assert f"{lstm_gates.memory(gate)[5]:.1f} days" in said
    assert "1 of 11 units remember for longer than the window of 20 days" in said
    assert lstm_gates.span(np.inf, "day") == "more than 1,000 days"


def test_units_stand_by_memory_or_beside_their_like() -> None:
    rng = np.random.default_rng(0)
    gate = np.tile([0.2, 0.9, 0.5], (9, 1))
    assert lstm_gates.order(gate, "by memory").tolist() == [1, 2, 0]
    assert lstm_gates.order(gate, "as is").tolist() == [0, 1, 2]
    waves = np.sin(np.arange(200)[:, None] / 9 + np.array([0, np.pi, 0, np.pi, 0, np.pi]))
    mixed = 0.5 + 0.3 * waves + rng.normal(0, 0.02, waves.shape)
    found = lstm_gates.order(mixed, "by likeness").tolist()
    assert sorted(found) == list(range(6))
    assert {each % 2 for each in found[:3]} in ({0}, {1})
    assert len({each % 2 for each in found[:3]}) == 1


def planted() -> np.ndarray:
    """Ten units that flicker, six of which do the same on days 40..44 and 120..124 alone."""
    rng = np.random.default_rng(1)
    gate = rng.random((200, 10))
    pattern = np.array([0.9, 0.1, 0.95, 0.05, 0.9, 0.1])
    for start in (40, 120):
        gate[start : start + 5, :6] = pattern
    return gate


def test_the_other_days_on_which_the_same_cells_behave_alike_are_found() -> None:
    found = lstm_gates.ask(planted(), 44, 40)
    assert set(range(6)) <= set(found.units.tolist())
    assert found.starts[0] == 120
    assert found.shares[0] > 0.9 > found.shares[1]
    assert found.shares[0] > found.chance
    said = found.words([f"day {at}" for at in range(200)])
    assert "day 120 to day 124" in said
    assert "more than chance gives" in said
    assert all(abs(int(start) - 40) >= 5 for start in found.starts)


def test_likeness_that_chance_gives_is_said_to_be_so() -> None:
    gate = np.random.default_rng(2).random((200, 10))
    found = lstm_gates.ask(gate, 100, 102)
    assert found.shares[0] <= found.chance
    assert "no more than chance" in found.words([str(at) for at in range(200)])
    none = lstm_gates.ask(gate[:, :1], 0, 150)
    assert len(none.starts) == 0
    assert "No unit stays" in none.words([str(at) for at in range(200)])
    whole = lstm_gates.ask(np.tile(gate[:1], (20, 1)), 0, 19)
    assert "no other span" in whole.words([str(at) for at in range(20)])
