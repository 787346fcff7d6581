"""Reading what the kernel says in a file that is open, without letting go of the interpreter.

Whoever watches a busy loop has had to wait for the interpreter. The kernel answers at once; to wait once more after
each answer would cost more than that.
"""

from __future__ import annotations

import os


def _pread(descriptor: int, size: int) -> bytes:
    """Returns what the file says, `size` bytes at most and not more than 512. Raises OSError."""
    return os.pread(descriptor, size, 0)


def _second_number(descriptor: int) -> float:
    """Returns the second of the numbers in the file. Raises OSError, ValueError where there is none."""
    numbers = os.pread(descriptor, 100, 0).split()
    if len(numbers) < 2:
        raise ValueError("there is no second number")
    return float(int(numbers[1]))


#: Compiled, these are functions of C, see `kernelfile.pxd`.
pread = _pread
second_number = _second_number
