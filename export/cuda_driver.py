"""A GPU's memory through CUDA's driver API: its library comes with the driver, so every GPU host has it.

The device's primary context is used, which is also that of CUDA's runtime and so of TensorRT.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import EngineError

LIBRARY = "libcuda.so.1"
_NO_GPU = (3, 100, 101)
"""Not initialised, no device, invalid device."""


class Gpu:
    """Memory and one stream of the first GPU that CUDA shows.

    Args:
        library: the driver's library; None: the one of this host.

    Raises:
        EngineError: there is no driver or no GPU, or the driver refuses.
    """

    def __init__(self, library: Any = None) -> None:
        try:
            self._cuda = ctypes.CDLL(LIBRARY) if library is None else library
        except OSError as error:
            raise EngineError(f"A plan runs on a GPU only; this host has no NVIDIA driver ({error}).") from error
        device, context, stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuInit", ctypes.c_uint(0))
        self._call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(0))
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        # a stream that waits for the copies below, which go through the default one
        self._call("cuStreamCreate", ctypes.byref(stream), ctypes.c_uint(0))
        self.stream = int(stream.value or 0)

    def allocate(self, size: int) -> int:
        """Address of so many bytes, which stay until the process ends."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return int(address.value)

    def upload(self, address: int, values: NDArray[np.float32]) -> None:
        """Copy an array to the GPU."""
        whole = np.ascontiguousarray(values)
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), _pointer(whole), ctypes.c_size_t(whole.nbytes))

    def download(self, address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Copy float32 values from the GPU, once the stream has done its work."""
        values = np.empty(shape, np.float32)
        self._call("cuStreamSynchronize", ctypes.c_void_p(self.stream))
        self._call("cuMemcpyDtoH_v2", _pointer(values), ctypes.c_uint64(address), ctypes.c_size_t(values.nbytes))
        return values

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._cuda, name)(*arguments)
        if code:
            hint = ": is a GPU here that this process may use?" if code in _NO_GPU else "."
            raise EngineError(f"CUDA's driver refuses {name} with error {code}{hint}")


def _pointer(values: NDArray[np.float32]) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)
