"""What the readers of models, SQL and MDX must do with any input: answer, or refuse it in a sentence of ours, soon."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from airflow_atscale_aggs.engine.aggregates.instance import BuildType
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lifecycle.build.batch import run_batch
from airflow_atscale_aggs.engine.lifecycle.deploy.deploy import deploy
from airflow_atscale_aggs.engine.lifecycle.query.router import QueryRouter
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace, open_workspace
from airflow_atscale_aggs.engine.rewriting.mdx.mdx_reader import MdxError, read_mdx
from tests.fuzz.mutations import MDX_WORDS, SQL_WORDS, Choices, mutate_files, mutate_text
from tests.support.stars import tiny_star

MOST_SECONDS = 20
"""No reader of these small inputs needs a second; this only tells what never ends."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)

_CALCULATION = """\
unique_name: Calc
object_type: metric_calc
label: Calc
expression: {expression}
"""

SQL_SEEDS = (
    'SELECT "Month", "Amount" FROM tiny_sales',
    (
        'SELECT "City", SUM("Amount") AS a FROM tiny.tiny_sales WHERE "Month" IN (\'month 1\', \'month 2\') '
        'GROUP BY 1 HAVING SUM("Amount") > 3 ORDER BY 2 DESC LIMIT 5'
    ),
    'SELECT m."City", AVG("Average Amount") FROM tiny_sales m GROUP BY m."City"',
    'SELECT DISTINCT "Shop" FROM tiny_sales WHERE "City" IS NULL OR "Shop" LIKE \'N%\'',
    'WITH x AS (SELECT "Month" AS m, "Quantity" AS q FROM tiny_sales) SELECT m, q, SUM(q) OVER (ORDER BY m) FROM x',
    (
        'SELECT a."Month", a.q - b.q FROM (SELECT "Month", "Quantity" AS q FROM tiny_sales) a LEFT '
        'JOIN (SELECT "Month", "Quantity" AS q FROM tiny_sales) b ON a."Month" = b."Month"'
    ),
    "SELECT CASE WHEN \"City\" = 'North' THEN 'n' ELSE 'other' END AS c, SUM(\"Quantity\") FROM tiny_sales GROUP BY 1",
    (
        'SELECT "Month", SUM(CASE WHEN "City" = \'North\' THEN "Amount" END), SUM("Amount") FILTER (WHERE "City" IS '
        'NOT NULL) FROM tiny_sales GROUP BY ROLLUP("Month")'
    ),
    (
        "SELECT d.month, SUM(s.amount) AS a FROM sales s JOIN day d ON s.day_id = d.day_id WHERE d.month <> 'month 2' "
        "GROUP BY d.month ORDER BY a"
    ),
    "SELECT p.city, COUNT(*), AVG(s.quantity) FROM sales s LEFT JOIN shop p ON p.shop_id = s.shop_id GROUP BY p.city",
    "SELECT COUNT(*) FROM sales",
    "SELECT * FROM shop ORDER BY 1",
    "SELECT 1",
    "SELECT version()",
    "FROM sales SELECT COUNT(*)",
    "SELECT * FROM tiny_sales LIMIT 3",
    'SELECT COUNT(DISTINCT "Shop") FROM tiny_sales',
    'SELECT "Amount" FROM tiny_sales WHERE "Shop" IN (SELECT "Shop" FROM tiny_sales ORDER BY "Amount" DESC LIMIT 1)',
)
MDX_SEEDS = (
    "[Measures].[Amount] / [Measures].[Quantity]",
    "IIF([Measures].[Quantity] = 0, NULL, [Measures].[Amount] / [Measures].[Quantity])",
    "CASE WHEN [Measures].[Quantity] > 3 THEN 1 ELSE [Measures].[Amount] END",
    "([Calendar].[Calendar levels].CurrentMember.PrevMember, [Measures].[Amount])",
    "([Calendar].[Calendar levels].[All], [Measures].[Amount]) - [Measures].[Amount]",
    "Avg(PeriodsToDate([Calendar].[Calendar levels].[Month]), [Measures].[Amount])",
    (
        "(ParallelPeriod([Calendar].[Calendar levels].[Month], 1, [Calendar].[Calendar levels].CurrentMember), "
        "[Measures].[Amount])"
    ),
    "([Shops].[Shops levels].[City].&[North], [Measures].[Amount])",
    (
        "Sum([Calendar].[Calendar levels].CurrentMember.Lag(2) : [Calendar].[Calendar levels].CurrentMember, "
        "[Measures].[Amount])"
    ),
    "Sum([Shops].[Shops levels].[City].Members, [Measures].[Quantity])",
    "[Amount]",
    "Amount",
    "1",
    "",
)


