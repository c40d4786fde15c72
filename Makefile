# Everything that a person does with this repository. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO ?= go
# Where all state of the development cluster is.
SOMA_DEV_DIR ?= $(CURDIR)/.soma
export SOMA_DEV_DIR

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || true)
VERSION_PACKAGE := github.com/soma-platform/soma/internal/platform/version
LDFLAGS := -s -w -X $(VERSION_PACKAGE).version=$(VERSION) -X $(VERSION_PACKAGE).commit=$(COMMIT)
STATIC := CGO_ENABLED=0
BUILD := $(STATIC) $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'

TOOL := $(GO) tool -modfile=hack/tools/go.mod
# Linters and tests compile as the programs are built, so that on an empty cache nothing is compiled twice.
ALIKE := CGO_ENABLED=0 GOFLAGS='$(strip $(GOFLAGS) -trimpath)'

DEVCLUSTER := $(SOMA_DEV_DIR)/bin/devcluster --root $(CURDIR) --dir $(SOMA_DEV_DIR)
# Whether there is what it builds.
BUILT := [[ -e $(SOMA_DEV_DIR)/bin/kube && -e $(SOMA_DEV_DIR)/bin/dex && $(SOMA_DEV_DIR)/bin/traefik -nt hack/traefik/go.mod ]]

# The modules of the repository: the product's, and those that only build and test it.
MODULES := . hack/devcluster hack/dex hack/images hack/manifests
# Its tests need a development cluster.
DRIVEN := test/browser
# What takes minutes to compile is held tidy alone: programs that Soma is measured against are compiled by `make bench-kueue` and
# `make bench-gateway`, Traefik for the development cluster.
MEASURED := test/performance/kueue test/performance/oauth2proxy hack/traefik

##@ The development cluster

.PHONY: up
up: images ## Bring a real Kubernetes with Soma up on this machine (NODES=4 simulated nodes, without it as many as before)
	$(DEVCLUSTER) up

.PHONY: down
down: ## End the development cluster; its data stays (PURGE=1 removes it)
	@if [ -x $(SOMA_DEV_DIR)/bin/devcluster ]; then $(DEVCLUSTER) down $(if $(PURGE),--purge); else echo 'There is no cluster in $(SOMA_DEV_DIR).'; fi

.PHONY: deploy-dev
deploy-dev: images ## Put what changed of Soma onto the development cluster: the loop of who works on it
	$(DEVCLUSTER) import
	hack/deploy/dev
	hack/deploy/sign-in-link

##@ Any other cluster

.PHONY: deploy
deploy: ## Put Soma onto the cluster of KUBECONFIG (SOMA_DATABASE_URL, MANAGER_IMAGE, HISTORY_IMAGE)
	hack/deploy/any

.PHONY: undeploy
undeploy: ## Remove Soma from the cluster of KUBECONFIG, with all projects and jobs
	hack/deploy/remove

##@ Build

.PHONY: build
build: ## Build bin/manager, bin/history, bin/gateway and bin/soma
	$(BUILD) -o bin/ ./cmd/...
	ln -sf soma bin/kubectl-soma

.PHONY: images
images: build devcluster ## Make the container images that changed, into .soma/images
	$(STATIC) $(GO) -C hack/images build -trimpath -buildvcs=false -o ../../bin/images .
	bin/images build --out $(SOMA_DEV_DIR)/images --traefik $(SOMA_DEV_DIR)/bin/traefik

# The program is always current; what it builds itself, Kubernetes and the rest, `make up` keeps current, and Traefik this: there is an
# image of it.
.PHONY: devcluster
devcluster:
	@$(BUILT) || echo 'Building the development cluster (the first time this takes several minutes) …'
	@$(STATIC) $(GO) -C hack/devcluster build -mod=readonly -buildvcs=false -trimpath -ldflags '-s -w' -o $(SOMA_DEV_DIR)/bin/ .
	@$(BUILT) || $(DEVCLUSTER) build

