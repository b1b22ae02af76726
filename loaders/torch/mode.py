"""Why a network may answer one photo differently each time, told by the operations of a pass."""

from __future__ import annotations

from collections.abc import Iterable

from loaders.torch.watch import Step

_DROPS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout")
_NORMS = ("batch_norm", "native_batch_norm", "native_batch_norm_legit", "batch_norm_impl_index")
_DRAWS = (
    *("bernoulli", "rand", "randn", "rand_like", "randn_like", "normal", "uniform", "exponential"),
    *("multinomial", "randint", "randint_like", "randperm", "poisson", "rrelu"),
)


def reason(steps: Iterable[Step], *, exported: bool) -> str:
    """Return one sentence on what makes a network's answers change, or nothing.

    `exported` says that the network is a graph, in which training mode stays.
    """
    held: dict[str, None] = {}
    for step in steps:
        name = step.name.removesuffix("_functional")
        flags = [each for each in step.arguments if isinstance(each, bool)]
        if name in _DROPS and flags[:1] == [True]:
            if next((each for each in step.arguments if isinstance(each, float)), 1.0) > 0:
                held["dropout that is on"] = None
        elif (name.startswith("native_batch_norm_legit") or name in _NORMS) and flags[:1] == [True]:
            held["batch normalisation by the photos of the batch"] = None
        elif name in _DRAWS or (name == "rrelu_with_noise" and flags[:1] == [True]):
            held["random numbers"] = None
    if not held:
        return ""
    what = " and ".join(held)
    if exported:
        return (
            f"The network was exported in training mode: its graph holds {what}, so the answer to "
            "one photo changes from run to run or with the photos beside it. Call model.eval() "
            "before exporting it, and bring that file."
        )
    return (
        f"The network's own code runs as in training: it holds {what} even after model.eval(), so "
        "the answer to one photo changes from run to run or with the photos beside it. Use "
        "nn.Dropout, or F.dropout(..., training=self.training), and the running statistics of "
        "nn.BatchNorm."
    )
