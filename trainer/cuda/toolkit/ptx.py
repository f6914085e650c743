"""Compiles kernels with NVRTC, which needs no GPU.

    ptx.py NVRTC FILE.cu...            writes FILE.ptx beside each
    ptx.py NVRTC --check FILE.cu...    compares with what is there, and compiles for
                                       sm_80 and sm_90 too, as PTX alone is not assembled

NVRTC is the folder into which the package nvidia-cuda-nvrtc was unpacked.
"""

import ctypes
import os
import re
import sys

TARGET = "compute_80"  # Ampere and later; drivers compile it for the card they find
MACHINES = ("sm_80", "sm_90")
OPTIONS = ("--std=c++17", "--device-as-default-execution-space", "--extra-device-vectorization")


class Compiler:
    def __init__(self, folder):
        lib = os.path.join(folder, "nvidia", "cuda_nvrtc", "lib")
        # The compiler opens its builtins by name: load them before.
        for name in sorted(os.listdir(lib)):
            if "builtins.so" in name:
                ctypes.CDLL(os.path.join(lib, name), mode=ctypes.RTLD_GLOBAL)
        found = [n for n in os.listdir(lib) if re.fullmatch(r"libnvrtc\.so\.\d+", n)]
        self.nvrtc = ctypes.CDLL(os.path.join(lib, found[0]))
        self.nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p

    def call(self, function, *args):
        result = getattr(self.nvrtc, function)(*args)
        if result:
            raise RuntimeError(f"{function}: {self.nvrtc.nvrtcGetErrorString(result).decode()}")

    def text(self, program, what):
        size = ctypes.c_size_t()
        self.call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self.call(f"nvrtcGet{what}", program, buffer)
        return buffer.raw

    def compile(self, path, target, what, *more):
        """Returns the PTX or CUBIN of a file, and what the compiler said."""
        folder, name = os.path.split(os.path.abspath(path))
        with open(path, "rb") as f:
            source = f.read()
        program = ctypes.c_void_p()
        self.call("nvrtcCreateProgram", ctypes.byref(program), source, name.encode(), 0, None, None)
        try:
            options = [o.encode() for o in (*OPTIONS, f"--gpu-architecture={target}", f"--include-path={folder}", *more)]
            result = self.nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
            log = self.text(program, "ProgramLog").rstrip(b"\0").decode()
            if result:
                sys.exit(f"{path}: {target}: {self.nvrtc.nvrtcGetErrorString(result).decode()}\n{log}")
            return self.text(program, what), log
        finally:
            self.call("nvrtcDestroyProgram", ctypes.byref(program))


def main(nvrtc, *files):
    check = files[0] == "--check"
    compiler = Compiler(nvrtc)
    stale = []
    for path in files[check:]:
        ptx, log = compiler.compile(path, TARGET, "PTX")
        if log:
            print(log, file=sys.stderr)
        ptx = ptx.rstrip(b"\0")
        out = os.path.splitext(path)[0] + ".ptx"
        if not check:
            with open(out, "wb") as f:
                f.write(ptx)
            continue
        try:
            with open(out, "rb") as f:
                same = f.read() == ptx
        except FileNotFoundError:
            same = False
        if not same:
            stale.append(out)
        for machine in MACHINES:
            _, log = compiler.compile(path, machine, "CUBIN", "--ptxas-options=--verbose")
            for name, spilled in re.findall(r"properties for (\w+)\n.*?(\d+) bytes spill stores", log):
                if int(spilled):
                    print(f"{path}: {machine}: {name} spills {spilled} bytes of registers", file=sys.stderr)
    if stale:
        sys.exit(f"not what its .cu gives: {', '.join(stale)}: run go generate ./trainer/cuda/kernels")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