.PHONY: generate
generate: ## Generate code, manifests and the reference from the types
	$(ALIKE) hack/generate

##@ Checks

# Left out is what only starts programs of Kubernetes: the linters would read all of Kubernetes for those few lines.
.PHONY: lint
lint: ## Run the linters (.golangci.yml)
	linter=$$($(GO) tool -modfile=hack/tools/lint/go.mod -n golangci-lint); \
	for module in $(MODULES) $(DRIVEN); do (cd $$module && $(ALIKE) $$linter run --allow-serial-runners --config $(CURDIR)/.golangci.yml \
	  $$(cd $(CURDIR)/$$module && $(GO) list -f '{{.Dir}}' ./... | grep -v /devcluster/cmd/)); done

.PHONY: verify
verify: ## Check that what is generated is current, layers hold, modules are tidy, manifests are valid
	$(ALIKE) hack/verify $(MODULES) $(DRIVEN) $(MEASURED)

.PHONY: test
test: test-unit test-integration test-e2e ## Run all tests; needs `make up`

.PHONY: test-unit
test-unit: devcluster ## Run the tests that need no cluster
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin $(GO) test -race $$($(GO) list ./... | grep -Ev '/test/(e2e|faults|integration)')
	for module in $(filter-out .,$(MODULES)); do $(ALIKE) $(GO) -C $$module test ./...; done

.PHONY: test-integration
test-integration: build devcluster ## Run the suites against a real API server, and a part of test-faults
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin SOMA_FAULT_SEED=$(or $(SEED),1) $(GO) test -race -timeout 15m ./test/integration/... ./test/faults

# How many parts of the fault tests run side by side, each with an API server of its own: they wait more than they work.
PARTS ?= 1
.PHONY: test-faults
test-faults: build devcluster ## Kill the manager at every write, pause it, show it the past (hours; PARTS=3 side by side; FAULT= RUN= SEED= to do one again; test/faults/README.md)
	export KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin SOMA_FAULTS=all SOMA_FAULT='$(FAULT)' SOMA_FAULT_SEED='$(SEED)'; \
	run() { $(ALIKE) $(GO) test -v -count 1 -timeout 6h ./test/faults -run '^$(if $(FAULT),TestKilledAtEveryWrite,$(or $(RUN),Test.*))$$'; }; \
	if [ $(PARTS) = 1 ]; then run; exit; fi; \
	parts=(); for part in $$(seq $(PARTS)); do SOMA_FAULT_PART=$$part/$(PARTS) run 2>&1 | sed -u "s|^|$$part: |" & parts+=($$!); done; \
	failed=0; for part in "$${parts[@]}"; do wait $$part || failed=1; done; exit $$failed

.PHONY: test-mutations
test-mutations: devcluster ## Break the scheduler on purpose in many ways; the tests have to notice each (FOCUS='of a quota' for some of them)
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin $(ALIKE) $(GO) run ./test/mutations -focus '$(FOCUS)'

# How long, for each of the tests, bytes are looked for that something does not stand.
FUZZTIME ?= 2m
.PHONY: test-fuzz
test-fuzz: ## Look for input that breaks a promise: of the scheduler, of the gateway, of addresses (FUZZTIME=10m for each, FUZZ=FuzzPath for one)
	grep -rnoE --include='*_test.go' '^func $(or $(FUZZ),Fuzz[A-Za-z]*)\(' internal controllers | sed -E 's|^(.*)/[^/]*:.*func (.*)\($$|\1 \2|' | while read -r folder test; do \
	  echo "$$folder $$test"; $(ALIKE) $(GO) test "./$$folder" -run '^$$' -fuzz "^$$test\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s </dev/null || exit 1; done

