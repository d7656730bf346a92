"""Makes a DuckDB file with the tables of a retailer, which the model in `dags/models/retail` stands on.

    python dags/demo/load_retail.py [FILE]

The file is `warehouse.duckdb` in the current folder unless it is named. SCALE=0.1 is the size of the data (TPC-DS).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb


def main() -> None:
    """Generate the data and load it."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "warehouse.duckdb")
    generator = shutil.which(
        "tpcgen-cli", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if generator is None:
        sys.exit("tpcgen-cli makes the data and is not installed: pip install tpcgen-cli")
    if target.exists():
        sys.exit(f"{target} is there already. Remove it, or name another file.")
    scale = os.environ.get("SCALE", "0.1")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([generator, "tpcds", "parquet", "-s", scale, "--output-dir", folder, "-q"], check=True)
        with contextlib.closing(duckdb.connect(str(target))) as connection:
            connection.execute("CREATE SCHEMA retail")
            for file in sorted(Path(folder).glob("*.parquet")):
                connection.execute(f"CREATE TABLE retail.{file.stem} AS SELECT * FROM read_parquet('{file}')")
    print(f"{target} has the tables of TPC-DS at scale {scale}.")


if __name__ == "__main__":
    main()
