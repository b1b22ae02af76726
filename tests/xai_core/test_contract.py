"""The contract of a method, held over every method that is discovered and each of its engines."""

import dataclasses
import inspect
import math
from typing import Any

import numpy as np
import pytest

from loaders import backend
from loaders.torch import forward
from tests.fakes import tiny
from xai_core.errors import ParamError, UnsupportedModel
from xai_core.explainer import Explainer, explaining, make
from xai_core.layers import default_layer
from xai_core.params import Param
from xai_core.target import ClassTarget

METHODS = explaining("classification")
ENGINES = [(name, engine.name) for name, cls in METHODS.items() for engine in cls.engines]
PARAMETERS = [
    (name, engine, field)
    for name, engine in ENGINES
    for field, param in METHODS[name].declared().items()
    if not param.engines or engine in param.engines
]


@pytest.fixture(scope="module")
def models() -> list[Any]:
    network = tiny.torch_model()
    network._forward.shared.refused = "what it runs instead is not counted"
    return [network, tiny.keras_model()]


def serving(models: list[Any], name: str, engine: str) -> Any:
    """Return a model that the engine serves."""
    (chosen,) = (each for each in METHODS[name].engines if each.name == engine)
    for model in models:
        if not METHODS[name].why_not(model) and not chosen.why_not(model):
            return model
    raise AssertionError(f"no test model for {name} by {engine}")


def test_methods_are_found() -> None:
    assert {"grad-cam", "occlusion"} <= METHODS.keys()


@pytest.mark.parametrize("name", METHODS)
def test_says_what_it_is(name: str) -> None:
    cls = METHODS[name]
    assert cls.title
    assert cls.reference.startswith(("arXiv:", "doi:", "https://"))
    assert cls.engines
    assert cls.needs
    assert inspect.getdoc(cls)
    for param in cls.declared().values():
        assert param.help.endswith("."), param.name


def bad_values(param: Param) -> list[Any]:
    match param.kind:
        case "integer":
            return [int(param.lo) - 1, int(param.hi) + 1, param.lo + 0.5, "x", None, True]
        case "real":
            return [param.lo - 1, param.hi + 1, math.nan, math.inf, "x", None, True]
        case "switch":
            return [1, "true", None]
        case "choice":
            return ["", "nonsense", 3, None]
    return [3, None]


@pytest.mark.parametrize("name", METHODS)
def test_bad_values_are_refused(name: str) -> None:
    cls = METHODS[name]
    for field, param in cls.declared().items():
        for value in bad_values(param):
            with pytest.raises(ParamError) as caught:
                cls(**{field: value})
            message = str(caught.value)
            assert message.startswith(f"{cls.__name__}.{field} must be {param.rule}, got "), message
            if param.unit:
                assert param.unit in message


@pytest.mark.parametrize("name", METHODS)
def test_declared_ends_are_in_range_and_frozen(name: str) -> None:
    cls = METHODS[name]
    method = cls()
    for param in cls.declared().values():
        param.validate(cls.__name__, param.default)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, param.name, param.default)
    with pytest.raises(ParamError, match=r"engine must be one of .*, got 'nobody'"):
        cls(engine="nobody")


def other(method: Explainer, param: Param, model: Any) -> Any:
    """Return another value of a parameter that the same model can serve."""
    now = getattr(method, param.name)
    match param.kind:
        case "integer":
            return now + 1 if now == param.lo or param.name.startswith("patch") else now - 1
        case "real":
            if param.name == "ratio":
                return 0.2  # half of the channels twice are all of them
            return param.hi if now < (param.lo + param.hi) / 2 else (param.lo + now) / 2
        case "switch":
            return not now
        case "choice":
            return next(option for option in param.options if option != now)
    return model.layers()[0].name


BESIDE = {
    "stop_at_gap": {"steps": 2, "largest_gap": 0.01},
    "largest_gap": {"steps": 2, "largest_gap": 0.01, "stop_at_gap": True},
}
"""What else must be set, so that a parameter has something to say."""


@pytest.mark.parametrize(("name", "engine", "field"), PARAMETERS)
def test_every_parameter_changes_the_map(
    models: list[Any], name: str, engine: str, field: str
) -> None:
    model = serving(models, name, engine)
    target, view = ClassTarget(1), tiny.view(4)
    first = make(name, BESIDE.get(field, {}), engine=engine, size=model.input_size)
    param = first.declared()[field]
    values = {key: getattr(first, key) for key in first.declared()}
    honoured = {
        key: value
        for key, value in values.items()
        if not first.declared()[key].engines or engine in first.declared()[key].engines
    }
    second = make(name, honoured | {field: other(first, param, model)}, engine=engine)
    before = first.explain(model, view, target).attribution
    after = second.explain(model, view, target).attribution
    if param.pace:
        np.testing.assert_allclose(before, after, atol=1e-5 * np.abs(before).max())
    else:
        assert not np.allclose(before, after, atol=1e-6)


