"""The one table of kinds: what each imports, what it serves, and that nobody is left out."""

import dataclasses
import importlib.util
from typing import get_args

import pytest

from loaders import catalogue
from tests.workers.conftest import EXTENSION
from tests.workers.extension.tasks.keeping import Modules
from workers import kinds
from xai_core.explainer import explainers
from xai_core.task import Task, Wants, tasks

FRAMEWORKS = {"torch", "torchvision", "tensorflow", "keras", "tf_keras", "onnxruntime", "xplique"}


def test_a_kind_is_found_by_its_name():
    assert all(kinds.kind(name) is kind and kind.name == name for name, kind in kinds.KINDS.items())


def test_every_want_is_served():
    served = {wants for kind in kinds.KINDS.values() for wants in kind.serves}
    assert served == set(get_args(Wants))
    for cls in tasks().values():
        assert cls.worker in served, cls
    for method in explainers().values():
        for engine in method.engines:
            assert engine.worker in served, engine


def test_whoever_reads_model_files_serves_what_wants_a_model():
    for kind in kinds.KINDS.values():
        if kind.reads:
            assert "model" in kind.serves
            assert kind.adapters
    assert {entry.framework for entry in catalogue.models()} <= {
        name for name, kind in kinds.KINDS.items() if kind.reads
    }


def test_no_want_of_a_framework_is_served_by_two():
    for wants in set(get_args(Wants)) - {"model"}:
        assert sum(wants in kind.serves for kind in kinds.KINDS.values()) == 1, wants


@pytest.mark.parametrize("name", kinds.KINDS)
def test_what_a_kind_imports_is_there(name):
    kind = kinds.KINDS[name]
    for module in (*kind.imports, *kind.adapters, *kinds.OURS):
        assert importlib.util.find_spec(module) is not None, module
    assert FRAMEWORKS & set(kind.imports) or name == kinds.NONE


def test_a_plain_worker_holds_no_framework(hold):
    loaded = set(hold().run(Modules()).result(60).words)
    assert not FRAMEWORKS & loaded
    assert {"workers.worker", *kinds.OURS} <= loaded
    found = {cls.__module__ for cls in tasks().values()}
    assert {each for each in found if each.startswith(("workers.", EXTENSION))} <= loaded


def test_a_task_that_nobody_serves_is_seen(monkeypatch):
    """The control: a kind that served less would leave somebody out."""
    less = dataclasses.replace(kinds.KINDS["both"], serves=("model",))
    monkeypatch.setitem(kinds.KINDS, "both", less)
    with pytest.raises(AssertionError):
        test_every_want_is_served()


def test_a_task_wants_one_of_the_wants():
    for cls in tasks().values():
        assert issubclass(cls, Task)
        assert cls.worker in get_args(Wants)
