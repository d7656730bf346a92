# Everything a newcomer needs: `make test` and `make demo` build their own environment from python3 alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZ_EXAMPLES ?= 2000
FUZZ_SECONDS ?= 3600
KILLS ?= 200
EXECUTOR ?= local
SPARK := .cache/spark
SPARK_VERSION := 4.3.0
FAKESNOW := .cache/fakesnow
SNOWFLAKE_PROVIDER_VERSION := 6.20.0
SUPERSET := .cache/superset
METRICFLOW := .cache/metricflow
COSMOS := .cache/cosmos

# Containers often set it. Without compiled modules, each of the hundreds of processes of the suite compiles Airflow anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help test suite lint style types downloads unit docs screenshots page browser chromium clients fuzz spark snowflake superset chaos install-check newcomer walk demo spark-demo bench short-forms clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) makes no environments: install its venv package, on Debian and Ubuntu: apt update && apt install python3-venv"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]' \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

test: $(STAMP) style ## Check style, types, layers and run all tests but those on Apache Spark
	@$(MAKE) --no-print-directory -j 2 types suite

# Types are checked beside the first tests, which wait for an Airflow to start.
suite: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder --randomly-dont-reorganize -m "not spark and not superset and not metricflow and not snowflake"

lint: style types ## Check style and types only

style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP) ## Run the fast tests only, and print how much of the engine they cover
	$(BIN)/python -m pytest -q -n 2 tests/unit --cov --cov-report=term --cov-fail-under=85

docs: $(STAMP) ## Build the site of the documentation into build/site, strictly: pages, links and anchors are checked
	@test -x $(BIN)/mkdocs || { echo "The site is built with Python 3.11.5 or newer; name one with PYTHON=/path/to/python, after make clean"; exit 1; }
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Open build/site/index.html"

screenshots: $(STAMP) ## Make the pictures of the documentation anew, in a real Airflow and a browser (two minutes)
	PYTHONPATH=.:dags/demo $(BIN)/python -m tests.support.docs_screenshots docs/images

page: $(STAMP) ## Generate the client of the Aggregates page, check the page and build its bundle (Node 20.19 or newer)
	$(BIN)/python -m tests.support.api_description
	cd airflow_atscale_aggs/plugins/www && npm ci && npm run generate && npm run check

.PHONY: reference
reference: $(STAMP) ## Make the pages anew that are made from code: settings, verbs, operators, REST, SML by example, troubleshooting
	$(BIN)/python -m tests.reference_pages

browser: $(STAMP) ## Look at the page in a browser in all its states (SHOTS=folder writes what is seen)
	BROWSER_LONG=1 $(BIN)/python -m pytest tests/browser -p no:randomly

chromium: ## Install the browser of these tests, where that is possible without asking (root, apt-get)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Chromium ..." \
			&& timeout 300 sh -c 'apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium' >/dev/null 2>&1; } \
		|| echo "Chromium is not here and cannot be installed: the browser tests are skipped."

clients: ## Install pgjdbc and psqlODBC, which tests of `serve` use, where that is possible without asking (root, apt-get)
	@{ test -f /usr/share/java/postgresql.jar && command -v isql >/dev/null; } \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing pgjdbc and psqlODBC ..." \
			&& timeout 300 sh -c 'apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libpostgresql-jdbc-java odbc-postgresql unixodbc' >/dev/null 2>&1; } \
		|| echo "pgjdbc and psqlODBC are not here and cannot be installed: their tests are skipped."

fuzz: $(STAMP) ## Run the property and kill tests and the calls of the API with many examples, then the readers and `serve` for an hour each (FUZZ_EXAMPLES=2000 FUZZ_SECONDS=3600)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/properties tests/integration/test_kill_and_resume.py tests/integration/test_kill_incremental.py tests/integration/test_registry_of_every_version.py
	FUZZ_EXAMPLES=$$(( $(FUZZ_EXAMPLES) / 40 )) $(BIN)/python -m pytest tests/airflow/api/test_schema.py
	FUZZ_EXAMPLES=$$(( $(FUZZ_EXAMPLES) / 40 )) FUZZ_REGISTRY=postgres $(BIN)/python -m pytest tests/airflow/api/test_schema.py
	$(BIN)/python tests/fuzz/for_an_hour.py model --seconds $(FUZZ_SECONDS)
	$(BIN)/python tests/fuzz/for_an_hour.py sql --seconds $(FUZZ_SECONDS)
	$(BIN)/python tests/fuzz/for_an_hour.py mdx --seconds $(FUZZ_SECONDS)
	$(BIN)/python tests/fuzz/for_an_hour.py wire --seconds $(FUZZ_SECONDS)
	$(BIN)/python tests/fuzz/for_an_hour.py wire_on_postgres --seconds $(FUZZ_SECONDS)

spark: $(STAMP) ## Install Apache Spark into .cache/spark and run a short form of the tests on it, where Java is (500 MB)
	@if command -v java >/dev/null; then \
		$(MAKE) --no-print-directory $(SPARK)/.installed && $(BIN)/python -m pytest -m spark tests/integration/spark; \
	else echo "Nothing was run on Apache Spark: there is no Java here."; fi

$(SPARK)/.installed: $(STAMP)
	@echo "Installing Apache Spark $(SPARK_VERSION) into $(SPARK) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(SPARK) pyspark==$(SPARK_VERSION)
	@touch $@

downloads: $(FAKESNOW)/.installed ## Install what `make snowflake` and `make spark` need, and run nothing
	@if command -v java >/dev/null; then $(MAKE) --no-print-directory $(SPARK)/.installed; fi

