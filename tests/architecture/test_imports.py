"""Every module imports alone; `import microtome` and every --help are quick because they load next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.source_tree import module_name, python_files

HEAVY = {"torch", "torchvision", "timm", "transformers", "datasets", "numba", "pyarrow", "duckdb", "sklearn", "scipy"}

# Each module is imported in a process of its own, forked from one that has loaded other people's packages and
# none of ours: alone as far as microtome goes, without three seconds of torch for each of them.
ALONE = """
import json, os, sys, traceback
import numba, numpy, PIL.Image, pyarrow.parquet, torch
names = json.loads(sys.stdin.read())
assert not any(name.startswith("microtome") for name in sys.modules)
failed = {}
for name in names:
    end, start = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        try:
            __import__(name)
        except BaseException:
            os.write(start, traceback.format_exc()[-2000:].encode())
            os._exit(1)
        os._exit(0)
    os.close(start)
    said = os.fdopen(end, "rb").read().decode()
    if os.waitpid(child, 0)[1]:
        failed[name] = said
print(json.dumps(failed))
"""


def fresh(code: str, *arguments: str, stdin: str = "") -> str:
    """What the code prints in a new interpreter."""
    outcome = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_every_module_imports_alone() -> None:
    names = [module_name(path) for path in python_files()]
    assert len(names) > 100
    assert json.loads(fresh(ALONE, stdin=json.dumps(names))) == {}


def test_a_module_that_needs_another_first_is_caught(tmp_path) -> None:
    (tmp_path / "one.py").write_text("import two\nvalue = 1\n")
    (tmp_path / "two.py").write_text("import one\nother = one.value\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{ALONE}"
    failed = json.loads(fresh(code, stdin=json.dumps(["one", "two"])))
    # `two` first works by luck, `one` first does not: only a fresh process for each tells.
    assert set(failed) == {"one"}
    assert "AttributeError" in failed["one"]


def test_import_microtome_loads_next_to_nothing() -> None:
    code = "import json, sys; import microtome; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(fresh(code)))
    assert "microtome" in loaded
    assert loaded & (HEAVY | {"numpy", "PIL", "rich", "typer"}) == set()


def test_import_microtome_costs_under_half_a_second() -> None:
    # Processor time inside the new interpreter: what else the machine does is not counted.
    code = "import time; start = time.process_time(); import microtome; print(time.process_time() - start)"
    assert min(float(fresh(code)) for _ in range(3)) < 0.5


def test_public_names_load_when_asked_for() -> None:
    code = "import microtome as m; print(*[f'{n}:{type(getattr(m, n)).__name__}' for n in m.__all__])"
    shown = fresh(code)
    assert "load:function" in shown
    assert "Model:type" in shown
    said = fresh("import microtome\ntry:\n    microtome.absent\nexcept AttributeError as e:\n    print(e)")
    assert "no attribute 'absent'" in said


COMMANDS = [
    [],
    ["dissect"],
    ["edit"],
    ["audit"],
    ["explain"],
    ["demo"],
    ["layers"],
    ["report"],
    ["query"],
    ["data"],
    ["data", "check"],
    ["world"],
    ["world", "preview"],
]

HELP = """
import json, sys
from microtome.cli.main import run
sys.argv = ["microtome", *json.loads(sys.argv[1]), "--help"]
try:
    run()
except SystemExit as stop:
    assert not stop.code, stop.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "microtome")
def test_help_loads_no_torch(command: list[str]) -> None:
    shown, _, modules = fresh(HELP, json.dumps(command)).strip().rpartition("\n")
    assert "Usage: microtome" in shown
    assert set(json.loads(modules)) & HEAVY == set()


def test_every_command_is_asked_for_help() -> None:
    from microtome.cli import data, world
    from microtome.cli.main import app

    names = [(command.name,) for command in app.registered_commands]
    for group, sub in (("data", data.app), ("world", world.app)):
        names += [(group,), *((group, getattr(c.callback, "__name__", "")) for c in sub.registered_commands)]
    assert set(names) == {tuple(command) for command in COMMANDS if command}
