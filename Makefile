# `make demo` and `make test` need nothing but Python 3.10-3.12; everything else stands on their environments.

.PHONY: demo test lint bench fuzz mutants sweep golden environments clean

demo: .venv/ready
	.venv/bin/python examples/sentences.py

test: .venv/ready .venv-ttnn/ready
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest --numprocesses 2 --dist worksteal --quiet

lint: .venv/ready
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/pyright

bench: .venv/ready .venv-ttnn/ready
	.venv/bin/python -m bench

fuzz: .venv/ready
	.venv/bin/python -m tests.fuzz
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.differential

mutants: .venv/ready
	OMP_NUM_THREADS=1 .venv/bin/python -m tests.mutants --known build/mutants.txt --write

sweep: .venv/ready .venv-ttnn/ready
	.venv/bin/python -m pytest -m sweep

environments:
	scripts/try_environments

.venv/ready: pyproject.toml constraints.txt scripts/make_venv scripts/install_torch
	scripts/make_venv

.venv-ttnn/ready: constraints-ttnn.txt scripts/make_venv_ttnn
	scripts/make_venv_ttnn

golden: .venv/ready
	TTC_WRITE_GOLDEN=1 .venv/bin/python -m pytest --quiet tests/models/test_golden.py tests/calls/test_workspace.py

clean:
	rm -rf .venv .venv-ttnn
