"""Fuzz one reader, or `serve`, for a time; print each kind of finding once, with the seed that makes it again.

python tests/fuzz/for_an_hour.py sql --seconds 3600
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

_MOST_SHOWN = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=["sql", "mdx", "model", "wire", "wire_on_postgres"])
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    from tests.fuzz.readers import Readers
    from tests.fuzz.wire import Wire

    name, on_postgres = arguments.reader.removesuffix("_on_postgres"), arguments.reader.endswith("_on_postgres")
    readers = Wire(on_postgres=on_postgres) if name == "wire" else Readers()
    fuzz = getattr(readers, f"fuzz_{name}")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    findings: dict[str, int] = {}
    begun, tries = time.monotonic(), 0
    while time.monotonic() - begun < arguments.seconds:
        tries += 1
        try:
            fuzz(random.Random(seed + tries))
        except Exception as error:  # noqa: BLE001 - every kind is what is looked for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
            if kind not in findings:
                print(f"{kind} (seed {seed + tries}): {str(error)[:_MOST_SHOWN]}", flush=True)
            findings[kind] = findings.get(kind, 0) + 1
    try:
        readers.close()
    except AssertionError as error:
        findings[f"at the end: {error}"] = 1
        print(f"at the end: {str(error)[:_MOST_SHOWN]}", flush=True)
    seconds = time.monotonic() - begun
    print(
        f"{arguments.reader}: {tries:,} inputs in {seconds:,.0f} s from seed {seed}, {len(findings)} kinds of findings"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
