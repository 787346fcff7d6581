"""Counting steps instead of time: what is linear does at most a fixed number of steps for each byte more."""

import sys
import threading


def instructions(function):
    """Returns how many bytecode instructions of Python code `function()` executes."""
    return _monitored(function) if sys.version_info >= (3, 12) else _traced(function)


def _monitored(function):
    """Since 3.12, a function that is traced for the first time would not be counted."""
    monitoring = sys.monitoring
    tool, events = monitoring.PROFILER_ID, monitoring.events
    thread = threading.get_ident()
    count = 0

    def step(code, offset):
        nonlocal count
        count += threading.get_ident() == thread

    monitoring.use_tool_id(tool, "tests.http.linear")
    try:
        monitoring.register_callback(tool, events.INSTRUCTION, step)
        monitoring.set_events(tool, events.INSTRUCTION)
        function()
    finally:
        monitoring.set_events(tool, events.NO_EVENTS)
        monitoring.register_callback(tool, events.INSTRUCTION, None)
        monitoring.free_tool_id(tool)
    return count


def _traced(function):
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
