"""Every module of the engine has a unit test of the same name, in the same place."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path(__file__).parents[2]
_ENGINE = _ROOT / "airflow_atscale_aggs" / "engine"
_UNIT_TESTS = _ROOT / "tests" / "unit"


def _modules() -> set[Path]:
    """Paths below the engine, without ``__init__`` files and the migrations, which never change."""
    files = (file.relative_to(_ENGINE) for file in _ENGINE.rglob("*.py"))
    return {file for file in files if file.name != "__init__.py" and "versions" not in file.parts}


def _test_of(module: Path) -> Path:
    return module.with_name(f"test_{module.name}")


def test_every_module_has_a_unit_test_of_its_name() -> None:
    """``engine/sql/probes.py`` is shown by ``tests/unit/sql/test_probes.py``."""
    modules = _modules()

    assert len(modules) > 200
    assert {str(module) for module in modules if not (_UNIT_TESTS / _test_of(module)).is_file()} == set()


def test_every_unit_test_names_a_module() -> None:
    """What is shown there is the rule of one module; signals are tested by their subject."""
    expected = {_test_of(module) for module in _modules()}
    tests = {file.relative_to(_UNIT_TESTS) for file in _UNIT_TESTS.rglob("test_*.py")}

    assert {str(test) for test in tests - expected if test.parts[0] != "signals"} == set()
