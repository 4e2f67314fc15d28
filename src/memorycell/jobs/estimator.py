"""Estimator: scikit-learn's manners without importing scikit-learn, so that a saved model starts quickly."""

from __future__ import annotations

import inspect
from typing import Any, Self

from memorycell.jobs.parameters import no_parameter

_ROUTED = ("fit", "score")  # the methods that take something beside their data
_MOST = 120  # letters of a parameter's value


class Estimator:
    """`__init__` only stores its arguments under their own names; everything learned ends in an underscore.

    Works with `sklearn.base.clone`, `Pipeline` and searches, which ask for nothing but these methods.
    """

    @classmethod
    def _parameters(cls) -> dict[str, inspect.Parameter]:
        signature = inspect.signature(cls.__init__).parameters
        return {name: parameter for name, parameter in signature.items() if name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; `deep` is accepted for compatibility, nothing here is nested."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Self:
        """Change constructor arguments. Raises ValueError for a name that the constructor does not have."""
        known = self._parameters()
        for name, value in params.items():
            if name not in known:
                raise ValueError(no_parameter(type(self), name, known))
            setattr(self, name, value)
        return self

    # Metadata routing: https://scikit-learn.org/stable/metadata_routing.html

    def get_metadata_routing(self) -> Any:
        """What `fit` and `score` ask scikit-learn to pass on to them, as `set_fit_request` says."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        for method in _ROUTED:
            chosen = vars(self).get("_requests", {}).get(method, {})
            for name in self._metadata(method):
                getattr(request, method).add_request(param=name, alias=chosen.get(name))
        return request

    def set_fit_request(self, **requests: bool | str | None) -> Self:
        """Have scikit-learn's searches, pipelines and ensembles pass metadata to `fit`: ``sample_weight=True``.

        Parameters
        ----------
        requests : names of arguments of `fit`, such as sample_weight: True, False, or another name that they come by

        Raises
        ------
        ValueError
            For an argument that `fit` does not have.
        RuntimeError
            Unless scikit-learn's routing is on: ``sklearn.set_config(enable_metadata_routing=True)``.
        """
        return self._request("fit", requests)

    def set_score_request(self, **requests: bool | str | None) -> Self:
        """As `set_fit_request`, of `score`."""
        return self._request("score", requests)

    def _request(self, method: str, requests: dict[str, bool | str | None]) -> Self:
        import sklearn

        if not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                f"set_{method}_request acts with scikit-learn's metadata routing alone, which is off: "
                "sklearn.set_config(enable_metadata_routing=True) turns it on"
            )
        known = self._metadata(method)
        for name in requests:
            if name not in known:
                raise ValueError(f"{type(self).__name__}.{method} has no {name!r}; it has {', '.join(known)}")
        before = vars(self).get("_requests", {})
        self._requests = {**before, method: {**before.get(method, {}), **requests}}
        return self

    def _metadata(self, method: str) -> list[str]:
        """The arguments of a method beside its data."""
        function = getattr(type(self), method, None)
        found = {} if function is None else inspect.signature(function).parameters
        return [name for name, each in found.items() if each.kind is each.KEYWORD_ONLY or name == "sample_weight"]

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn asks, and then it is loaded already.
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=InputTags())

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def __repr__(self) -> str:
        changed = [
            f"{name}={_shown(getattr(self, name))}"
            for name, parameter in self._parameters().items()
            if _differs(getattr(self, name), parameter.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def _differs(value: Any, default: Any) -> bool:
    """Whether a parameter is not its default; arrays, which are compared element by element, never are."""
    try:
        return bool(value is not default and value != default)
    except ValueError:
        return True


def _shown(value: Any) -> str:
    """A value as Python writes it; of long ones the beginning."""
    text = repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
