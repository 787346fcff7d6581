"""Counting steps instead of time: what is linear does at most a fixed number of steps for each byte more."""

import sys


def instructions(function):
    """Returns how many bytecode instructions of Python code `function()` executes."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def assert_linear(function, small=200, factor=8):
    """Asserts that `function(size)` needs no more than proportionally more instructions for a larger size."""
    one = instructions(lambda: function(small))
    many = instructions(lambda: function(small * factor))
    assert many <= one * factor * 1.2, f"{one} instructions for {small}, {many} for {small * factor}"
