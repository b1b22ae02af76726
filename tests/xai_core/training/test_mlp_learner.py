"""A dense network that learns: against torch's own layers, exact by its seed, small to record."""

import numpy as np
import pytest
import torch
from torch import nn

from xai_core.errors import ParamError
from xai_core.task import silent
from xai_core.training.checkpoints import Checkpoints
from xai_core.training.course import Turn, train
from xai_core.training.digits import Data, digits
from xai_core.training.mlp import MlpSettings
from xai_core.training.mlp_learner import MlpLearner, one_thread, rarely


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def few(count=300, held=100):
    """Return few of the digits, so that an epoch is over at once."""
    every = digits()
    probes = np.arange(0, held, 10)
    rows = np.arange(held) * (len(every.held_y) // held)
    return Data(every.x[:count], every.y[:count], every.held_x[rows], every.held_y[rows], probes)


def went(kept=None, turns=(), data=None, patience=0, **values):
    given = {"hidden_size": 16, "epochs": 4, "batch_size": 32} | values
    settings = MlpSettings(**given)
    learner = MlpLearner(settings, data or few())
    made = train(
        learner, epochs=settings.epochs, progress=silent, turns=turns, kept=kept, patience=patience
    )
    return made, learner


def test_the_digits_are_what_the_package_ships():
    every = digits()
    assert every.x.shape == (4000, 784)
    assert np.bincount(every.y).tolist() == [400] * 10
    assert np.bincount(every.held_y).tolist() == [100] * 10
    assert every.held_y[every.probes].tolist() == [n for n in range(10) for _ in range(10)]
    assert every.x.max() == 255
    assert not {row.tobytes() for row in every.x} & {row.tobytes() for row in every.held_x}
    ones = every.x[every.y == 1].mean(0).reshape(28, 28)
    assert ones[:, 10:18].sum() > 0.8 * ones.sum()  # a one is a stroke in the middle


def test_it_learns_as_torch_s_own_network_does():
    """The same weights, order and optimiser in torch's own layers give the same weights."""
    data = few()
    made, learner = went(epochs=1, data=data, layers=2, weight_decay=0.01)
    learner.start()
    net = nn.Sequential(
        nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10)
    )
    with torch.no_grad():
        for own, drawn in zip(net.parameters(), learner._weights, strict=True):
            own.copy_(drawn)
    optimiser = torch.optim.AdamW(net.parameters(), 0.001, weight_decay=0.01)
    order = torch.randperm(300, generator=learner._generator)
    taken, labels, _ = learner.settings.learned(data)
    x, y = torch.tensor(data.x[taken]).float()[order] / 255, torch.tensor(labels)[order]
    for at in range(0, 300, 32):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[at : at + 32]), y[at : at + 32]).backward()
        optimiser.step()
    with torch.no_grad():
        hidden = net[:2](torch.tensor(data.held_x[data.probes]).float() / 255).numpy()
        scores = net(torch.tensor(data.held_x).float() / 255)
        loss = nn.functional.cross_entropy(scores, torch.tensor(data.held_y))
    assert made.recording.curves["validation loss"][0] == pytest.approx(float(loss), abs=1e-5)
    frames = made.recording.frames["layer 1"]
    assert np.abs(frames.decoded()[0] - hidden).max() <= frames.steps[0] * 0.5 + 1e-5
    assert made.recording.arrays["each confusion"][0].sum() == 100
    right = float((scores.argmax(1).numpy() == data.held_y).mean())
    assert np.trace(made.recording.arrays["each confusion"][0]) == round(100 * right)


@pytest.mark.parametrize("optimiser", ["adam", "momentum", "sgd"])
def test_a_seed_repeats_it_exactly_and_a_branch_with_nothing_changed_too(optimiser):
    values = {"dropout": 0.3, "optimiser": optimiser, "learning_rate": 0.01}
    first, one = went(**values)
    _, two = went(**values)
    for name, weight in one.weights().items():
        assert np.array_equal(weight, two.weights()[name])
    kept = Checkpoints(one.state()[1] * 3)  # not room for all four
    went(kept, **values)
    assert 0 < len(kept) < 4
    same = {"learning_rate": 0.01, "dropout": 0.3, "weight_decay": 0.0}
    branch, three = went(kept, [Turn(1, same)], **values)
    for name, weight in one.weights().items():
        assert np.array_equal(weight, three.weights()[name]), name
    joined = branch.recording.after(first.recording).frames["layer 1"]
    assert np.array_equal(joined.decoded(), first.recording.frames["layer 1"].decoded())
    other, _ = went(seed=1, **values)
    assert not np.array_equal(other.recording.curves["training loss"][0],
                              first.recording.curves["training loss"][0])  # fmt: skip


