"""The registry of contestants: a name, the module that does the jobs, and the environment of its process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

V3 = {"MEMORYCELL_ISA": "v3"}
RESTRICTING = {*AVX2, *V3}


@dataclass(frozen=True)
class Contestant:
    """`setup` is a function of the module to call first; only contestants of the same `level` are compared."""

    name: str
    module: str
    role: str  # of jobs.WAYS
    setup: str = ""
    level: str = "best"
    needs: str = ""  # what to install
    environment: Mapping[str, str] = field(default_factory=dict)


CONTESTANTS = (
    Contestant("memorycell", "kernels.peers.ours", "ours"),
    Contestant("memorycell v3", "kernels.peers.ours", "ours", "only_with_avx2", "v3", environment=V3),
    Contestant("torch", "kernels.peers.torch_nn", "torch"),
    Contestant("torch AVX2", "kernels.peers.torch_nn", "torch", level="v3", environment=AVX2),
    Contestant("torch without oneDNN", "kernels.peers.torch_nn", "native", "without_onednn"),
    Contestant("torch flushing subnormals", "kernels.peers.torch_nn", "flushed", "flushing_subnormals"),
    Contestant("JAX", "kernels.peers.jax_scan", "jax", "only_with_affinity", needs="jax"),
    Contestant("ONNX Runtime", "kernels.peers.onnx_runtime", "onnx", needs="onnx onnxruntime"),
    Contestant("OpenVINO", "kernels.peers.open_vino", "onnx", needs="onnx openvino"),
)
