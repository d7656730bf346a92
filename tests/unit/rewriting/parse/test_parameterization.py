"""Query shapes: what one plan may serve."""

from __future__ import annotations

from airflow_atscale_aggs.engine.rewriting.parse.parameterization import find_template, parameterize


def test_values_in_comparisons_are_taken_out() -> None:
    """And come back where they were."""
    shape = parameterize("SELECT x FROM m WHERE a = 'p' AND b IN (1, 2)")
    other = parameterize("SELECT x FROM m WHERE a = 'q' AND b IN (3, 4)")

    assert shape is not None
    assert other is not None
    assert (shape.key, shape.values) == (other.key, ("'p'", "1", "2"))
    template = find_template(shape.marked, shape)
    assert template is not None
    assert template.fill(other.values) == "SELECT x FROM m WHERE a = 'q' AND b IN (3, 4)"


def test_equal_values_are_another_shape() -> None:
    """A range from a value to itself is that value, which may be answered from elsewhere."""
    same = parameterize("SELECT x FROM m WHERE a BETWEEN 'p' AND 'p'")
    range_ = parameterize("SELECT x FROM m WHERE a BETWEEN 'p' AND 'q'")

    assert same is not None
    assert range_ is not None
    assert same.key != range_.key
    assert same.values == ("'p'",)
    template = find_template(same.marked, same)
    assert template is not None
    assert template.fill(("'z'",)) == "SELECT x FROM m WHERE a BETWEEN 'z' AND 'z'"


def test_a_text_that_stands_elsewhere_as_well_is_not_taken_out() -> None:
    """Whoever plans must see that both are the same."""
    assert parameterize("SELECT x FROM m WHERE a = 'p' OR 'p' = a") is None
    assert parameterize("SELECT x FROM m WHERE a = 'p' OR 'q' = a") is not None


def test_an_escape_is_read_with_its_pattern() -> None:
    """One plan does not serve patterns whose letters mean something else."""
    assert parameterize("SELECT x FROM m WHERE a LIKE 'p!_%' ESCAPE '!'") is None


def test_decimals_keep_their_length() -> None:
    """Types of what is computed with them depend on it."""
    halves = parameterize("SELECT x FROM m WHERE a > 5.5 / 2")
    wholes = parameterize("SELECT x FROM m WHERE a > 5 / 2")
    quarters = parameterize("SELECT x FROM m WHERE a > 5.25 / 2")

    assert halves is not None
    assert wholes is not None
    assert quarters is not None
    assert len({halves.key, wholes.key, quarters.key}) == len([halves, wholes, quarters])
    template = find_template(halves.marked, halves)
    assert template is not None
    assert template.fill(("7.5",)) == "SELECT x FROM m WHERE a > 7.5 / 2"
