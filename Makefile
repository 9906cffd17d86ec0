# Everything a contributor runs. The only things needed on the machine are make and Python 3.11 or newer:
# each target builds .venv by itself and does nothing there while pyproject.toml is unchanged.
# PYTHON=/path/to/python chooses the interpreter; PYTEST_ARGS='-k name' goes to pytest; FUZZ_SECONDS bounds a fuzz run.

PYTHON =
PYTEST_ARGS =
FUZZ_SECONDS = 60
VENV = .venv
BIN = $(VENV)/bin
INSTALLERS = 'pip>=26' 'hatchling>=1.27'
BENCHES = bench/startup.py bench/ops.py bench/audit.py bench/usage.py bench/policy.py bench/bulk.py bench/many.py bench/serve.py

.PHONY: help demo test test-long interop fuzz lint bench docs clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.test ## a whole life of a vault in a temporary folder, each step as you would type it
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

test: $(VENV)/.test ## the tests, without those marked long
	@$(BIN)/python -m pytest -n auto --dist worksteal -q -m 'not long' $(PYTEST_ARGS)

test-long: $(VENV)/.test ## all tests, and properties with all of their examples
	@KMS_LONG=1 $(BIN)/python -m pytest -n auto --dist worksteal -q $(PYTEST_ARGS)

interop: $(VENV)/.interop ## the AWS CLI, SOPS and other AWS clients against the real endpoint
	@KMS_INTEROP=1 $(BIN)/python -m pytest -n auto --dist worksteal -q tests/interop $(PYTEST_ARGS)

fuzz: $(VENV)/.fuzz ## feed the readers of messages, texts and blobs what atheris makes, for FUZZ_SECONDS=60
	@for target in messages frames texts; do \
	  echo "== $$target"; \
	  $(BIN)/python tests/fuzz/fuzz.py $$target -max_total_time=$$(($(FUZZ_SECONDS) / 3)) -verbosity=0 -print_final_stats=1 || exit 1; \
	done

lint: $(VENV)/.lint ## ruff (rules and format) and mypy --strict, of the benches too, which no test runs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict kmscli
	@MYPYPATH=bench $(BIN)/mypy --strict bench

bench: $(VENV)/.test ## one script a figure, each prints a ratio measured in the same run
	@for script in $(BENCHES); do echo "== $$script"; PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.test ## write man/, completions/, docs/cli.md and docs/exit-codes.md again from the commands
	@$(BIN)/python -m kmscli.cli._docs .

clean: ## remove .venv and everything built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build backend is installed first and the build is not isolated, so that installing again after an edit of
# pyproject.toml needs no network as long as no new dependency was added. pip before 26 writes a console script that
# imports `re`, which makes every start of `kms` slower.
$(VENV)/.test: pyproject.toml $(VENV)/.python
	@echo "installing kmscli and its test tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INSTALLERS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[test]'
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@echo "installing the lint tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[lint]'
	@touch $@

# The S3 Encryption Client takes no cryptography that kms takes, so it has an environment of its own.
$(VENV)/.interop: $(VENV)/.test
	@echo "installing clients of the endpoint into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[interop]'
	@$(BIN)/python -m venv --clear --without-pip $(VENV)/s3-client
	@$(BIN)/python -m pip --python $(VENV)/s3-client/bin/python install --quiet --disable-pip-version-check --group s3-client
	@touch $@

# A wheel or nothing: building atheris takes a compiler with libFuzzer, and a long time.
$(VENV)/.fuzz: $(VENV)/.test
	@echo "installing the fuzzer into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --only-binary atheris -e '.[fuzz]'
	@touch $@

$(VENV)/.python:
	@python=; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "kms needs Python 3.11 or newer, and $(if $(PYTHON),$(PYTHON) is not one,none is on PATH): install it or name it with make PYTHON=/path/to/python." >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	  version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$python cannot make a virtual environment: install its venv module (Debian and Ubuntu: apt-get install python$$version-venv)." >&2; exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)
	@touch $@
