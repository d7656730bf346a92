"""Reads consoles as the tests of the pages do: `$ ` is before a command, `> ` before its further lines.

The highlighter by itself takes `#` for root's prompt, so a comment or a table that begins with it would be a command,
and the copy button, which leaves outputs out (`stylesheets/pages.css`), would take it along.
"""

from __future__ import annotations

import re
from typing import Any

from pygments.lexers.shell import BashSessionLexer


def on_config(config: Any) -> Any:
    """Change what the highlighter takes for a prompt."""
    BashSessionLexer._ps1rgx = re.compile(r"^(\$ )(.*\n?)")  # noqa: SLF001 - it has no other way to say so
    BashSessionLexer._bare_continuation = True  # noqa: SLF001
    return config