class Readers:
    """A deployed and built star that queries are asked of, and folders for models that are thrown away."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz"))
        self.files = {path.name: path.read_text() for path in tiny_star.write_model(self.folder / "model").iterdir()}
        self.workspace = self._open("registry.sqlite")
        tiny_star.run_sql(self.workspace, *tiny_star.SETUP_SQL)
        deploy(self.workspace, self.folder / "model", now=_NOW)
        run_batch(self.workspace, "tiny_sales", build_type=BuildType.FULL, owner="fuzz")
        self.router = QueryRouter(self.workspace)
        self.deployed = 0
        # A registry is made by migrations, which cost more than all the rest of an input.
        self._open("empty.sqlite").close()

    def close(self) -> None:
        self.router.close()
        self.workspace.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _open(self, registry: str) -> Workspace:
        return open_workspace(
            registry=f"sqlite:///{self.folder / registry}",
            warehouse=f"duckdb:///{self.folder / 'w.duckdb'}",
            aggregate_schema="aggs",
        )

    def ask(self, sql: str) -> None:
        """Explain and answer a statement."""
        with no_longer_than(MOST_SECONDS):
            for do in (self.router.explain, self.router.answer):
                with contextlib.suppress(AtScaleAggsError):
                    do(sql)

    def deploy(self, files: dict[str, bytes], queries: tuple[str, ...] = ('SELECT * FROM "tiny_sales"',)) -> None:
        """Deploy a model into a registry of its own, and ask it when it could be deployed."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            folder = Path(place) / "model"
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            registry = f"{Path(place).name}/r.sqlite"
            shutil.copyfile(self.folder / "empty.sqlite", self.folder / registry)
            with no_longer_than(MOST_SECONDS), contextlib.suppress(AtScaleAggsError), self._open(registry) as workspace:
                deploy(workspace, folder, now=_NOW)
                self.deployed += 1
                with QueryRouter(workspace) as router:
                    for sql in queries:
                        with contextlib.suppress(AtScaleAggsError):
                            router.answer(sql)

    def calculate(self, expression: str) -> None:
        """Deploy a calculated metric and ask for it."""
        calculation = tiny_yaml(_CALCULATION, expression)
        model = self.files["model.yml"].replace("metrics:\n", "metrics:\n  - unique_name: Calc\n", 1)
        files = {**self.files, "model.yml": model, "calc.yml": calculation}
        queries = (
            'SELECT "Month", "Calc" FROM tiny_sales',
            'SELECT "City", "Calc" FROM tiny_sales',
            'SELECT "Calc" FROM tiny_sales',
        )
        self.deploy({name: text.encode("utf-8", "surrogatepass") for name, text in files.items()}, queries)

    # The three readers, each with an input that the choices decide.

    def fuzz_sql(self, choices: Choices) -> str:
        text = mutate_text(choices, SQL_SEEDS, SQL_WORDS)
        self.ask(text)
        return text

    def fuzz_mdx(self, choices: Choices) -> str:
        text = mutate_text(choices, MDX_SEEDS, MDX_WORDS)
        with contextlib.suppress(MdxError):
            read_mdx(text, lambda measure: measure.measure)
            self.calculate(text)
        return text

    def fuzz_model(self, choices: Choices) -> str:
        files = mutate_files(choices, self.files)
        self.deploy(files)
        return repr({name: content for name, content in files.items() if content != self.files[name].encode()})


def tiny_yaml(template: str, text: str) -> str:
    """The template with a text as a double-quoted scalar."""
    import json

    return template.format(expression=json.dumps(text, ensure_ascii=True))


@contextlib.contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """End what never ends."""

    def interrupt(*_: object) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    # Time of the processor: a machine that is busy with other work makes nothing look endless.
    before = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
