"""How Numba compiles: without what is not needed, which takes a tenth off the first start."""

from functools import partial
from typing import Final

from numba import njit

# Divisors are known not to be zero, so that nobody is told where one is.
_compile: Final = partial(njit, no_cfunc_wrapper=True, error_model="numpy")
compiled: Final = _compile(cache=True, nogil=True)
inner: Final = _compile(no_cpython_wrapper=True)  # for what compiled code alone calls
