"""The lists of names that a Keras file may mention, held against hostile configurations."""

import copy

import pytest

from loaders.keras import audit as module
from loaders.keras.audit import audit
from xai_core.errors import LoadError, UnsupportedModel

DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "registered_name": None,
    "config": {
        "name": "dense",
        "units": 3,
        "activation": "softmax",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
    },
}


def model(*layers):
    return {"class_name": "Sequential", "config": {"name": "net", "layers": list(layers)}}


def changed(**values):
    layer = copy.deepcopy(DENSE)
    layer.update(values)
    return layer


def test_keras_own_layers_pass():
    audit(model(DENSE, model(DENSE)))


def test_tensorflows_initializers_pass_and_nothing_else_of_theirs():
    module = "tensorflow.python.ops.init_ops_v2"
    audit(model(changed(config={"init": {"class_name": "Constant", "module": module}})))
    with pytest.raises(LoadError, match=r"init_ops_v2\.Dense is not one"):
        audit(model(changed(module=module)))


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (changed(class_name="Lambda"), "The layer Lambda carries Python code"),
        (changed(class_name="TFSMLayer"), "loads a second program"),
        (changed(class_name="TorchModuleWrapper"), "unpickles"),
        (changed(class_name="TensorFlowOpLayer"), "any TensorFlow operation"),
        (changed(class_name="MyLayer"), "The layer MyLayer is not one of Keras's own"),
        (changed(class_name="TextVectorization"), "TextVectorization is not one"),
        (changed(class_name="Custom>Mine"), "Custom>Mine is not one"),
        (changed(registered_name="Mine>Dense"), "registered as Mine>Dense"),
        (changed(module="os.path"), "os.path.Dense is not one"),
        (changed(module="keras_hub.layers"), "keras_hub.layers.Dense is not one"),
        (changed(class_name=["Dense"]), "is not one of Keras's own"),
        (changed(config={"activation": "evil"}), "activation function evil is not one"),
        (
            changed(config={"activation": {"class_name": "function", "config": "system"}}),
            "The function system is not one",
        ),
        (
            changed(
                config={
                    "activation": {
                        "class_name": "function",
                        "config": "relu",
                        "module": "os",
                        "registered_name": "relu",
                    }
                }
            ),
            "The function relu is not one",
        ),
        (changed(config={"units": {"class_name": "__lambda__", "config": {}}}), "a Python lambda"),
        (
            {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}},
            "TensorFlow function io.write_file is not one",
        ),
        (
            changed(class_name="Map", module="keras.src.ops.core"),
            "The operation Map is not one",
        ),
        (
            {"class_name": "TrueDivide", "config": {"name": "true_divide"}},
            "holds the operation TrueDivide, which Keras writes in that format and cannot read",
        ),
    ],
)
def test_what_is_refused_is_named(layer, said):
    with pytest.raises(LoadError) as refused:
        audit(model(DENSE, model(layer)))
    assert said in str(refused.value)


def test_a_class_of_its_own_is_refused_with_the_way_out():
    own = {"class_name": "MyNet", "module": "nets", "registered_name": "Custom>MyNet", "config": {}}
    with pytest.raises(LoadError, match=r"a MyNet \(registered as Custom>MyNet\).*Send the source"):
        audit(own)


def test_a_name_out_of_a_file_is_cut_and_printable():
    with pytest.raises(LoadError) as refused:
        audit(model(changed(class_name="A\x1b[31m\n" + "B" * 10_000)))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_channels_first_is_refused():
    with pytest.raises(UnsupportedModel, match="channels first"):
        audit(model(changed(config={"data_format": "channels_first"})))


def test_endless_nesting_is_refused():
    deep = DENSE
    for _ in range(100):
        deep = model(deep)
    with pytest.raises(LoadError, match="nested"):
        audit(deep)


def test_no_name_that_runs_code_is_on_a_list():
    allowed = module.LAYERS | module.MODELS | module.PARTS | module.TRAINING
    assert not allowed & module.CODE.keys()
    assert not module.OPERATIONS & {"Map", "Scan", "Cond", "WhileLoop", "VectorizedMap"}
