"""The operators of ONNX that only compute, by their sets, and what some of them are."""

from __future__ import annotations

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Sets of operators that the ONNX standard defines; all others bring code of their own."""

_MICROSOFT = """
    Attention BiasGelu BiasSoftmax DequantizeLinear DynamicQuantizeMatMul FastGelu FusedConv
    FusedGemm FusedMatMul Gelu LayerNormalization MatMulIntegerToFloat MultiHeadAttention
    NhwcMaxPool QAttention QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv
    QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid
    QLinearSoftmax QuantizeLinear QuickGelu SkipLayerNormalization
"""
_BLOCKED = """
    AveragePool Conv GlobalAveragePool GlobalMaxPool MaxPool ReorderInput ReorderOutput Upsample
"""
COMPUTES = {"com.microsoft": _MICROSOFT.split(), "com.microsoft.nchwc": _BLOCKED.split()}
"""onnxruntime's own operators that its optimiser and its quantiser write: they only compute.
Others of its sets load files or run code (EPContext, Python's own), and are refused."""

HANDS_ON = (
    "Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose",
    "Clip", "Dropout", "QuantizeLinear", "DequantizeLinear", "Gather", "Slice",
)  # fmt: skip
"""Operators that leave the numbers of their first input as they are, or nearly."""

SUMS = (
    "Gemm", "MatMul", "Conv", "FusedGemm", "FusedMatMul", "FusedConv", "MatMulInteger",
    "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm", "ConvInteger", "QLinearConv",
    "QLinearMatMul", "BatchNormalization", "Einsum", "Relu", "LeakyRelu", "PRelu", "Elu",
)  # fmt: skip
"""Operators that sum weighted inputs, or grow without end: what they give is not squashed."""

SPREADS = ("Add", "QLinearAdd", "GlobalAveragePool", "AveragePool", "ReduceMean", "ReduceSum",
           "GlobalMaxPool", "QLinearGlobalAveragePool", "QLinearReduceMean")  # fmt: skip
"""Operators that move or average their inputs: squashed by nothing that they do themselves."""

MAPS = (
    "Conv", "FusedConv", "ConvTranspose", "BatchNormalization", "InstanceNormalization",
    "GroupNormalization", "LayerNormalization", "SkipLayerNormalization",
    "SimplifiedLayerNormalization", "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu",
    "Gelu", "BiasGelu", "FastGelu", "QuickGelu", "HardSwish", "Swish", "Mish", "Mul", "Add", "Sum",
    "Concat",
)  # fmt: skip
"""Operators whose outputs are offered as layers. What pools is coarser than what it pools."""


def is_known(domain: str, name: str) -> bool:
    """Say whether an operator is of the standard, or one of onnxruntime's that only compute."""
    return domain in DOMAINS or name in COMPUTES.get(domain, ())
