"""Modules that libraries import and no verb uses: not imported at a start, and themselves for whoever asks."""

from __future__ import annotations

import subprocess
import sys

_PREAMBLE = """
import importlib, sys
from airflow_atscale_aggs.cli import late_modules
late_modules.put_off_imports()
def there(): return sorted({"asyncio", "importlib.metadata", "email", "ssl", "zipfile"} & set(sys.modules))
"""


def _run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", _PREAMBLE + program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_libraries_work_without_them() -> None:
    """SQLAlchemy runs statements, SQLGlot reads and writes SQL, and both are loaded as Python loads them."""
    program = """
import sqlalchemy, sqlglot
with sqlalchemy.create_engine("sqlite://").connect() as connection:
    print(connection.execute(sqlalchemy.text("SELECT 7")).all())
print(sqlglot.transpile("SELECT a::INT", read="postgres", write="duckdb"))
print(sqlalchemy.__spec__.origin == sqlalchemy.__file__, there())
"""
    assert _run(program) == ["[(7,)]", "['SELECT CAST(a AS INT)']", "True []"]


def test_whoever_asks_for_one_has_the_module_itself() -> None:
    """Libraries that hold a stand-in, and those that import a module later, in each of the ways."""
    program = """
import sqlalchemy, sqlglot
from sqlalchemy.util import concurrency, langhelpers
async def seven(): return 7
waiting = seven()
print(concurrency.iscoroutine(waiting), concurrency.iscoroutine(7))
import asyncio, asyncio.events
print(asyncio.run(waiting), asyncio.events.new_event_loop is asyncio.new_event_loop)
print(concurrency.asyncio.CancelledError is asyncio.CancelledError, asyncio is sys.modules["asyncio"])
from importlib import metadata as known
print(known.version("sqlalchemy") == sqlalchemy.__version__, "importlib.metadata" in sys.modules)
import importlib.metadata
from importlib.metadata import PackageNotFoundError
print(importlib.metadata.PackageNotFoundError is PackageNotFoundError is known.PackageNotFoundError)
print(importlib.metadata is sys.modules["importlib.metadata"])
"""
    assert _run(program) == ["True False", "7 True", "True True", "True True", "True", "True"]


def test_dialects_that_others_have_installed_are_looked_for() -> None:
    program = """
import sqlalchemy, sqlglot
for ask in (lambda: sqlalchemy.create_engine("nowhere://"), lambda: sqlglot.parse_one("SELECT 1", read="nowhere")):
    try:
        ask()
    except Exception as error:
        print(type(error).__name__, "nowhere" in str(error))
print(there() == ["email", "importlib.metadata", "zipfile"])
"""
    assert _run(program) == ["NoSuchModuleError True", "ValueError True", "True"]


def test_a_library_may_need_one_while_it_is_imported() -> None:
    """Another version may do what these do not: it takes a name out of the module, or a module of the package."""
    program = """
with late_modules._stand_ins():
    import asyncio.events
    from importlib.metadata import distribution, entry_points
print(asyncio.events.get_event_loop_policy() is not None)
print(distribution("sqlalchemy").name.casefold(), len(entry_points(group="console_scripts")) > 0)
import asyncio
print(type(asyncio).__name__, asyncio.run(asyncio.sleep(0, "slept")))
"""
    assert _run(program) == ["True", "sqlalchemy True", "module slept"]


def test_what_is_imported_stays_itself() -> None:
    program = """
import asyncio, importlib.metadata
before = asyncio, importlib.metadata
import sqlalchemy, sqlglot
print(before == (sys.modules["asyncio"], sys.modules["importlib.metadata"]), importlib.metadata is before[1])
"""
    assert _run(program) == ["True True"]


def test_a_library_that_cannot_be_imported_leaves_nothing_behind() -> None:
    program = """
try:
    with late_modules._stand_ins():
        raise ImportError("half-way")
except ImportError:
    print(there())
"""
    assert _run(program) == ["[]"]
