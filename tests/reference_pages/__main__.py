"""Writes all pages that are made from code anew: `make reference`."""

from __future__ import annotations

from tests.reference_pages.all_pages import DOCS, PAGES, SML_PAGES


def main() -> None:
    """Write each page, and say which ones have changed."""
    for name, make in {**PAGES, **SML_PAGES}.items():
        file, text = DOCS / name, make()
        is_same = file.exists() and file.read_text(encoding="utf-8") == text
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"docs/{name} {'is as it was' if is_same else 'is made anew'}")


if __name__ == "__main__":
    main()
