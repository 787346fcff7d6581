"""`bench/servers/eyewall_app.py`, with the doctor on where BENCH_DOCTOR says so, without the detectors that
BENCH_DOCTOR_WITHOUT names.

A request touches about as much memory as the nearest cache holds, and what of it is thrown out depends on where objects
lie within their pages: the same at every start, a percent more or less for one build than for another. So what is made
first, and kept, is of another size each time.
"""

import os
import random
import sys
from pathlib import Path

PLACES = [bytes(size) for size in range(16, 1025, 16) for _ in range(random.randrange(64))]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))

if os.environ["BENCH_DOCTOR"] == "1":
    from eyewall import doctor

    doctor.enable(without=os.environ.get("BENCH_DOCTOR_WITHOUT", "").split())

from eyewall_app import main  # noqa: E402 - after the doctor is on

if __name__ == "__main__":
    main()
