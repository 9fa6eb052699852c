# Every target does its own set-up, in a fresh clone too. `make` alone prints the targets.

PYTHON ?= python3
UV ?= uv

PY := .venv/bin/python
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check --no-input
NODE_CLIENTS := tests/clients/node
NODE_INSTALLED := $(NODE_CLIENTS)/node_modules/.package-lock.json
# The oldest pytest we support, for the tests that run the plugin with it.
PYTEST_LOWEST := build/pytest-lowest
# The AWS CLI and aiobotocore pin a botocore of their own.
AWS_CLIENTS := build/aws-clients
# LiteLLM pins an openai of its own; its responses() is not without its extra `mcp`.
LITELLM := build/litellm
# Frameworks for agents, beside what .venv has: LangSmith's plugin would be loaded by every pytest there.
AGENTS := build/agents

.DEFAULT_GOAL := help
.PHONY: help run test lint lock readme clean chromium

help:
	@echo 'make run    run the suite against its own mock over every API; report in build/report/report.html'
	@echo 'make test   run all tests (needs Node >= 20 with npm for the JavaScript clients)'
	@echo 'make lint   ruff check, ruff format --check, mypy --strict'
	@echo 'make lock   write the lock files anew, with the newest versions (needs uv and npm)'
	@echo 'make readme write the generated parts of README.md anew'
	@echo 'make clean  remove build/, dist/ and the caches; .venv and node_modules stay'

run: .venv/.installed
	@.venv/bin/conformance run --report-dir build/report

test: .venv/.installed $(NODE_INSTALLED) $(PYTEST_LOWEST)/.installed $(AWS_CLIENTS)/.installed $(LITELLM)/.installed $(AGENTS)/.installed \
		chromium
	@$(PY) -m pytest -n 2

lint: .venv/.installed
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy

lock:
	@command -v $(UV) >/dev/null || { echo 'make lock needs uv: pip install uv, or UV=path/to/uv' >&2; exit 1; }
	@$(UV) pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --upgrade --quiet --custom-compile-command 'make lock' -o requirements.lock
	@echo 'pytest==8.0.0' | $(UV) pip compile - --universal --python-version 3.11 --generate-hashes \
		--upgrade --quiet --custom-compile-command 'make lock' -o requirements-pytest-lowest.lock
	@printf 'awscli\naiobotocore\n' | $(UV) pip compile - --universal --python-version 3.11 --generate-hashes \
		--upgrade --quiet --custom-compile-command 'make lock' -o requirements-aws-clients.lock
	@echo 'litellm[mcp]' | $(UV) pip compile - --universal --python-version 3.11 --generate-hashes \
		--upgrade --quiet --custom-compile-command 'make lock' -o requirements-litellm.lock
	@printf 'openai-agents\npydantic-ai-slim[openai,bedrock,mistral]\nlangchain-openai\nlanggraph\n' | $(UV) pip compile - \
		--universal --python-version 3.11 --generate-hashes --upgrade --quiet --custom-compile-command 'make lock' \
		-c requirements.lock $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.lock) \
		-o requirements-agents.lock
	@cd $(NODE_CLIENTS) && rm -f package-lock.json && npm install --package-lock-only

readme: .venv/.installed
	@$(PY) tests/readme.py
	@$(PY) tests/coverage_table.py

clean:
	@rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .mockserver
	@find conformance mockserver tests -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: requirements.lock pyproject.toml
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv || { \
		echo 'Expected Python >= 3.11 that can make a virtual environment.' >&2; \
		echo 'On Debian: apt-get install python3-venv. Another Python: make PYTHON=python3.12' >&2; exit 1; }
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Expected Python >= 3.11, got $$($(PY) --version) in .venv." >&2; \
		echo 'Remove .venv and name a newer one: make PYTHON=python3.12' >&2; exit 1; }
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(NODE_INSTALLED): $(NODE_CLIENTS)/package-lock.json
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { \
		echo "Expected Node >= 20 with npm, got $$(node --version 2>/dev/null || echo none)." >&2; \
		echo 'The tests run the JavaScript clients. Install Node; on Debian 13: apt-get install nodejs npm' >&2; \
		exit 1; }
	@cd $(NODE_CLIENTS) && npm ci --ignore-scripts --silent
	@touch $@

$(PYTEST_LOWEST)/.installed: requirements-pytest-lowest.lock .venv/.installed
	@rm -rf $(PYTEST_LOWEST)
	@$(PIP_INSTALL) --target $(PYTEST_LOWEST) --require-hashes -r requirements-pytest-lowest.lock
	@touch $@

$(AWS_CLIENTS)/.installed: requirements-aws-clients.lock .venv/.installed
	@rm -rf $(AWS_CLIENTS)
	@$(PIP_INSTALL) --no-deps --target $(AWS_CLIENTS) --require-hashes -r requirements-aws-clients.lock
	@touch $@

$(LITELLM)/.installed: requirements-litellm.lock .venv/.installed
	@rm -rf $(LITELLM)
	@$(PIP_INSTALL) --no-deps --target $(LITELLM) --require-hashes -r requirements-litellm.lock
	@touch $@

$(AGENTS)/.installed: requirements-agents.lock .venv/.installed
	@rm -rf $(AGENTS)
	@$(PIP_INSTALL) --no-deps --target $(AGENTS) --require-hashes -r requirements-agents.lock
	@touch $@

# Where we may install it we do; elsewhere the browser's own test says that it is missing.
chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
		echo 'No Chromium found: the browser tests need it. On Debian: apt-get install chromium' >&2; \
	fi
