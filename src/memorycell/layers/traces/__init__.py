"""Traces: what every gate and state of a layer did at every step, their files, and long ones piece by piece."""

from memorycell.layers.traces.description import dims_of
from memorycell.layers.traces.trace import Trace

__all__ = ["Trace", "dims_of"]
