"""Sends a service what its own OpenAPI description allows, and what it forbids, with all checks of Schemathesis.

    pip install schemathesis && python -m benchmarks.fuzz [--cases 700]

Exit status 1 where an answer is a 5xx, breaks the description, or accepts what it forbids.
"""

import argparse
import os
import subprocess
import sys

from benchmarks.serving import serving


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=700, help="random cases an endpoint, past the systematic ones")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "benchmarks.fuzz_hooks"}
    with serving() as service:
        command = ["schemathesis", "run", f"{service.address}/openapi.json", "--checks", "all", "--mode", "all"]
        options = ["--max-examples", str(args.cases), "--seed", str(args.seed), "--continue-on-failure"]
        status = subprocess.run([*command, *options, "--suppress-health-check", "all"], env=environment).returncode
        errors = sum('status="5' in name and n > 0 for name, n in service.counts().items())
    return status or errors


if __name__ == "__main__":
    sys.exit(main())
