"""Damage to files: of their bytes, and of what their bytes mean. All of it comes from a generator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

GUARD = "holiday.jpg"
"""A photograph beside the cases' folder, which nothing may change."""

NAMES = (
    *(f"{'../' * climbs}guard/{GUARD}" for climbs in range(1, 7)),
    f"{{work}}/guard/{GUARD}",
    f"link/{GUARD}",
    "/dev/zero",
    "/dev/null",
    "..",
    ".",
    "",
    "C:\\holiday.jpg",
    "..\\holiday.jpg",
    "\\\\server\\share\\a.jpg",
    "\x1b]0;title\x07\x1b[31m.jpg",
    "\u202egpj.exe",
    "\u2028.jpg",
    "=cmd|'/c calc'!A1.jpg",
    "@SUM(1+1).jpg",
    "-rf.jpg",
    "a" * 300 + ".jpg",
    "nul\x00.jpg",
    "CON",
)
"""Names in lists that lead astray; ``{work}`` is the folder in which cases' and guard's folders lie."""

NUMBERS = (
    *(
        "0",
        "-0",
        "-1",
        "1",
        "0.5",
        "2",
        "255",
        "256",
        "65535",
        "65536",
        "1e30",
        "-1e30",
        "1e38",
        "1e39",
        "1e308",
    ),
    *(
        "2147483647",
        "2147483648",
        "-2147483648",
        "4294967296",
        "9223372036854775808",
        "1e999",
        "-1e999",
        "1e-320",
    ),
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "inf",
        "1" + "0" * 400,
        "9" * 5000,
        "0x10",
        "1_000",
        "٣",
        "１",
        "+1",
    ),
)

TEXTS = (
    "",
    " ",
    "\x00",
    "\x1b[2J",
    "\r\n",
    "\u202e\u2066",
    "\ufeff",
    "\ud800",
    "\U0001f1e6\u200d",
    "é" * 50,
    "x" * 5000,
    "null",
    "true",
    "[]",
    "{}",
    "%s%n",
    "{0.__class__}",
    "'",
    '"',
    "\\",
)

PARTS = {
    "number": r"-?\d+(\.\d+)?",
    "word": r"[^\s\"]+",
    "name": r"[\w./-]*\w\.\w{2,4}",
    "letter": r"(?s:.)",
}
"""What damage to a text replaces."""

RAW = re.compile(r'"@raw (.*?)@"')


