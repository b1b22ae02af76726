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
    """Return a clause on what makes a network's answers change, for `sanity`'s sentence, or "".

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
        return f"it was exported in training mode, and its graph holds {what}"
    return (
        f"its own code holds {what} as in training mode, even after model.eval() (nn.Dropout and "
        "F.dropout(..., training=self.training) obey it)"
    )
