"""Words in names of tables and columns, and how strongly two names say that one column refers to another.

Names are the strongest evidence there is: an inclusion of small integers in a surrogate key is a coincidence as often
as not. Of the features of Rostin, Albrecht, Bauckmann, Naumann, Leser, "A Machine Learning Approach to Foreign Key
Discovery" (WebDB 2009), similarity of names is judged here; coverage, range and type are in `references`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from airflow_atscale_aggs.engine.lazy_dataclass import dataclass

Words = tuple[str, ...]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BREAKS = re.compile(r"[\W_]+")

KEY_WORDS = frozenset(
    {"sk", "key", "id", "fk", "pk", "code", "no", "nr", "num", "nbr", "number", "guid", "uuid", "bk", "nk", "ref"}
)
_LEADING_KEY_WORDS = frozenset({"id", "fk", "pk", "sk"})
_ATTACHED_KEY_WORDS = ("key", "id")
_TABLE_WORDS = frozenset(
    {"dim", "dimension", "fact", "fct", "tbl", "table", "stg", "dw", "dwh", "d", "f", "t", "vw", "v"}
)
_ATTACHED_TABLE_WORDS = ("dim", "fact")
_OTHER_THINGS = ("sub", "super", "non")
"""A word before another that makes it another thing: a subcategory is no category."""

GENERIC = frozenset(
    {"name", "description", "desc", "type", "status", "value", "label", "title", "comment", "flag", "year", "month"}
    | {"day", "week", "quarter", "group", "level", "class", "line", "row", "seq", "index", "size", "color", "unit"}
)
"""Words that many tables use for columns of their own."""

EXACT, ROLE, SHORTENED, ATTACHED = 1.0, 0.9, 0.8, 0.75
_LEAST_SHORT, _LEAST_ATTACHED, _LEAST_REST, _MOST_SHORT = 3, 4, 3, 5


@dataclass(frozen=True, slots=True)
class Stem:
    """A column's name without the table's prefix and without the words that say that it is a key.

    Attributes:
        words: in lower case, in the singular.
        key_words: such as ``sk``; empty: the name does not say that it is a key.
    """

    words: Words
    key_words: Words = ()


@dataclass(frozen=True, slots=True)
class NameMatch:
    """How a column's name leads to another.

    Attributes:
        strength: from 0 to 1.
        role: the words before what is referred to, such as ``sold`` of ``ss_sold_date_sk``.
        how: for people, such as "`sold date` ends with `date`".
    """

    strength: float
    role: Words
    how: str


def words_of(name: str) -> Words:
    """The words of a name, in lower case.

    >>> words_of("OrderDateKey"), words_of("ss_sold_date_sk"), words_of("SHIP DATE")
    (('order', 'date', 'key'), ('ss', 'sold', 'date', 'sk'), ('ship', 'date'))
    """
    broken = _CAMEL.sub("_", name)
    return tuple(word.casefold() for word in _BREAKS.split(broken) if word)


def shared_prefix(names: Sequence[str]) -> str:
    """The first word of nearly all names of two or more words; empty where there is none.

    >>> shared_prefix(["ss_item_sk", "ss_quantity", "ss_net_paid"])
    'ss'
    """
    split = [words_of(name) for name in names]
    if len(split) < 2:  # noqa: PLR2004
        return ""
    first = [words[0] for words in split if len(words) > 1]
    common = max(set(first), key=lambda word: (first.count(word), word), default="")
    return common if common and first.count(common) >= 0.9 * len(split) else ""


def singular(word: str) -> str:
    """A word in the singular, as far as endings tell.

    >>> [singular(word) for word in ("categories", "stores", "address", "status", "sales")]
    ['category', 'store', 'address', 'status', 'sale']
    """
    if len(word) > 4 and word.endswith("ies"):  # noqa: PLR2004
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):  # noqa: PLR2004
        return word[:-1]
    return word


def stem_of(name: str, prefix: str = "") -> Stem:
    """A column's stem.

    Args:
        prefix: the first word that the table's columns share.

    >>> stem_of("ss_sold_date_sk", "ss"), stem_of("lo_custkey", "lo")
    (Stem(words=('sold', 'date'), key_words=('sk',)), Stem(words=('cust',), key_words=('key',)))
    """
    words = list(words_of(name))
    if prefix and len(words) > 1 and words[0] == prefix:
        words = words[1:]
    key_words: list[str] = []
    while words and words[-1] in KEY_WORDS:
        key_words.insert(0, words.pop())
    if words and len(words) > 1 and words[0] in _LEADING_KEY_WORDS:
        key_words.insert(0, words.pop(0))
    if words and not key_words:
        for attached in _ATTACHED_KEY_WORDS:
            rest = words[-1].removesuffix(attached)
            if rest != words[-1] and len(rest) >= _LEAST_SHORT:
                words[-1], key_words = rest, [attached]
                break
    return Stem(tuple(map(singular, words)), tuple(key_words))


def table_stem(name: str) -> Words:
    """What a table's name says that its rows are.

    >>> table_stem("DimCustomer"), table_stem("factinternetsales"), table_stem("date_dim"), table_stem("stores")
    (('customer',), ('internetsale',), ('date',), ('store',))
    """
    words = [word for word in words_of(name) if word not in _TABLE_WORDS]
    if len(words) == 1:
        for attached in _ATTACHED_TABLE_WORDS:
            rest = words[0].removeprefix(attached)
            if len(rest) >= _LEAST_ATTACHED:
                words = [rest]
                break
    return tuple(map(singular, words)) or tuple(words_of(name))


def is_shortened(short: str, words: Words) -> bool:
    """Whether a text is made of beginnings of all the words, in their order.

    >>> is_shortened("cdemo", ("customer", "demographic")), is_shortened("cdemo", ("household", "demographic"))
    (True, False)
    """
    if not words:
        return not short
    first, rest = words[0], words[1:]
    return any(is_shortened(short[n:], rest) for n in _common_lengths(short, first))


def _common_lengths(short: str, word: str) -> Iterable[int]:
    """Lengths from 1 of the common beginnings."""
    for number, (left, right) in enumerate(zip(short, word, strict=False), 1):
        if left != right:
            return
        yield number


def match_name(ours: Words, target: Words) -> NameMatch | None:
    """How a stem leads to another; None where it does not.

    >>> match_name(("sold", "date"), ("date",)).role
    ('sold',)
    """
    if not ours or not target:
        return None
    if "".join(ours) == "".join(target):
        return NameMatch(EXACT, (), f"`{' '.join(ours)}` is the same name")
    role = ours[: -len(target)]
    if ours[-len(target) :] == target:
        is_other = bool(role) and role[-1] in _OTHER_THINGS
        return None if is_other else NameMatch(ROLE, role, f"`{' '.join(ours)}` ends with `{' '.join(target)}`")
    return None if set(ours[-2:-1]) & set(_OTHER_THINGS) else _match_last_word(ours, target)


def _match_last_word(ours: Words, target: Words) -> NameMatch | None:
    """Shortened words, and words that are written together."""
    last, before = ours[-1], ours[:-1]
    meant, compact = " ".join(target), "".join(target)
    if len(last) >= _LEAST_SHORT and is_shortened(last, target):
        return NameMatch(SHORTENED, before, f"`{last}` is short for `{meant}`")
    is_short = len(target) == 1 and _LEAST_SHORT <= len(compact) <= min(_MOST_SHORT, len(last) - 1)
    if is_short and last.startswith(compact):
        return NameMatch(SHORTENED, before, f"`{meant}` is short for `{last}`")
    rest = last.removesuffix(compact)
    is_attached = rest != last and len(compact) >= _LEAST_ATTACHED and len(rest) >= _LEAST_REST
    if is_attached and not rest.endswith(_OTHER_THINGS):
        return NameMatch(ATTACHED, (*before, rest), f"`{last}` ends with `{meant}`")
    return None


def best_match(ours: Words, targets: Iterable[Words]) -> NameMatch | None:
    """The strongest of the matches with several targets."""
    matches = [match for match in (match_name(ours, target) for target in targets) if match is not None]
    return max(matches, key=lambda match: match.strength, default=None)