def mutated_bytes(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """The bytes after one to four damages; others are files for splices."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        damage = rng.choice(BYTES)
        data = damage(data, rng, others) if data else rng.randbytes(rng.randrange(40))
    return data


def _flip(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _run_of(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    start, length = _place(data, rng), rng.choice((1, 2, 4, 16, 200))
    value = rng.choice((b"\x00", b"\xff", b"\x7f", b"\x80", b" ", b'"', b"\n"))
    run = rng.randbytes(length) if rng.random() < 0.3 else value * length
    return data[:start] + run + data[start + length :]


def _cut(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    return data[: _place(data, rng)]


def _drop(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start + rng.choice((1, 2, 4, 30, 500)) :]


def _repeat(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    start = _place(data, rng)
    part = data[start : start + rng.choice((1, 4, 12, 60, 1000))]
    return data[:start] + part * rng.choice((2, 3, 20)) + data[start:]


def _splice(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else data[::-1]
    cut = _place(data, rng)
    return data[:cut] + other[rng.choice((cut, rng.randrange(len(other) + 1), 0)) :]


def _length(data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """A field of two, four or eight bytes says a length that is not so."""
    width = rng.choice((2, 4, 4, 8))
    start = _place(data, rng)
    order = rng.choice(("big", "little"))
    before = int.from_bytes(data[start : start + width], order)
    most = (1 << 8 * width) - 1
    value = rng.choice(
        (0, 1, most, most >> 1, before + 1, before - 1, 2 * before, before >> 1, len(data), 1 << 28)
    )
    return data[:start] + (value & most).to_bytes(width, order) + data[start + width :]


def _place(data: bytes, rng: Random) -> int:
    """Anywhere; half of the time among the first bytes, which say what follows."""
    return rng.randrange(min(len(data), rng.choice((64, len(data)))))


BYTES: tuple[Callable[[bytes, Random, Sequence[bytes]], bytes], ...] = (
    _flip, _flip, _run_of, _cut, _drop, _repeat, _splice, _length, _length,
)  # fmt: skip


def mutated_text(text: str, rng: Random, names: bool = False) -> str:
    """The text after damages to numbers, words and lines; `names` says whether some words are files'."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        kind = rng.choice(("number", "number", "word", "word", "line", "letter", "name" if names else "word"))
        if kind == "line":
            text = _lines(text, rng)
            continue
        found = list(re.finditer(PARTS[kind], text))
        if not found:
            continue
        match = rng.choice(found)
        fresh = {"number": NUMBERS, "word": TEXTS + NUMBERS, "name": NAMES, "letter": TEXTS}[kind]
        text = text[: match.start()] + rng.choice(fresh) + text[match.end() :]
    return text


def _lines(text: str, rng: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    n, m = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(5)
    if kind == 0:
        del lines[n]
    elif kind == 1:
        lines.insert(m, lines[n] * rng.choice((1, 1, 50)))
    elif kind == 2:
        lines[n], lines[m] = lines[m], lines[n]
    elif kind == 3:
        lines[n] = lines[n].rstrip("\n")
    else:
        lines[n] = rng.choice(
            ("\n", "#\n", "[[\n", "]" * 3000 + "\n", "[" * 3000 + "\n", "\t=\n", lines[n].upper())
        )
    return "".join(lines)


def encoded(text: str, rng: Random) -> bytes:
    """The text as bytes: mostly UTF-8, even where that is not allowed, and now and then another encoding."""
    code = rng.choice(("utf-8",) * 12 + ("utf-16", "latin-1", "utf-8-sig"))
    return text.encode(code, "surrogatepass" if code in ("utf-8", "utf-16") else "replace")


def mutated_json(document: Any, rng: Random) -> str:
    """The document as text, after one to four changes of its values, names and nesting."""
    document = json.loads(json.dumps(document))
    change = rng.choice((_nudge, _change, _change))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change(document, rng)
    text = json.dumps(document, ensure_ascii=rng.random() < 0.8)
    text = RAW.sub(lambda match: match[1], text).replace("@twice@", "")
    if rng.random() < 0.05:
        text = text.replace(rng.choice(('{"', "[", ":", ",")), rng.choice(("", "[[", ",,", " : ")), 1)
    return text


def _nudge(document: Any, rng: Random) -> None:
    """Other numbers where there are numbers, mostly such as may stand there."""
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(child, (dict, list)):
                collect(child)
            elif isinstance(child, (int, float)):
                places.append((node, key))

    collect(document)
    for place, key in rng.choices(places, k=rng.choice((1, 5, 40))) if places else ():
        whole = isinstance(place[key], int)
        place[key] = rng.choice((0, 1, 2)) if whole else rng.choice((0.0, 1.0, 1e-300, 1e-6, rng.random()))


def _change(document: Any, rng: Random) -> None:
    """Change something in a container of the document, in place."""
    places: list[Any] = []

    def collect(node: Any, depth: int) -> None:
        if isinstance(node, (dict, list)) and node:
            places.extend([node] * (6 if depth < 2 else 1))
            for child in node.values() if isinstance(node, dict) else node[:40]:
                collect(child, depth + 1)

    collect(document, 0)
    if not places:
        return
    place = rng.choice(places)
    key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    kind = rng.randrange(10)
    if kind == 0:
        del place[key]
    elif kind == 1 and isinstance(place, dict):
        fresh = rng.choice((f"{key}@twice@", rng.choice(TEXTS), str(key).upper(), "__class__"))
        place[fresh] = place[key] if rng.random() < 0.5 else odd(rng)
    elif kind == 2 and isinstance(place, list):
        place.extend([place[key]] * rng.choice((1, 3, 300)))
    elif kind == 3 and isinstance(place[key], str):
        place[key] = mutated_text(place[key], rng)
    else:
        place[key] = odd(rng)


def odd(rng: Random) -> Any:
    """A value that hardly any place wants."""
    kind = rng.randrange(8)
    if kind < 4:
        number = rng.choice(NUMBERS)
        return f"@raw {number}@" if rng.random() < 0.9 else number
    if kind == 4:
        return rng.choice(TEXTS)
    if kind == 5:
        depth = rng.choice((3, 900, 20_000))
        return f"@raw {'[' * depth}{']' * depth}@"
    return rng.choice((None, True, False, [], {}, [[]], [None], {"": None}, [1] * 14, {"a": {"a": {}}}))
