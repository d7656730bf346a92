"""What a reader does on a page from top to bottom: saves files and types commands."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs.commands import Outcome, Shell
from tests.support.docs.pages import Block, blocks_of

CONSOLE = "console"
_FILE = re.compile(r"file: (\S+)")
_NOT_RUN = re.compile(r"not run: (.+)", re.DOTALL)
_FAILS = re.compile(r"exit code: (\d+)")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a reader does.

    Attributes:
        block: the block of the page that says so.
        command: what is typed; empty where a file is saved.
        output: what the page says that it prints.
        code: its exit code.
        numbers_vary: any number of the output stands for any other.
        file: path of the file that the block is saved as; empty where a command is typed.
        reason_not_run: why it cannot run in the tests; empty where it does.
        start, end: where the output stands in the page, in characters.
    """

    block: Block
    command: str = ""
    output: str = ""
    code: int = 0
    numbers_vary: bool = False
    file: str = ""
    reason_not_run: str = ""
    start: int = 0
    end: int = 0

    def write(self, folder: Path) -> None:
        """Save the block as the file that it is, below a folder."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.block.text, encoding="utf-8")


def follow(page: Path, shell: Shell) -> list[tuple[Step, Outcome]]:
    """Do what a reader of a page does; what each command that can run here has printed."""
    done: list[tuple[Step, Outcome]] = []
    for step in steps_of(page):
        if step.file:
            step.write(shell.folder)
        elif not step.reason_not_run:
            done.append((step, shell.run(step.command)))
    return done


def steps_of(page: Path) -> Iterator[Step]:
    """The files and commands of a page, from top to bottom.

    A block with a comment ``<!-- file: shops.sql -->`` before it is saved. A ``console`` block has commands, each
    behind ``$ ``, with its further lines behind ``> ``, and what each prints below it. A comment
    ``<!-- not run: REASON -->`` before it keeps it from running, ``<!-- exit code: 1 -->`` says how its last command
    ends, and ``<!-- numbers vary -->`` that its numbers depend on how long something took.
    """
    for block in blocks_of(page):
        if named := _FILE.search(block.remark):
            yield Step(block, file=named.group(1))
        elif block.language == CONSOLE:
            yield from _commands(block)


def _commands(block: Block) -> Iterator[Step]:
    reason = _NOT_RUN.search(block.remark)
    code = _FAILS.search(block.remark)
    starts = [found.start() for found in re.finditer(r"^ *\$ ", block.text, re.MULTILINE)]
    for start, end in itertools.pairwise([*starts, len(block.text)]):
        command, output = _parted(block.text[start:end])
        yield Step(
            block,
            command=command,
            output=output,
            code=int(code.group(1)) if code and end == len(block.text) else 0,
            numbers_vary="numbers vary" in block.remark,
            reason_not_run=" ".join(reason.group(1).split()) if reason else "",
            start=block.start + end - len(output),
            end=block.start + end,
        )


def _parted(text: str) -> tuple[str, str]:
    """A command with its further lines, and what stands below them."""
    lines = text.splitlines(keepends=True)
    count = 1
    while count < len(lines) and lines[count].lstrip().startswith("> "):
        count += 1
    command = "".join(line.lstrip()[2:] for line in lines[:count])
    return command.rstrip("\n"), "".join(lines[count:])
