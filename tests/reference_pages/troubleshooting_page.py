"""The page of error sentences, from the passages that `atscale-aggs help` prints."""

from __future__ import annotations

from airflow_atscale_aggs.engine.troubleshooting.passages import SUBJECTS, all_passages
from tests.reference_pages.markdown import page

_HEAD = """
Every error, warning and refusal has a code, which stays the same when words change. The headings here are codes, so that
`docs/troubleshooting.md#refused-join` leads to one. Without a network, `atscale-aggs help refused-join` prints the same.

| where it is said | how the code is told |
|---|---|
| the command line | a line behind the sentence: `More about it: atscale-aggs help CODE`; with `--json` the fields `code` and `help` |
| a task in Airflow | the last line of the exception |
| the REST API | the fragment of `type` in the problem details |
| `serve` | the HINT of the error |

In sentences, words in capitals stand for what varies. Search this page for the words between them.
"""


def troubleshooting_page() -> str:
    """Every passage under its code, by subject."""
    parts = [_HEAD]
    for subject, heading in SUBJECTS.items():
        parts.append(f"## {heading}")
        for passage in all_passages().values():
            if passage.subject == subject:
                parts.append(f"### {passage.code}\n\n> {_escaped(passage.sentence)}")
                parts.append(f"{passage.happened} {passage.reason}\n\n**What to do.** {passage.remedy}")
    return page("Troubleshooting", "`airflow_atscale_aggs/engine/troubleshooting/`", *parts)


def _escaped(sentence: str) -> str:
    return sentence.replace("[", "\\[").replace("]", "\\]")
