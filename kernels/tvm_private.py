"""Every place where this project reaches into TVM's private parts, so that an update of TVM has one file to go through.

Written for apache-tvm 0.27.0.post1, which pyproject.toml pins. Each says when it can go. What the generated code itself
expects of its surroundings is in runtime/kernel.h, targets/cpu/runtime/kernels.c and targets/wasm/runtime/fastdepth.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

PREFIX = "__tvm_ffi_"  # before the symbol of every kernel in an object file; goes when tvm.compile can be told a symbol


def llvm_processors(target: Mapping[str, Any]) -> set[str]:
    """Names that LLVM knows for `mcpu`. Goes when an unknown one is an error of Target's, not a warning of LLVM's."""
    from tvm.target import Target, codegen

    return set(map(str, codegen.llvm_get_cpu_archlist(Target(dict(target)))))


def llvm_features(target: Mapping[str, Any]) -> set[str]:
    """Features of a target's processor, as LLVM spells them. Goes when Target says them."""
    from tvm.target import Target, codegen

    return set(map(str, codegen.llvm_get_cpu_features(Target(dict(target)))))


def llvm_processor(session: Any = None) -> str:
    """LLVM's name of this machine's processor, or of the one behind an RPC session; "unknown" where an RPC server has no
    compiler. Goes when TVM has a function for it."""
    import tvm

    name = "target.llvm_get_system_cpu"
    try:
        return str((session.get_function if session else tvm.get_global_func)(name)())
    except (AttributeError, RuntimeError, ValueError):
        return "unknown"


def one_thread(session: Any) -> None:
    """Have an RPC server run kernels on one fast core. Goes when the session has a method for it."""
    session.get_function("runtime.config_threadpool")(1, 1)


def device_function(module: Any, target: Mapping[str, Any]) -> Any:
    """The half of a scheduled module that runs on the GPU: TVM's pipeline up to where it would generate code that needs
    TVM's runtime to launch it. Goes when tvm.compile can emit the device's half alone."""
    import tvm
    from tvm.tirx import build

    made_for = _nvptx(target)
    pipeline, _, _ = tvm.tirx.get_default_tir_pipeline(made_for)
    lowered = pipeline(tvm.tirx.transform.BindTarget(made_for)(module))
    _, halves = build.__globals__["split_host_device_mods"](lowered)
    (half,) = halves.values()
    (function,) = half.functions.values()
    return function


def ptx_of(functions: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Functions of the GPU, by symbol, as one PTX module. Goes with device_function."""
    import tvm

    _teach_nvptx()
    made_for = _nvptx(target)
    _, _, finish = tvm.tirx.get_default_tir_pipeline(made_for)
    generate = tvm.get_global_func("target.build.nvptx")
    text: str = generate(finish()(tvm.IRModule(dict(functions))), made_for).inspect_source()
    # LLVM no longer marks kernels by metadata: TVM's come out as functions, which a driver does not launch. Goes when
    # TVM's NVPTX code generator gives them LLVM's calling convention of kernels.
    return text.replace(".visible .func", ".visible .entry")


def _nvptx(target: Mapping[str, Any]) -> Any:
    import tvm

    return tvm.target.Target(dict(target), host={"kind": "llvm"})


@cache
def _teach_nvptx() -> None:
    """What TVM takes from a CUDA toolkit, which is not needed: goes when its NVPTX back end does without."""
    import tvm
    from tvm.tirx import call_llvm_intrin, call_llvm_pure_intrin, const, register_intrin_lowering

    tvm.register_global_func("tvm_callback_libdevice_path", lambda *_: "", override=True)
    register_intrin_lowering(
        "tirx.fma",  # else a call into that toolkit's library
        target="nvptx",
        f=lambda call: call_llvm_pure_intrin(str(call.ty.dtype), "llvm.fma", *call.args),
        level=99,
    )
    register_intrin_lowering(
        "tirx.tvm_storage_sync",  # this TVM leaves out the number of the barrier, which this LLVM wants
        target="nvptx",
        f=lambda _: call_llvm_intrin("void", "llvm.nvvm.barrier.cta.sync.aligned.all", const(0, "int32")),
        level=99,
    )