snowflake: $(STAMP) $(FAKESNOW)/.installed ## Install the emulator fakesnow and Airflow's Snowflake provider into .cache/fakesnow, and run the tests on it (300 MB)
	$(BIN)/python -m pytest -m snowflake tests/integration/snowflake tests/airflow/test_snowflake_connection.py

# The provider goes without its dependencies: its Snowpark operators need another protobuf than Airflow's own constraints.
$(FAKESNOW)/.installed: $(STAMP) tests/support/fakesnow_constraints.txt
	@echo "Installing fakesnow into $(FAKESNOW) ..."
	@$(PYTHON) -m venv $(FAKESNOW)
	@$(FAKESNOW)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/support/fakesnow_constraints.txt
	@$(FAKESNOW)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(FAKESNOW)/provider \
		apache-airflow-providers-snowflake==$(SNOWFLAKE_PROVIDER_VERSION)
	@touch $@

superset: $(STAMP) $(SUPERSET)/.installed ## Install Apache Superset into .cache/superset, connect it to `serve` and draw charts in a browser (700 MB; SHOTS=folder)
	$(BIN)/python -m pytest -m superset tests/superset -p no:randomly

$(SUPERSET)/.installed: $(STAMP) tests/support/superset_constraints.txt
	@echo "Installing Apache Superset into $(SUPERSET) ..."
	@$(PYTHON) -m venv $(SUPERSET)
	@UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --python $(SUPERSET)/bin/python --no-deps -r tests/support/superset_constraints.txt \
		|| $(SUPERSET)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/support/superset_constraints.txt
	@touch $@

.PHONY: metricflow
metricflow: $(STAMP) $(METRICFLOW)/.installed ## Install dbt and MetricFlow into .cache/metricflow, and ask them what converted models answer (200 MB, two minutes)
	$(BIN)/python -m pytest -m metricflow tests/integration/metricflow

.PHONY: cosmos
cosmos: $(STAMP) $(METRICFLOW)/.installed $(COSMOS)/.installed ## Install Cosmos into .cache/cosmos, and run a batch after dbt in one DAG (20 MB, and what `make metricflow` installs)
	$(BIN)/python -m pytest -m metricflow tests/airflow/test_cosmos_dag.py

# Airflow is not installed again: Cosmos takes the one that is there.
$(COSMOS)/.installed: $(STAMP) tests/support/cosmos_constraints.txt
	@echo "Installing Cosmos into $(COSMOS) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(COSMOS) -r tests/support/cosmos_constraints.txt
	@touch $@

$(METRICFLOW)/.installed: $(STAMP) tests/support/metricflow_constraints.txt
	@echo "Installing dbt and MetricFlow into $(METRICFLOW) ..."
	@$(PYTHON) -m venv $(METRICFLOW)
	@UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --python $(METRICFLOW)/bin/python --no-deps -r tests/support/metricflow_constraints.txt \
		|| $(METRICFLOW)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/support/metricflow_constraints.txt
	@touch $@

chaos: $(STAMP) ## Kill pieces of a real Airflow two hundred times, and let servers and clients of `serve` be away (KILLS=200 EXECUTOR=local|celery, an hour)
	$(BIN)/python tests/chaos/chaos.py --kills $(KILLS) --executor $(EXECUTOR)
	$(BIN)/python -m tests.chaos.serve_chaos --rounds 3 --seconds 60

install-check: $(STAMP) ## Install the wheel of the tree beside a fresh Airflow on Python 3.11, 3.12 and 3.13, and use it (WHEEL=file PYTHONS="3.12")
	$(BIN)/python -m tests.packaging.install_check $(if $(WHEEL),--wheel $(WHEEL)) $(PYTHONS)

newcomer: $(STAMP) ## Go from an empty environment and tables without a model to a green batch in a real Airflow, without editing a file
	PYTHONPATH=dags/demo $(BIN)/python -m tests.newcomer.newcomer

walk: $(STAMP) ## Follow tutorial, README and installing.md to the letter in an empty Debian root (needs root and mmdebstrap; eight minutes)
	PYTHONPATH=dags/demo $(BIN)/python -m tests.newcomer.walk

demo: $(STAMP) ## Start a real Airflow with our DAGs on generated data (WAIT=0 exits when done)
	$(BIN)/python dags/demo/run_demo.py

spark-demo: $(STAMP) ## The same on Sail, a server of Spark Connect, and compare all aggregates with DuckDB's (WAIT=0 exits when done)
	$(BIN)/python dags/demo/run_spark_demo.py

bench: $(STAMP) ## Run the benchmarks (an hour)
	$(BIN)/python benchmarks/batch_build.py trivial
	$(BIN)/python benchmarks/batch_build.py overhead
	$(BIN)/python benchmarks/batch_build.py lattice
	$(BIN)/python benchmarks/verification.py
	$(BIN)/python benchmarks/routing.py rewrite
	$(BIN)/python benchmarks/answering.py ssb
	$(BIN)/python benchmarks/incremental.py
	$(BIN)/python benchmarks/advising.py choose
	$(BIN)/python benchmarks/replay.py ssb
	$(BIN)/python benchmarks/transfer.py
	$(BIN)/python benchmarks/api.py
	$(BIN)/python benchmarks/registry.py

short-forms: $(STAMP) ## Measure a short form of each goal of speed, and fail where one is worse than its goal by half (five minutes)
	$(BIN)/python benchmarks/short_forms.py

clean: ## Remove the environment, the demo and caches
	rm -rf $(VENV) .demo .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