@pytest.mark.parametrize(("name", "engine"), ENGINES)
def test_explanation_is_whole(models: list[Any], name: str, engine: str) -> None:
    model = serving(models, name, engine)
    method = make(name, {}, engine=engine, size=model.input_size)
    view = tiny.view(1)
    seen = view.copy()
    result = method.explain(model, view, ClassTarget(2))
    assert result.attribution.dtype == np.float32
    assert result.attribution.shape == model.input_size
    assert np.isfinite(result.attribution).all()
    assert result.signed or result.attribution.min() >= -1e-6
    assert result.engine == engine
    used = {key: getattr(method, key) for key in method.declared()}
    if "layer" in used:
        used["layer"] = default_layer(model)  # what was used is said, never ""
    assert result.parameters == used
    np.testing.assert_array_equal(view, seen)
    with pytest.raises(ValueError, match="read-only"):
        result.attribution[0, 0] = 1
    again = make(name, {}, engine=engine, size=model.input_size).explain(
        model, view, ClassTarget(2)
    )
    np.testing.assert_array_equal(result.attribution, again.attribution)


@pytest.mark.parametrize("name", METHODS)
def test_passes_are_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # on a busy machine even this network may seem worth another backend, whose passes none counts
    monkeypatch.setattr(backend, "REPAYS", float("inf"))
    monkeypatch.setattr(forward, "JOINED_FROM", 1 << 30)
    model = serving([tiny.torch_model()], name, "ours")  # which no other test has sent to one
    method = make(name, {}, size=model.input_size)
    # what is found out once is not counted; and of the last photo something is kept
    method.explain(model, tiny.view(7), ClassTarget(0))
    passes = 0

    def count(module: Any, args: Any) -> None:
        nonlocal passes
        passes += len(args[0])

    handle = model.native().register_forward_pre_hook(count)
    steps: list[tuple[int, int]] = []
    try:
        result = method.explain(
            model,
            tiny.view(),
            ClassTarget(0),
            progress=lambda done, total, partial=None: steps.append((done, total)),
        )
    finally:
        handle.remove()
    cost = method.cost(model)
    assert passes == cost.forward
    assert result.passes <= cost.passes == passes + cost.rest
    assert steps[-1] == (cost.passes, cost.passes)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


@pytest.mark.parametrize("name", METHODS)
def test_targets_and_views_are_checked(models: list[Any], name: str) -> None:
    model = serving(models[:1], name, "ours")
    method = make(name, {}, size=model.input_size)
    with pytest.raises(ParamError, match=r"Target must be from 0 to 2, .*got 3"):
        method.explain(model, tiny.view(), ClassTarget(3))
    with pytest.raises(ParamError, match="got an array"):
        method.explain(model, tiny.view()[:-1], ClassTarget(0))


@pytest.mark.parametrize("name", METHODS)
def test_against_and_probability_are_other_questions(models: list[Any], name: str) -> None:
    model = serving(models[:1], name, "ours")
    method = make(name, {}, size=model.input_size)
    maps = [
        method.explain(model, tiny.view(), target).attribution
        for target in (ClassTarget(0), ClassTarget(0, against=1), ClassTarget(0, of="probability"))
    ]
    assert np.any(maps[0])
    for other in maps[1:]:
        if METHODS[name].class_agnostic:
            np.testing.assert_array_equal(maps[0], other)
        else:
            assert not np.allclose(maps[0], other)


@pytest.mark.parametrize(("name", "engine"), ENGINES)
def test_engines_of_the_other_framework_say_why_not(
    models: list[Any], name: str, engine: str
) -> None:
    (chosen,) = (each for each in METHODS[name].engines if each.name == engine)
    for model in models:
        if reason := chosen.why_not(model):
            assert reason.endswith(".")
            with pytest.raises(UnsupportedModel, match=reason[:20]):
                make(name, {}, engine=engine, size=model.input_size).explain(
                    model, tiny.view(), ClassTarget(0)
                )


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ParamError, match=r"A method must be one of .*, got 'magic'"):
        make("magic", {})
    with pytest.raises(ParamError, match="GradCAM has no parameter 'masks'"):
        make("grad-cam", {"masks": 3})
    with pytest.raises(ParamError, match=r"GradCAM.relu is honoured by ours only, .* is grad-cam"):
        make("grad-cam", {"relu": False}, engine="grad-cam")
