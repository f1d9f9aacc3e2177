"""Ways to damage what a file holds, each drawn from a generator: bytes, JSON, settings in TOML, names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Rng = np.random.Generator
Damage = Callable[[bytes, Rng], tuple[bytes, str]]
"""Content, generator -> damaged content, and in words what was done to it."""

ODD_NAMES: tuple[str, ...] = (
    "",
    ".",
    "..",
    "../x",
    "/x",
    "~",
    "a/b",
    "a\\b",
    "=1+1",
    "-rf",
    "\x1b[31mred",
    "line\nbreak",
    "tab\t",
    "①²",
    "é" * 120,
    "x" * 300,
    "NUL",
    " ",
    "<b>x</b>",
    "| a | b |",
    "\u202ertl",
    "\ud800",
    "\0",
)
"""Names that a patient, a file or a field may have, in anger or by accident."""

_RAW = "raw-"
_RAW_TEXTS = (
    ("[" * 100_000, "nested without end"),
    ("9" * 5_000, "a number of 5,000 digits"),
    ("1e999", "a number that is infinite"),
    ("NaN", "NaN"),
    ("-Infinity", "minus infinity"),
    ("'x'", "single quotes"),
    ("", "nothing"),
)
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    5,
    0.5,
    1e-9,
    1e9,
    2**40,
    -(2**70),
    [],
    {},
    [[]],
    [None],
    {"": ""},
    "5",
    "x" * 100_000,
    *ODD_NAMES,
)
_ODD_TOML = (
    '"x"',
    "-1",
    "0",
    "1e999",
    "nan",
    "inf",
    "true",
    "[]",
    "[[]]",
    "{}",
    "[1, 'a']",
    "9" * 5_000,
    "[" * 5_000,
    '"""',
    "1979-05-27",
    '"\\ud800"',
    '"../x"',
    "",
)


