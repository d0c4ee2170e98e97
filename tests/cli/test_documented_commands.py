# SPDX-License-Identifier: GPL-3.0-or-later
"""Every `smplit ...` in the documentation is a command that exists, with options that exist. Nothing is run."""

import functools
import re
import shlex
from pathlib import Path

import pytest
import tyro

from smplit.cli import COMMANDS
from smplit.seed_switches import translate, translate_loco

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "model_files").rglob("*.md"))]
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def lines_and_mentions(text):
    """Whole command lines, of fenced and of indented blocks; and what is mentioned `between back quotes` in a sentence."""
    blocks = [match.group() for match in _FENCED.finditer(text)]
    prose = _FENCED.sub("", text)
    blocks += [line for line in prose.splitlines() if re.match(r" {4,}\S", line)]
    prose = "\n".join(line for line in prose.splitlines() if not re.match(r" {4,}\S", line) or "`" in line)
    lines = [line.split(" # ")[0].strip() for block in blocks for line in block.splitlines()]
    mentions = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    wanted = lambda words: re.search(r"(^|[ /])smplit [a-z]", words) and "`" not in words
    return [line for line in lines if wanted(line)], [span for span in mentions if wanted(span)]


def named(words):
    """(command, its arguments) of a line that may begin with other words (torchrun, a path)."""
    parts = shlex.split(words)
    rest = parts[next(i for i, part in enumerate(parts) if part == "smplit" or part.endswith("/smplit")) + 1 :]
    name = next((n for n in (" ".join(rest[:2]), rest[0]) if n in COMMANDS), None)
    assert name, f"there is no command '{' '.join(rest[:2])}'"
    rest = rest[len(name.split()) :]
    translator = {"capture": translate, "loco": translate_loco}.get(name, lambda given: (given, []))
    return name, translator(rest)[0]


def parsed(name, arguments):
    """What the command would be called with."""

    @functools.wraps(COMMANDS[name])
    def call(*positional, **keywords):
        return positional, keywords

    return tyro.cli(call, prog=f"smplit {name}", args=arguments)


def documented(kind):
    found = [(path, words) for path in DOCUMENTS for words in lines_and_mentions(path.read_text(encoding="utf-8"))[kind]]
    return [pytest.param(words, id=f"{path.relative_to(ROOT)}: {words}"[:100]) for path, words in found]


@pytest.mark.parametrize("words", documented(0))
def test_a_documented_line_can_be_typed(words):
    name, arguments = named(words)
    try:
        parsed(name, arguments)
    except SystemExit:  # tyro has said what is wrong
        pytest.fail(f"'{words}' is refused")


@pytest.mark.parametrize("words", documented(1))
def test_a_mentioned_command_and_its_options_exist(words, capsys):
    name, arguments = named(words)
    with pytest.raises(SystemExit):
        parsed(name, ["--help"])
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", capsys.readouterr().out))
    assert "--help" in known
    assert not [word for word in arguments if word.startswith("-") and word.split("=")[0] not in known]


def test_the_check_itself_finds_what_is_wrong():
    text = "Say `smplit\neval difftraj` and\n\n    smplit plot a -o b.png\n\n```\n.venv/bin/smplit view x.npz   # in the browser\n```\n"
    lines, mentions = lines_and_mentions(text)
    assert mentions == ["smplit eval difftraj"]
    assert sorted(lines) == [".venv/bin/smplit view x.npz", "smplit plot a -o b.png"]
    assert parsed(*named("torchrun -n 2 smplit plot a b -o c.png"))[1] == {"runs": (Path("a"), Path("b")), "output": Path("c.png")}
    with pytest.raises(AssertionError, match="dance"):
        named("smplit dance --fast")
    for words in ("smplit plot a -o b.png --colour red", "smplit plot -o", "smplit train difftraj --data s --save-dir r --steps many"):
        with pytest.raises(SystemExit):
            parsed(*named(words))
    assert len(documented(0)) + len(documented(1)) > 10, "the documents were found"
