#!/usr/bin/env python3
"""Compiles the encoder's kernels by CUDA 12's run-time compiler, for GPUs that CUDA 13 dropped.

    pip install nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-runtime-cu12==12.9.79
    python3 tests/cuda/compile_with_cuda12.py

No GPU and no toolkit is needed. Prints a line for each target; exit code 1 if one does not compile.
"""

import argparse
import ctypes
import importlib.util
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ("sm_60", "sm_61", "sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90")
# The compiler has no headers of the host; these are what the kernels take from them.
HEADERS = {
    "cstdint": (
        "#pragma once\n"
        "typedef signed char int8_t; typedef unsigned char uint8_t;\n"
        "typedef short int16_t; typedef unsigned short uint16_t;\n"
        "typedef int int32_t; typedef unsigned int uint32_t;\n"
        "typedef long long int64_t; typedef unsigned long long uint64_t;\n"
        "typedef unsigned long uintptr_t;\n"
    ),
    "cstddef": "#pragma once\n",
}
KERNELS = (
    "EmbedKernel<{type}, 0>",
    "EmbedKernel<{type}, 6>",
    "NormKernel<{type}, 0>",
    "NormKernel<{type}, 6>",
    "NormKernel<{type}, 16>",
    "GeluKernel<{type}>",
    "PoolKernel<{type}>",
    "PlainAttentionKernel<{type}, 32>",
    "PlainAttentionKernel<{type}, 64>",
    "PlainAttentionKernel<{type}, 128>",
)
MATRIX_KERNELS = ("MatrixAttentionKernel<{type}, 32>", "MatrixAttentionKernel<{type}, 64>")


def source():
    lines = [
        f'#include "llm/encoder/cuda/{name}"'
        for name in ("device.cuh", "row_kernels.cuh", "attention_kernels.cuh")
    ]
    lines.append("namespace ragstone::llm::gpu {")
    for value_type in ("float", "F16", "Bf16"):
        for kernel in KERNELS + (MATRIX_KERNELS if value_type != "float" else ()):
            name = kernel.format(type=value_type)
            call = name.split("Kernel")[0].replace("Plain", "").replace("Matrix", "") + "Call"
            lines.append(f"template __global__ void {name}({call});")
    lines.append("}")
    return "\n".join(lines)


def package_folder(name):
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"package {name} is missing; see the head of this file")
    return pathlib.Path(list(spec.submodule_search_locations)[0])


class Compiler:
    def __init__(self):
        folder = package_folder("nvidia.cuda_nvrtc") / "lib"
        ctypes.CDLL(str(folder / "libnvrtc-builtins.so.12.9"))
        self.library = ctypes.CDLL(str(folder / "libnvrtc.so.12"))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p
        self.include = package_folder("nvidia.cuda_runtime") / "include"

    def compile(self, target, headers):
        """Returns the size of the machine code, or the compiler's messages."""
        program = ctypes.c_void_p()
        self.library.nvrtcCreateProgram(
            ctypes.byref(program), source().encode(), b"kernels.cu", 0, None, None
        )
        options = [
            f"--gpu-architecture={target}",
            "--std=c++17",
            f"--include-path={ROOT}",
            f"--include-path={headers}",
            f"--include-path={self.include}",
        ]
        array = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        error = self.library.nvrtcCompileProgram(program, len(options), array)
        size = ctypes.c_size_t()
        if error == 0:
            self.library.nvrtcGetCUBINSize(program, ctypes.byref(size))
            return size.value, ""
        self.library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self.library.nvrtcGetProgramLog(program, log)
        return 0, self.library.nvrtcGetErrorString(error).decode() + "\n" + log.value.decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", nargs="+", default=TARGETS, help="such as sm_61")
    arguments = parser.parse_args()
    compiler = Compiler()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in HEADERS.items():
            (pathlib.Path(folder) / name).write_text(text)
        for target in arguments.targets:
            size, log = compiler.compile(target, folder)
            print(f"{target}: {size} bytes of machine code" if size else f"{target}: {log}")
            failed += not size
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