.PHONY: test-e2e
test-e2e: ## Run the end-to-end suite against KUBECONFIG, by default the development cluster (FOCUS=regexp for a part)
	hack/test-packages
	hack/with-cluster $(GO) test -timeout 30m -count 1 ./test/e2e/... $(if $(FOCUS),-ginkgo.focus '$(FOCUS)')
	if [ -z '$(FOCUS)' ] && [ -x $(SOMA_DEV_DIR)/bin/kube-apiserver ]; then \
	  KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin hack/with-cluster sh -c 'SOMA_TEST_CLUSTER=$$KUBECONFIG $(GO) test -count 1 ./internal/gateway/kubeproxy -run RealNode'; fi
	$(if $(FOCUS),,$(MAKE) test-browser)

.PHONY: test-browser
test-browser: ## Look at pages of jobs on the development cluster in a real browser (SOMA_BROWSER_SHOTS=folder keeps pictures)
	hack/test-packages
	hack/with-cluster $(GO) -C test/browser test -v -timeout 10m -count 1 .

.PHONY: test-e2e-kind
test-e2e-kind: ## Run the end-to-end suite in a new kind cluster (needs Docker and kind)
	hack/kind

.PHONY: bench
bench: ## Measure, side by side with bare pods and batch/v1 Jobs (up to 40 minutes; docs/performance.md; BENCH='-starts 5' for other settings)
	$(ALIKE) hack/with-cluster $(GO) run ./test/performance -budgets test/performance/budgets.yaml $(BENCH)

.PHONY: bench-writes
bench-writes: devcluster ## Measure what one write of a status costs the API server, in JSON and in CBOR (10 minutes)
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin $(ALIKE) $(GO) run ./test/performance/writes

.PHONY: bench-kueue
bench-kueue: devcluster ## Measure the scheduler side by side with Kueue's, on API servers of their own (an hour and more; BENCH='-part 5' for a fifth)
	$(STATIC) $(GO) -C test/performance/kueue build -trimpath -buildvcs=false -o $(CURDIR)/bin/kueue .
	kueue=$$($(GO) -C test/performance/kueue list -m -f '{{.Dir}}' sigs.k8s.io/kueue); \
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin $(ALIKE) $(GO) run ./test/performance/scheduler -kueue bin/kueue -kueue-crds $$kueue/config/components/crd/bases \
	  -budgets test/performance/scheduler/budgets.yaml $(BENCH)

.PHONY: bench-trace
bench-trace: ## Play a made trace of a GPU cluster to FIFO, Kueue's order, EASY backfill and Soma's engine, in simulated time (4 minutes; BENCH='-traces 20' for more)
	$(ALIKE) $(GO) run ./test/performance/trace -plot docs/performance-trace.svg -budgets test/performance/trace/budgets.yaml $(BENCH)

.PHONY: bench-engine
bench-engine: ## Measure the decisions of Soma's engine, without an API server (a minute)
	$(ALIKE) $(GO) test -run '^$$' -bench 'Decide|Churn|Displace|Fade|Forecast|Memory' ./internal/scheduling

.PHONY: bench-access
bench-access: devcluster ## Measure how soon what users may do is known to Kubernetes, on an API server of its own (10 minutes and more; BENCH='-users 1000' for fewer)
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin $(ALIKE) $(GO) run ./test/performance/access -budgets test/performance/access/budgets.yaml $(BENCH)

.PHONY: bench-gateway
bench-gateway: build devcluster ## Measure the gateway, side by side with oauth2-proxy and with the way without it (10 minutes; BENCH='-parts proxy' for a part)
	$(STATIC) $(GO) -C test/performance/oauth2proxy build -trimpath -buildvcs=false -o $(CURDIR)/bin/oauth2-proxy github.com/oauth2-proxy/oauth2-proxy/v7
	KUBEBUILDER_ASSETS=$(SOMA_DEV_DIR)/bin $(ALIKE) $(GO) run ./test/performance/gateway -gateway bin/gateway -oauth2-proxy bin/oauth2-proxy \
	  -budgets test/performance/gateway/budgets.yaml $(BENCH)

.PHONY: bench-history
bench-history: ## Measure pages out of 10 million records, in a PostgreSQL of its own (10 minutes and more, 20 GB of disk)
	$(ALIKE) $(GO) run ./test/performance/history

##@ Help

.PHONY: help
help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
