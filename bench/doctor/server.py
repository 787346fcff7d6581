"""`bench/servers/eyewall_app.py`, with the doctor on where BENCH_DOCTOR says so, without the detectors that
BENCH_DOCTOR_WITHOUT names."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))

if os.environ["BENCH_DOCTOR"] == "1":
    from eyewall import doctor

    doctor.enable(without=os.environ.get("BENCH_DOCTOR_WITHOUT", "").split())

from eyewall_app import main

if __name__ == "__main__":
    main()
