"""The house rules that a reader relies on: who imports whom, and how long a module is."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("keras_bert", "data_gen", "exports")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SOURCES = [*MODULES, *sorted((ROOT / "examples").glob("*.py")), *sorted(ROOT.glob("tests/**/*.py"))]

# Inside keras_bert a room imports only from rooms to its left.
ROOMS = (
    (
        "errors",
        "failures",
        "interruption",
        "ranges",
        "outputs",
        "keras_internals",
        "reading",
        "published_configurations",
        "atomic",
        "command_line",
        "page",
        "figures",
    ),
    ("config", "prepared_data"),
    ("records", "text", "layers", "checkpoints"),
    ("models",),
    ("inference",),
    ("tasks",),
    ("reports",),
    ("training",),
    ("__main__",),
)
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imports(path):
    """All modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module
            # `from keras_bert.checkpoints import huggingface` names a module too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


NEUTRAL = ("layers", "models", "checkpoints", "config")
# Checkpoints in TensorFlow's own formats, whose import waits for the first of them, and kernels and
# training that are loaded under its backend alone.
TENSORFLOW_MODULES = (
    "google",
    "model_garden",
    "object_graph",
    "saved_model_signature",
    "splitting",
    "tensorflow_gradients",
    "tensorflow_kernels",
    "tensorflow_step",
    "tensorflow_trainer",
    "tensorflow_update",
)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_module_exceeds_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_packages_import_one_way(path):
    package, *rest = path.relative_to(ROOT).with_suffix("").parts
    found = {module.split(".")[0] for module in imports(path)}
    forbidden = {
        "keras_bert": {"data_gen", "exports", "tests"},
        "data_gen": {"exports", "tests"},
        "exports": {"data_gen", "tests"},
    }[package]
    assert not found & forbidden
    if package == "keras_bert" and rest[0] != "__init__":
        own = LEVELS[rest[0]]
        for module in imports(path):
            parts = module.split(".")
            if parts[0] == "keras_bert" and len(parts) > 1 and parts[1] in LEVELS:
                other = LEVELS[parts[1]]
                assert other < own or parts[1] == rest[0] or own == other == 0, module
    if package == "keras_bert" and rest[-1] not in TENSORFLOW_MODULES and rest[0] in NEUTRAL:
        assert not found & {"tensorflow", "tensorflow_text"}


def test_every_room_is_known():
    names = {
        path.relative_to(ROOT / "keras_bert").parts[0]
        for path in MODULES
        if path.is_relative_to(ROOT / "keras_bert")
    }
    rooms = {name.removesuffix(".py") for name in names} - {"__init__"}
    assert rooms == set(LEVELS)


def test_there_is_no_drawer_for_leftovers():
    assert not [path for path in SOURCES if re.fullmatch(r"(utils?|helpers|misc)\.py", path.name)]


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import keras_bert, sys; assert 'BertConfig' in dir(keras_bert); keras_bert.BertConfig; "
        "print(sorted({'keras', 'tensorflow', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_public_name_loads():
    import keras_bert

    for name in keras_bert.__all__:
        assert getattr(keras_bert, name) is not None
    with pytest.raises(AttributeError, match="BertNothing"):
        keras_bert.BertNothing  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_help_is_quick_and_explains_every_flag(package):
    """Help must not wait for TensorFlow, and each flag has words of its own."""
    module = __import__(f"{package}.__main__", fromlist=["COMMANDS"])
    for name, command in module.COMMANDS.items():
        code = (
            f"import sys; from {package}.__main__ import main\n"
            f"try: main(['{name}', '--help'])\n"
            "finally: assert not {'tensorflow', 'keras'} & set(sys.modules)"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        words = " ".join(result.stdout.split())
        for field in command.options.__dataclass_fields__.values():
            assert len(field.metadata["help"]) >= 9
            assert field.name.replace("_", "-") in words or field.metadata["positional"]
