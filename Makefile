# Each target only calls its code in tools/; `make` alone lists them.
PYTHON ?= python3

help:
	@$(PYTHON) -m tools

book:
	@$(PYTHON) -m tools book

test:
	@$(PYTHON) -m tools test $(LANES)

lab:
	@$(PYTHON) -m tools lab

serve:
	@$(PYTHON) -m tools serve $(if $(PORT),--port "$(PORT)")

notebooks:
	@$(PYTHON) -m tools notebooks $(ARGS)

bench:
	@$(PYTHON) -m tools bench $(ARGS)

wheel:
	@$(PYTHON) -m tools wheel

publish:
	@$(PYTHON) -m tools publish --url "$(URL)" $(if $(TAG),--tag "$(TAG)")

.PHONY: help book test lab serve notebooks bench wheel publish
