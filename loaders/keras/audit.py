"""Which names a Keras file may mention: Keras's own building blocks, and none that runs code.

A model's configuration names classes and functions that the loader imports. Everything in it is
held against the lists here, which are written out rather than asked of the installed Keras: its
own modules hold `Lambda`, `TFSMLayer`, `TextVectorization` (reads files) and others like them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from xai_core.errors import LoadError, NeedsSource, UnsupportedModel

_RANKS = ("1D", "2D", "3D")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _ranked(*names: str) -> set[str]:
    return {name + rank for name in names for rank in _RANKS}


LAYERS = frozenset(
    _ranked("AveragePooling", "AvgPool", "Conv", "Convolution", "Cropping", "GlobalAveragePooling")
    | _ranked("GlobalAvgPool", "GlobalMaxPool", "GlobalMaxPooling", "MaxPool", "MaxPooling")
    | _ranked(
        "AdaptiveAveragePooling", "AdaptiveMaxPooling", "UpSampling", "ZeroPadding", "ConvLSTM"
    )
    | {name + "Transpose" for name in _ranked("Conv", "Convolution")}
    | _ranked("SpatialDropout")
    | _words(
        """
        Activation ActivityRegularization Add AdditiveAttention AlphaDropout Attention Average
        BatchNormalization BatchNormalizationV1 BatchNormalizationV2 Bidirectional CenterCrop
        Concatenate Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding
        Flatten GRU GRUCell GaussianDropout GaussianNoise GroupNormalization GroupQueryAttention
        GroupedQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU
        LocallyConnected1D LocallyConnected2D Masking Maximum Minimum MultiHeadAttention Multiply
        Normalization PReLU Permute RMSNormalization RNN ReLU RepeatVector Rescaling Reshape
        Resizing SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D
        SimpleRNN SimpleRNNCell Softmax SpectralNormalization StackedRNNCells Subtract
        SyncBatchNormalization ThresholdedReLU TimeDistributed UnitNormalization

        AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization MixUp
        Pipeline RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
        RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip
        RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective
        RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
        RandomTranslation RandomWidth RandomZoom Solarization

        LayerScale
        """  # LayerScale: in Keras's own ConvNeXt
    )
)
MODELS = frozenset({"Functional", "Model", "Sequential"})
OPERATIONS = _words(
    """
    Abs Absolute Add Amax Amin Argmax AveragePool BatchNorm BroadcastTo Cast Ceil Clip Concatenate
    Conv ConvTranspose Cos DepthToSpace DepthwiseConv Divide DivideNoNan Dot DotProductAttention
    Einsum Elu Erf Exp ExpandDims Expm1 Flip Floor FloorDivide Gelu GetItem Glu HardSigmoid HardSilu
    HardTanh LayerNorm LeakyRelu Log Log1p LogSigmoid LogSoftmax Logsumexp Matmul Max MaxPool
    Maximum Mean Min Minimum Mod Moveaxis Multiply Negative Norm Normalize Outer Pad Power Prod
    RGBToGrayscale RMSNorm Ravel Reciprocal Relu Relu6 Repeat Reshape Resize Roll Round Rsqrt
    SaturateCast Selu SeparableConv Sigmoid Sign Silu Sin Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Square Squeeze Stack Std StopGradient Subtract Sum Swapaxes Tanh
    Tensordot Tile Transpose TrueDivide Unstack Var Where
    """
)
PARTS = _words(
    # initializers, regularizers, constraints, data types, and how plain values are written
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal
    LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal
    VarianceScaling Zeros
    L1 L1L2 L2 OrthogonalRegularizer MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm
    DTypePolicy DTypePolicyMap FloatDTypePolicy Policy PolicyV1 QuantizedDTypePolicy
    AbsMaxQuantizer Float8QuantizationConfig Int8QuantizationConfig
    SeedGenerator TensorShape
    __keras_tensor__ __tensor__ __numpy__ __ellipsis__ __slice__ __tuple__
    """
)
ACTIVATIONS = _words(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
    leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax
    softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink
    threshold softmax_v2 log_softmax_v2
    """
)

TRAINING = _words(
    # a compiled submodel brings its training along; none of it is used
    """
    Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam
    RMSprop SGD CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay
    PiecewiseConstantDecay PolynomialDecay

    BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy
    CategoricalHinge CosineSimilarity Dice Hinge Huber KLDivergence LogCosh MeanAbsoluteError
    MeanSquaredError SparseCategoricalCrossentropy SquaredHinge Tversky

    AUC Accuracy BinaryAccuracy CategoricalAccuracy F1Score FBetaScore FalseNegatives
    FalsePositives IoU Mean MeanIoU Precision Recall SparseCategoricalAccuracy
    SparseTopKCategoricalAccuracy TopKCategoricalAccuracy TrueNegatives TruePositives
    """
)
TF_FUNCTIONS = _words(
    # what tf.keras wrote for arithmetic on its tensors; all of them pure
    """
    __operators__.add __operators__.getitem __operators__.ragged_getitem

    argmax math.argmax

    math.abs math.add math.add_n math.ceil math.cos math.divide math.divide_no_nan math.erf math.exp
    math.floor math.floordiv math.l2_normalize math.log math.log1p math.maximum math.minimum
    math.multiply math.multiply_no_nan math.negative math.pow math.reciprocal math.reduce_max
    math.reduce_mean math.reduce_min math.reduce_prod math.reduce_std math.reduce_sum
    math.reduce_variance math.round math.rsqrt math.scalar_mul math.sigmoid math.sign math.sin
    math.softplus math.sqrt math.square math.squared_difference math.subtract math.tanh math.truediv

    nn.avg_pool nn.avg_pool2d nn.bias_add nn.depth_to_space nn.dropout nn.elu nn.gelu
    nn.l2_normalize nn.leaky_relu nn.log_softmax nn.max_pool nn.max_pool2d nn.moments nn.relu
    nn.relu6 nn.selu nn.sigmoid nn.silu nn.softmax nn.softplus nn.softsign nn.space_to_depth
    nn.swish nn.tanh

    cast clip_by_value compat.v1.nn.relu6 compat.v1.shape compat.v1.transpose concat einsum
    expand_dims identity image.resize image.rgb_to_grayscale linalg.l2_normalize linalg.matmul
    ones_like pad repeat reshape reverse shape slice split squeeze stack stop_gradient
    strided_slice tensordot tile transpose unstack where zeros_like
    """
)
TF_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda"})
CODE = {
    "Lambda": "carries Python code inside the file",
    "TensorFlowOpLayer": "can hold any TensorFlow operation, writing files among them",
    "TFSMLayer": "loads a second program from the disk",
    "TorchModuleWrapper": "unpickles PyTorch code",
    "JaxLayer": "calls Python code",
    "FlaxLayer": "calls Python code",
}
_TF_INITIALIZERS = "tensorflow.python.ops.init_ops_v2"  # in EfficientNetV2 by tf_keras
MAX_DEPTH, MAX_NODES = 60, 2_000_000


def audit(config: Any, own: Collection[str] = ()) -> None:
    """Hold every name in a model's configuration against the lists, and against `own`.

    `own` are the names that the source of its classes defines. Raises NeedsSource naming the first
    that is in neither, LoadError for one that runs code whoever defines it, and UnsupportedModel
    for a network of channels-first layers.
    """
    for node, owner in _nodes(config):
        if node.get("data_format") == "channels_first":
            raise UnsupportedModel(
                "This network expects its channels first (data_format='channels_first'), which "
                "TensorFlow runs on a GPU only. Rebuild it with channels_last and copy the "
                "weights over."
            )
        theirs = [bare for bare in _names(node).values() if bare in own]
        if "class_name" in node and not theirs:
            _check(node, owner)
        for key in ("activation", "recurrent_activation"):
            name = node.get(key)
            if isinstance(name, str) and name not in ACTIVATIONS and not theirs:
                _refuse("activation function", name)


def named(config: Any) -> dict[str, str]:
    """Return every name that the configuration looks up, with its bare name.

    A class or function that somebody registered is written as `package>Name`.
    """
    return {name: bare for node, _ in _nodes(config) for name, bare in _names(node).items()}


def _names(node: dict[str, Any]) -> dict[str, str]:
    asked = [node.get(key) for key in ("class_name", "registered_name")]
    asked += [node.get(key) for key in ("activation", "recurrent_activation")]
    if node.get("class_name") == "function":
        asked = [node.get("config"), node.get("registered_name")]
    return {name: name.rpartition(">")[2] for name in asked if isinstance(name, str)}


def layers(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the class and the settings of every layer, nested ones included."""
    for node, _ in _nodes(config):
        inner = node.get("config")
        if isinstance(node.get("class_name"), str) and isinstance(inner, dict):
            yield node["class_name"], inner


def _nodes(config: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every JSON object with the key that it stands under, without recursion."""
    stack: list[tuple[Any, str, int]] = [(config, "model", 0)]
    seen = 0
    while stack:
        value, owner, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_NODES:
            raise LoadError(
                f"The model's configuration is nested over {MAX_DEPTH} deep or has over "
                f"{MAX_NODES:,} entries; no network of Keras's layers needs as much."
            )
        if isinstance(value, dict):
            yield value, owner
            stack += [(inner, str(key), depth + 1) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            stack += [(inner, owner, depth + 1) for inner in reversed(value)]


def _check(node: dict[str, Any], owner: str) -> None:
    name, module = node["class_name"], node.get("module")
    what = {"layers": "layer", "layer": "layer", "model": "model"}.get(owner, "object")
    if not isinstance(name, str):
        _refuse(what, repr(name))
    if name == "function":
        function = node.get("config")
        shown = function if isinstance(function, str) else repr(function)
        known = module in (None, "builtins") or _is_keras(module)
        if not known or shown not in ACTIVATIONS:
            _refuse("function", shown)
        _check_registered(node, "function", shown, shown)
        return
    if name in ("lambda", "__lambda__"):
        raise LoadError(
            "This file holds a Python lambda, which is code and is not run. Replace it by one of "
            "Keras's own layers or activations and save the model again."
        )
    if name in CODE:
        raise LoadError(
            f"The layer {name} {CODE[name]}, which is not run. Replace it by Keras's own layers "
            "(Rescaling, Reshape, ...) and save the model again."
        )
    if name in TF_LAYERS:
        inner = node.get("config")
        function = inner.get("function") if isinstance(inner, dict) else None
        if not isinstance(function, str) or function not in TF_FUNCTIONS:
            _refuse("TensorFlow function", str(function))
    elif isinstance(module, str) and module.startswith("keras.src.ops."):
        if name not in OPERATIONS:
            _refuse("operation", name)
    elif name in OPERATIONS - LAYERS and module is None:
        raise LoadError(
            f"This HDF5 file holds the operation {name}, which Keras writes in that format and "
            "cannot read back. Save the model again as model.save('model.keras')."
        )
    elif name == "StringLookup":
        _check_vocabulary(node)
    elif name not in LAYERS | MODELS | PARTS | TRAINING:
        _refuse(what, name, node.get("registered_name"))
    initializer = module == _TF_INITIALIZERS and name in PARTS
    if module is not None and not _is_keras(module) and not initializer:
        _refuse(what, f"{module}.{name}")
    _check_registered(node, what, name, name)


def _check_vocabulary(node: dict[str, Any]) -> None:
    """Refuse a lookup whose words lie in a file: it would be read wherever it is."""
    inner = node.get("config")
    words = inner.get("vocabulary") if isinstance(inner, dict) else None
    plain = isinstance(words, list) and all(isinstance(word, (str, int)) for word in words)
    if words is not None and not plain:
        raise LoadError(
            "The layer StringLookup takes its words out of another file, which is not read. Give "
            "it the list itself and save the model again."
        )


def _check_registered(node: dict[str, Any], what: str, name: str, own: str) -> None:
    """Refuse a name under which Keras would look up somebody's own class first."""
    registered = node.get("registered_name")
    if registered not in (None, own):
        _refuse(what, name, registered)


def _is_keras(module: Any) -> bool:
    return isinstance(module, str) and (
        module in ("keras", "tf_keras", "builtins")
        or module.startswith(
            ("keras.", "tf_keras.", "tensorflow.keras.", "tensorflow.python.keras.")
        )
    )


def _refuse(what: str, name: str, registered: object = None) -> None:
    shown = printable(name)
    if isinstance(registered, str) and registered != name:
        shown += f" (registered as {printable(registered)})"
    if what == "model":
        raise NeedsSource(
            f"The model is a {shown}, a class of its own and not one of Keras's: the file holds "
            "its numbers and not its code. Send the source of its class with it, or rebuild it of "
            "Keras's layers, copy the weights over and save that."
        )
    raise NeedsSource(
        f"The {what} {shown} is not one of Keras's own; a file holds its settings and not its "
        "code. Send the source of its class with it, or replace it by Keras's own layers and save "
        "the model again."
    )


def printable(text: object, limit: int = 80) -> str:
    """Return what can be shown of a name out of an untrusted file."""
    kept = "".join(letter for letter in str(text)[:limit] if letter.isprintable())
    return kept or "without a name"
