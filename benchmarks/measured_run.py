"""Run ``seenn-convert`` as a user does, and write what it cost: processor seconds, and the peak of its memory in GB.

Run: ``python benchmarks/measured_run.py COST.json convert ...``. The kernel's peak of a process would count the memory
of the process that started it, too; the peak of its own address space does not.
"""

import atexit
import json
import resource
import sys
import time
from pathlib import Path

STATUS = Path("/proc/self/status")


def main() -> None:
    """Run the command line behind COST.json."""
    atexit.register(_write_cost, Path(sys.argv.pop(1)))
    from seenn_convert.cli.main import main as command

    sys.argv[0] = "seenn-convert"
    command()


def _write_cost(file: Path) -> None:
    file.write_text(json.dumps({"processor_seconds": time.process_time(), "peak_gb": _peak_kilobytes() / 1e6}))


def _peak_kilobytes() -> float:
    """Return the largest resident set of this process."""
    if STATUS.exists():
        return next(float(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
