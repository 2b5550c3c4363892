"""What runs on a device that is not the CPU, in a process in which there is one."""

import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).with_name("on_other_device.py")


def test_the_loop_runs_on_another_device() -> None:
    command = [sys.executable, "-m", "pytest", str(CASES), "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    run = subprocess.run(command, cwd=CASES.parents[2], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0 and run.stdout.startswith("." * 9), run.stdout[-4000:] + run.stderr[-1000:]
