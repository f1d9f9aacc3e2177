"""The documentation keeps up with the program: pages, links, commands, options, labels and names exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = [*PAGES, ROOT / "README.md", *sorted((ROOT / ".napari-hub").glob("*.md"))]
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages_in(nav: list) -> list[str]:
    """Return the files that a navigation of mkdocs names, at any depth."""
    pages = []
    for entry in nav:
        for value in entry.values():
            pages += pages_in(value) if isinstance(value, list) else [value]
    return pages


@pytest.fixture(scope="module")
def commands():
    """Name -> the options of each command of the shell, and of the commands below it."""
    import typer

    from napari_rdl.cli import app

    return {
        name: {
            option
            for one in (command, *getattr(command, "commands", {}).values())
            for parameter in one.params
            for option in (*parameter.opts, *parameter.secondary_opts)
            if option.startswith("--")
        }
        for name, command in typer.main.get_command(app).commands.items()
    }


def shell_lines(text: str) -> list[tuple[str, set[str]]]:
    """Return command and options of each line `napari-rdl COMMAND …`, in code blocks and in the text."""
    lines = re.findall(
        r"napari-rdl ([a-z]+)\b([^\n`#]*)", "\n".join(re.findall(r"```sh\n.*?```", text, re.S))
    )
    lines += re.findall(r"`napari-rdl ([a-z]+)\b([^`]*)`", _CODE.sub("", text))
    return [(command, set(re.findall(r"--[a-z][a-z0-9-]+", rest))) for command, rest in lines]


def test_every_row_of_the_page_on_reliability_is_a_test():
    text, _, _ = (DOCS / "reliability.md").read_text("utf-8").partition("## Drawn damage")
    rows = re.findall(r"^\| (?!what is|---)(.*) \|$", text, re.M)
    assert len(rows) > 30
    for row in rows:
        path, name = row.split(" | ")[-1].strip("`").split("::")
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text("utf-8"), re.M), name


def test_the_navigation_has_every_page_once_and_no_other():
    nav = pages_in(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    assert sorted(nav) == [path.name for path in PAGES]


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_what_is_linked_exists(path):
    text = _CODE.sub("", path.read_text("utf-8"))
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", text)
    here = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in here if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_commands_in_examples_exist_and_have_their_options(path, commands):
    for command, options in shell_lines(path.read_text("utf-8")):
        assert command in commands
        assert options <= commands[command] | {"--help"}, command


def test_the_shell_page_has_every_command_and_option_and_no_other(commands):
    intro, *parts = re.split(r"^## ", (DOCS / "shell.md").read_text("utf-8"), flags=re.MULTILINE)
    sections = {part.partition("\n")[0]: part for part in parts}
    assert sections.keys() == commands.keys()
    for command, part in sections.items():
        assert set(re.findall(r"--[a-z][a-z0-9-]+", part)) == commands[command] - {"--help"}, command
    assert set(re.findall(r"--[a-z][a-z0-9-]+", intro)) <= set().union(*commands.values(), {"--help"})


@pytest.mark.parametrize(
    ("page", "widget"),
    [("segment.md", "SegmentWidget"), ("compare.md", "CompareWidget"), ("train.md", "TrainWidget")],
)
def test_controls_have_the_labels_of_their_widget(page, widget, make_napari_viewer):
    from qtpy.QtWidgets import QAbstractButton, QLabel, QTabWidget
    from superqt import QCollapsible

    room = importlib.import_module(f"napari_rdl.plugin.{page.removesuffix('.md')}.widget")
    viewer = make_napari_viewer()
    made = getattr(room, widget)(viewer)
    viewer.window.add_dock_widget(made)
    shown = {
        *(
            part.text()
            for kind in (QLabel, QAbstractButton, QCollapsible)
            for part in made.findChildren(kind)
        ),
        *(tabs.tabText(number) for tabs in made.findChildren(QTabWidget) for number in range(tabs.count())),
    }
    made.shut_down()
    rows = re.findall(r"^\| (.*?) \|", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    labels = [label for row in rows for label in re.findall(r"\*\*(.+?)\*\*", row)]
    assert len(labels) >= 8
    assert [label for label in labels if label not in shown] == []


def test_the_method_page_names_code_that_exists():
    text = (DOCS / "method.md").read_text("utf-8")
    rows = re.findall(r"^\| .+? \| (`[^|]+\.py`) \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(rows) >= 15
    for modules, names in rows:
        code = "".join(
            (ROOT / "src/napari_rdl" / module).read_text("utf-8")
            for module in re.findall(r"`(.+?)`", modules)
        )
        for name in re.findall(r"`(.+?)`", names):
            assert re.search(rf"^ *(def|class) {name.rpartition('.')[2]}\b", code, re.MULTILINE), name


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_modules_that_are_named_are_there(path):
    named = set(re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|yaml|json5?))`", path.read_text("utf-8")))
    modules = {name for name in named if name.endswith(".py") or name in ("pyproject.toml", "napari.yaml")}
    places = (ROOT, ROOT / "src/napari_rdl", path.parent)
    assert [name for name in sorted(modules) if not any((place / name).is_file() for place in places)] == []


def test_the_tree_of_rooms_is_that_of_the_code():
    """Every folder of the code and every module at its top has a line, and no other has."""
    text = (DOCS / "develop.md").read_text("utf-8")
    (tree,) = re.findall(r"^src/napari_rdl/\n(.*?)^tests/", text, re.MULTILINE | re.DOTALL)
    rooms, found = [], set()
    for indent, name in re.findall(r"^( +)(\S+)", tree, re.MULTILINE):
        rooms = [*rooms[: len(indent) // 2 - 1], name]
        found.add("".join(rooms))
    code = ROOT / "src/napari_rdl"
    packages = {file.parent.relative_to(code).as_posix() + "/" for file in code.glob("*/**/__init__.py")}
    modules = {file.name for file in code.glob("[!_]*.py")}
    assert found == packages - {"training/recipes/"} | modules