def test_a_branch_may_change_some_values_only():
    kept = Checkpoints()
    first, _ = went(kept)
    slow, _ = went(kept, [Turn(1, {"learning_rate": 1e-6})])
    moved = np.abs(np.diff(first.recording.curves["training loss"]))[1:]
    assert np.ptp(slow.recording.curves["training loss"]) < moved.min() / 10
    with pytest.raises(ParamError, match="may change learning_rate, dropout, weight_decay"):
        went(turns=[Turn(1, {"hidden_size": 3})])
    with pytest.raises(ParamError, match=r"must be from 0 to 0\.9"):
        went(turns=[Turn(1, {"dropout": 2.0})])


def test_how_often_a_unit_is_active():
    coded = rarely(np.array([0, 1, 50, 99, 100]), 100)
    assert coded[[0, 4]].tolist() == [0, 255]
    assert all(0 < each < 255 for each in coded[1:4])
    made, learner = went(epochs=2)
    with torch.no_grad():
        active = (learner._forward(learner._x)[0] > 0).numpy()
    coded = made.recording.arrays["each active layer 1"][-1]
    assert np.array_equal(coded == 0, ~active.any(0))
    assert np.array_equal(coded == 255, active.all(0))


def test_wrong_labels_are_drawn_by_the_seed():
    data = digits()
    settings = MlpSettings(label_noise=0.4, share=0.5, seed=3)
    taken, labels, wrong = settings.learned(data)
    assert len(taken) == 2000
    assert wrong.sum() == 800
    assert np.array_equal(labels != data.y[taken], wrong)
    assert np.bincount(labels[wrong], minlength=10).min() > 40
    assert np.array_equal(labels, settings.learned(data)[1])


def test_a_rate_that_is_too_large_keeps_what_was_trained():
    large = {"learning_rate": 100.0, "weight_decay": 1.0}
    with pytest.raises(ParamError, match=r"learning rate is too large\. Nothing was trained"):
        went(optimiser="sgd", data=few(1000), **large)
    for kept in (Checkpoints(), None):
        went(kept, epochs=2, batch_size=300, optimiser="sgd")
        more = {"epochs": 30, "batch_size": 300, "optimiser": "sgd"}
        made, learner = went(kept, [Turn(1, large)], **more)
        assert 1 <= len(made.recording) < 28
        assert made.ended.startswith(f"In epoch {made.recording.last + 1} the training loss")
        assert all(np.isfinite(weight).all() for weight in learner.weights().values())


def test_any_pytorch_opens_the_file(tmp_path):
    _, learner = went(layers=2)
    net = torch.load(learner.save(tmp_path), weights_only=False)
    x = torch.tensor(few().held_x).float().reshape(-1, 1, 28, 28) / 255
    with torch.no_grad():
        assert np.array_equal(net(x).argmax(1).numpy(), learner.said())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": 201}, r"--epochs must be a whole number from 1 to 200"),
        ({"learning_rate": float("nan")}, r"--learning-rate must be from"),
        ({"hidden_size": 10**9}, r"--hidden-size must be from 4 to 1024 units"),
    ],
)
def test_values_out_of_range_are_refused(values, said):
    with pytest.raises(ParamError, match=said):
        MlpSettings(**values)
    with pytest.raises(ParamError, match="million values"):
        MlpSettings(layers=4, hidden_size=1024, epochs=200).sides(100)


def test_the_recording_of_the_default_is_small():
    """512 units x 100 digits: differences between epochs press well."""
    learner = MlpLearner(MlpSettings(), digits())
    learner.start()
    writer, sizes = learner.writers()["layer 1"], []
    for _ in range(6):
        learner.epoch(lambda done, total: None)
        writer.add(learner.activations()["layer 1"])
        sizes.append(writer.size)
    assert sizes[-1] < 6 * 51_200 * 0.6
