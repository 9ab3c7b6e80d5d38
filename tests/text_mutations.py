"""Random edits of the text of a specification."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from nnrun.spec import catalog
from nnrun.spec.positions import key_paths

WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]+")
LETTERS = "abcdefghijklmnopqrstuvwxyz"

NUMBERS = (
    "0", "-0", "-1", "1", "2", "3.0", "0.1", "-0.5", "1.5", "1e400", "-1e400", "1e-400", "1e-320", "1e308", ".nan",
    ".inf", "-.inf", "nan", "inf", "2147483647", "2147483648", "4294967296", "9223372036854775807",
    "9223372036854775808", "-9223372036854775809", '1' + '0' * 30, '9' * 399, '9' * 401, "1_000", "0x10",
    "0xffffffffffffffffff", "0o17", "010", "1:30", "1,5", "1e3", "1.", ".5", "+3", "1e", "--1", "\xbd", "\u0663",
    "\uff11\uff12", "\xb2", "1e+", "0b11", "12e03", "64",
)  # fmt: skip
CHARACTERS = (
    "\u0301", "\u200f", "\u202e", "\u2066", "\u200b", "\u200d", "\xa0", "\u3000", "\U0001f600",
    "\U0001f468\u200d\U0001f469", "\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff",
    "\ufffe", "\uffff", "\ud7ff", "\ue000", "\uff41", "\uff24", "\u0130", "\u0131", "\xdf", "\ufb01", "\xb5",
    "\xe9", "e\u0301", "\t", "\r", "\r\n", "\n", "\x0b", "\x0c", "\x1c", "\x85", "\U0010ffff", "\uff1a", "\uff0c",
    "\u2013", "\u2212", "\u201c", "\u201d", "\u2018", "\u2019", "$", "#", "\\", '"', "'", "`", "@", "%", "&", "*",
    "!", "|", ">", "?", "[", "]", "{", "}", ",", ":", "~", "=",
)  # fmt: skip
PIECES = (
    "&a ", "*a", "<<: *a", "<<: {a: 1}", "<<: [{units: 3}]", "!!python/object/apply:os.system [ls]", "!!int ",
    "!!set ", "!!binary ", "! ", "!x ", "|\n  text\n", ">-\n  text\n", "? key\n: value\n", "---\n", "...\n",
    "\n---\n", "%YAML 1.1\n---\n", "%TAG ! tag:x,2000:\n---\n", "# comment\n", " #", "- ", "-\n", "- - ", ": ", ":",
    "{}", "[]", "null", "~", "true", "no", "2026-11-20", "$filters", "$", "#3", "#-1", "#0", "input", "<<", "=",
    "[[[[", "}}", '\'"', '"\\U99999999"', '"\\ud800"', '"\\x00"', '"\\u202e"', "&a [*a]", "[&a 1, *a, *a]", "*b",
    "base: base.yaml\n", "base: .\n", "base: mutant.yaml\n",
)  # fmt: skip


def misspell(chance: random.Random, word: str) -> str:
    """The word with one slip of a finger: two letters swapped, one dropped, doubled or replaced."""
    return chance.choice([typo for typo in typos(chance, word) if typo != word])


def typos(chance: random.Random, word: str) -> list[str]:
    """A slip of each sort at a random letter."""
    at = chance.randrange(len(word))
    pair = chance.randrange(max(len(word) - 1, 1))
    other = chance.choice(LETTERS)
    return [
        word[:pair] + word[pair : pair + 2][::-1] + word[pair + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + other + word[at + 1 :],
    ]


def _replace_word(chance: random.Random, text: str, make: Callable[[str], str]) -> str:
    """The text with one word outside of comments replaced."""
    spans = [
        match.span()
        for match in WORD.finditer(text)
        if "#" not in text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    ]
    if not spans:
        return text
    start, stop = chance.choice(spans)
    return text[:start] + make(text[start:stop]) + text[stop:]


def edit_typo(chance: random.Random, text: str) -> str:
    """A single-letter typo in a name, a key or a word."""
    return _replace_word(chance, text, lambda word: misspell(chance, word))


def edit_name(chance: random.Random, text: str) -> str:
    """Another name of Keras's, nnrun's or nobody's in the place of a word."""
    kind = chance.choice(catalog.KINDS)
    key = chance.choice(list(key_paths()))[-1]
    case = chance.choice((str.upper, str.lower, str.title, str.swapcase))
    makers: list[Callable[[str], str]] = [
        lambda word: chance.choice(catalog.names(kind)),
        lambda word: str(key),
        case,
        lambda word: word + chance.choice(("s", "_", "2D", "Layer", "_", "1", "-x", ".y")),
        lambda word: chance.choice(WORD.findall(text)),
    ]
    return _replace_word(chance, text, chance.choice(makers))


def edit_number(chance: random.Random, text: str) -> str:
    """An odd number in the place of a value."""
    spans = [match.span(1) for match in re.finditer(r"[:,\[-] ([\w.$+-]+)", text)]
    start, stop = chance.choice(spans or [(0, 0)])
    return text[:start] + chance.choice(NUMBERS) + text[stop:]


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True) or [""]


