"""Rows of tables come from the catalog; what it does not tell of is left out."""

from __future__ import annotations

from airflow_atscale_aggs.engine.lifecycle.build.dataset_rows import read_rows
from tests.support.stars.small_star import CITY, part, small_star


def test_tables_have_rows_and_views_have_none() -> None:
    with small_star() as star:
        star.add("sales", "shop_id amount", "1, 1", "2, 2", "3, 4")
        star.add("shop", "shop_id city:varchar", "1, 'N'", "2, 'N'")
        parts = [part(CITY)]
        assert read_rows(star.session, parts, star.sources()) == {"sales": 3, "shop": 2}

        star.run("ALTER TABLE shop RENAME TO shops", "CREATE VIEW shop AS SELECT * FROM shops")

        assert read_rows(star.session, parts, star.sources()) == {"sales": 3}


def test_a_table_that_is_gone_has_none() -> None:
    with small_star() as star:
        star.add("sales", "shop_id amount", "1, 1")
        star.add("shop", "shop_id city:varchar")
        star.run("DROP TABLE shop")

        assert read_rows(star.session, [part(CITY)], star.sources()) == {"sales": 1}