def flip(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Change the bits of one byte."""
    place, change = int(rng.integers(len(content))), int(rng.integers(1, 256))
    damaged = bytearray(content)
    damaged[place] ^= change
    return bytes(damaged), f"byte {place} ^ {change}"


def flip_many(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Change up to twenty bytes."""
    count = int(rng.integers(2, 21))
    damaged = content
    for _ in range(count):
        damaged, _ = flip(damaged, rng)
    return damaged, f"{count} bytes changed"


def cut(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Leave out the end."""
    kept = int(rng.integers(len(content)))
    return content[:kept], f"cut after {kept} of {len(content)} bytes"


def leave_out(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Leave out a piece in the middle."""
    start = int(rng.integers(len(content)))
    length = int(rng.integers(1, max(len(content) // 4, 2)))
    return content[:start] + content[start + length :], f"{length} bytes left out at {start}"


def put_in(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Put foreign bytes in between."""
    start, length = int(rng.integers(len(content) + 1)), int(rng.integers(1, 200))
    return content[:start] + rng.bytes(length) + content[start:], f"{length} foreign bytes at {start}"


def blank(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Overwrite a piece with zeros, as a disk does that lost a block."""
    start = int(rng.integers(len(content)))
    length = min(int(rng.integers(1, 513)), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :], f"{length} zeros at {start}"


def swap(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Exchange beginning and end."""
    at = int(rng.integers(1, max(len(content), 2)))
    return content[at:] + content[:at], f"turned round at {at}"


def append(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Write on behind the end."""
    length = int(rng.integers(1, 1000))
    return content + rng.bytes(length), f"{length} bytes behind the end"


def empty(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Leave nothing."""
    return b"", "empty"


def noise(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Put noise in its place."""
    length = int(rng.integers(1, 2000))
    return rng.bytes(length), f"{length} bytes of noise"


BYTES: tuple[Damage, ...] = (flip, flip_many, cut, leave_out, put_in, blank, swap, append, empty, noise)
"""What a disk, a network or an editor does to a file."""


def within(start: int, stop: int) -> Damage:
    """Return a damage of a few bytes between two places, such as a header's."""

    def change(content: bytes, rng: Rng) -> tuple[bytes, str]:
        damaged = bytearray(content)
        places = [int(rng.integers(start, stop)) for _ in range(int(rng.integers(1, 5)))]
        for place in places:
            damaged[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
        return bytes(damaged), f"bytes {', '.join(map(str, places))} overwritten"

    return change


def of_json(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Give one value of a JSON file another kind, leave it out, or put in one that nobody knows."""
    root = json.loads(content)
    places = list(_places(root))
    parent, key, name = places[int(rng.integers(len(places)))]
    act = str(rng.choice(["value", "value", "value", "raw", "drop", "more", "root"]))
    if act == "root":
        value = _draw(_ODD_VALUES, rng)
        return _dump(value), f"the whole is {_short(value)}"
    if act == "raw":
        text, said = _draw(_RAW_TEXTS, rng)
        parent[key] = f"{_RAW}{_RAW}"
        return _dump(root).replace(f'"{_RAW}{_RAW}"'.encode(), text.encode()), f"{name} is {said}"
    if act == "drop":
        del parent[key]
        return _dump(root), f"{name} is missing"
    if act == "more" and isinstance(parent, dict):
        parent["unheard_of"] = parent[key]
        return _dump(root), f"unheard_of beside {name}"
    value = _draw(_ODD_VALUES, rng)
    parent[key] = value
    return _dump(root), f"{name} is {_short(value)}"


def of_toml(content: bytes, rng: Rng) -> tuple[bytes, str]:
    """Give one setting of a TOML file another value, or spoil its line."""
    lines = content.decode().splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"\s*\w+\s*=", line)]
    number = int(_draw(settings, rng))
    name, _, value = lines[number].partition("=")
    act = str(rng.choice(["value", "value", "value", "twice", "line", "key"]))
    if act == "value":
        value = _draw(_ODD_TOML, rng)
        lines[number] = f"{name}= {value}"
        said = f"{name.strip()} = {_short(value)}"
    elif act == "twice":
        lines.insert(number, lines[number])
        said = f"{name.strip()} twice"
    elif act == "line":
        lines[number] = lines[number].replace("=", " ")
        said = f"{name.strip()} without ="
    else:
        lines[number] = f"unheard_of ={value}"
        said = f"unheard_of for {name.strip()}"
    return "\n".join(lines).encode("utf-8", "surrogatepass"), said


def of_setting(key: str, rng: Rng) -> tuple[str, str]:
    """Return a word for ``--set``, and what it is."""
    value = str(_draw(_ODD_TOML, rng))
    act = str(rng.choice(["value", "value", "key", "form"]))
    if act == "key":
        spoiled = list(key)
        spoiled[int(rng.integers(len(key)))] = str(rng.choice(["", ".", "x", " ", "é", "="]))
        key = "".join(spoiled)
    word = f"{key}={value}" if act != "form" else str(rng.choice([key, f"={value}", f"{key}==", "", ".=."]))
    return word, _short(word)


def odd_name(rng: Rng) -> str:
    """Return a name that a file can have, odd or made of any characters."""
    usual = [name for name in ODD_NAMES if name not in ("", ".", "..") and not set(name) & set("/\0\ud800")]
    if rng.random() < 0.5:
        return str(_draw([name for name in usual if len(name.encode()) < 200], rng))
    letters = "".join(
        chr(int(rng.choice([rng.integers(1, 128), rng.integers(128, 0xD800)]))) for _ in range(8)
    )
    return re.sub(r"[/\0]", "_", letters)


def _places(node: Any, name: str = "") -> Iterator[tuple[Any, Any, str]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        here = f"{name}.{key}" if name else str(key)
        yield node, key, here
        yield from _places(value, here)


def _draw(values: Any, rng: Rng) -> Any:
    return values[int(rng.integers(len(values)))]


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"