def edit_lines(chance: random.Random, text: str) -> str:
    """Lines dropped, doubled, swapped, indented otherwise, joined."""
    lines = _lines(text)
    here, there = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(8):
        case 0:
            del lines[here : here + chance.choice((1, 1, 2, 5))]
        case 1:
            lines.insert(here, lines[here])
        case 2:
            lines[here], lines[there] = lines[there], lines[here]
        case 3:
            lines[here] = " " * chance.randrange(1, 9) + lines[here]
        case 4:
            lines[here] = lines[here][chance.randrange(1, 5) :]
        case 5:
            lines[here] = lines[here].rstrip("\n")
        case 6:
            lines[here:there] = [chance.choice((" ", "  ", "\t")) + line for line in lines[here:there]]
        case 7:
            lines.insert(there, lines.pop(here))
    return "".join(lines)


def edit_characters(chance: random.Random, text: str) -> str:
    """Odd characters anywhere, most often inside a word."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        words = list(WORD.finditer(text))
        at = chance.randrange(len(text) + 1)
        if words and chance.random() < 0.6:
            word = chance.choice(words)
            at = chance.randrange(word.start(), word.end() + 1)
        text = text[:at] + chance.choice(CHARACTERS) + text[at + chance.choice((0, 0, 1)) :]
    return text


def edit_spaces(chance: random.Random, text: str) -> str:
    """Ends of lines, tabs, byte order marks, missing and additional spaces."""
    edits: list[Callable[[], str]] = [
        lambda: text.replace("\n", "\r\n"),
        lambda: text.replace("\n", "\r"),
        lambda: text.replace("  ", "\t"),
        lambda: text.replace("\n", "\r\n", chance.randrange(1, 5)),
        lambda: "\ufeff" + text,
        lambda: text.replace("\n", " \n"),
        lambda: text.replace("\n", "\t\n"),
        lambda: text.replace(": ", ":", chance.randrange(1, 5)),
        lambda: text.replace(": ", ":\t", chance.randrange(1, 5)),
        lambda: text.replace("- ", "-", chance.randrange(1, 5)),
        lambda: text.replace("    ", "   ", chance.randrange(1, 5)),
        lambda: text.replace(chance.choice(" :,-{}[]\n"), "", 1),
        lambda: text.replace(
            chance.choice(" :,-{}[]\n"), chance.choice((" :", "::", ",,", "- -", "}}", "[["))
        ),
        lambda: text.replace("\n", chance.choice(("\x85", "\u2028", "\x0b", "\x0c", "\n\n"))),
    ]
    return chance.choice(edits)()


def edit_length(chance: random.Random, text: str) -> str:
    """Very long names and lines, very deep nesting."""
    size = chance.choice((50, 70, 200, 1_100, 5_000))
    edits: list[Callable[[], str]] = [
        lambda: _replace_word(chance, text, lambda word: word * size),
        lambda: _replace_word(chance, text, lambda word: "[" * size + word + "]" * size),
        lambda: _replace_word(chance, text, lambda word: "{a: " * size + word + "}" * size),
        lambda: _replace_word(chance, text, lambda word: "- " * size + word),
        lambda: _replace_word(chance, text, lambda word: word + " " * size),
        lambda: _replace_word(chance, text, lambda word: "[" + "1, " * size + "1]"),
        lambda: _replace_word(chance, text, lambda word: f'"{"ü" * size}"'),
        lambda: text + "x: [" * size,
        lambda: text.replace("layers:", "layers:\n" + "    - Flatten\n" * size, 1),
        lambda: text.replace("repeat: 2", f"repeat: {size**3}"),
        lambda: _nest(chance, text, size),
    ]
    return chance.choice(edits)()


def _nest(chance: random.Random, text: str, size: int) -> str:
    """Layers around a layer, many times."""
    around, argument = chance.choice(
        (("TimeDistributed", "layer"), ("Bidirectional", "layer"), ("RNN", "cell"))
    )
    depth = min(size, 20)
    inner = f"{{{around}: {{{argument}: " * depth + "Dense" + "}}" * depth
    return text.replace("layers:\n", f"layers:\n    - {inner}\n", 1)


def edit_pieces(chance: random.Random, text: str) -> str:
    """Pieces of YAML's rarer grammar: anchors, aliases, merge keys, tags, documents, block text."""
    for _ in range(chance.choice((1, 1, 2))):
        spots = [match.end() for match in re.finditer(r"[:,\[{-] |\n *", text)] or [0]
        at = chance.choice(spots)
        text = text[:at] + chance.choice(PIECES) + text[at:]
    return text


def edit_end(chance: random.Random, text: str) -> bytes:
    """The file cut at a random byte, or only its end."""
    data = text.encode()
    at = chance.randrange(len(data) + 1)
    return data[:at] if chance.random() < 0.8 else data[at:]


def edit_bytes(chance: random.Random, text: str) -> bytes:
    """Random bytes changed."""
    data = bytearray(text.encode())
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(len(data))
        data[at] = chance.choice((data[at] ^ (1 << chance.randrange(8)), chance.randrange(256)))
    return bytes(data)


Edit = Callable[[random.Random, str], str | bytes]
TEXT_EDITS: dict[str, Edit] = {
    "typos": edit_typo,
    "names": edit_name,
    "numbers": edit_number,
    "lines": edit_lines,
    "characters": edit_characters,
    "spaces": edit_spaces,
    "length": edit_length,
    "pieces": edit_pieces,
    "end": edit_end,
    "bytes": edit_bytes,
}
