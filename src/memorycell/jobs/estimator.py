"""Estimator: scikit-learn's manners without importing scikit-learn, so that a saved model starts quickly."""

from __future__ import annotations

import inspect
from typing import Any, Self

from memorycell.jobs.parameters import no_parameter

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
