"""Removes secrets from the output of a host: on the host before it leaves, and once more where it is stored."""

import json
import os
import re
from functools import lru_cache
from typing import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

REDACTED = "**********"
#: Shorter values are ordinary words: removing them would make the text unreadable.
SHORTEST = 6

#: Texts that look like a secret in any place: tokens of well-known services, and keys in PEM.
SHAPES = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{12,}|[srp]k-[\w-]{12,}|gh[pousr]_[A-Za-z0-9]{12,}|github_pat_\w{12,}|glpat-[\w-]{12,}"
    r"|nvapi-[\w-]{12,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|xox[baprs]-[\w-]{8,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
#: Three words with dots between them, where the first has the beginning of a JSON web token in it.
WEB_TOKEN = re.compile(
    r"(?<![\w-])(?=[\w-]{11})(?=(?P<before>[\w-]*?)\beyJ[\w-]{8})"
    r"(?=(?P<first>[\w-]+))(?P=first)\.[\w-]{8,}\.[\w-]*"
)
#: user:password@ in a URL, or a user as long as a token, and the text after Bearer, Basic or, in a header, token.
IN_URLS = re.compile(r"(?<=://)(?:[^/\s:@'\"]*:[^/\s'\"]+|[^/\s:@'\"]{12,})(?=@)")
AFTER_BEARER = re.compile(
    r"([bB](?<!\w[bB])(?i:earer|asic)|(?<=uthorization: )[tT]oken)(\s+|%20)(?!(?i:auth|token)|\*)[\w.~+/=-]{6,}"
)
#: The start of a value: what separates it from its name in environments, dicts and YAML, and on command lines.
_VALUE = r"(?P<quote>[bB]?[\"']|\\{1,3}\")?(?(quote)|(?=[^\s,;'\"\]})]))"
PAIR = rf"\\{{0,3}}[\"']?(?:[^\S\n]*(?:=>|:)[^\S\n]*|[^\S\n]+=[^\S\n]+|=)\[?{_VALUE}"
FLAG = rf"(?:[^\S\n]+|\\?[\"'],?[^\S\n]*|=){_VALUE}"
#: The end of a value, with and without a quote before it.
END_OF_VALUE = {True: re.compile(r"[\"'\\\n]"), False: re.compile(r"[\s,;'\"\]})]")}
_ENDS = r"(?(quote)(?=[\"'\\\n]|\Z)|(?=[\s,;'\"\]})]|\Z))"
#: Characters of a value that a pattern reads: a value may be as long as the text, and follow many names.
_GLANCE = 16
_BEGINS = rf"(?P<value>(?(quote)[^\"'\\\n]{{0,{_GLANCE}}}|[^\s,;'\"\]}})]{{0,{_GLANCE}}}))"
#: The values that are not secret, whatever their name.
_PLAIN = r"(?i:none|null|true|false|\*+|-?[\d.]{1,7})"
PLAIN_VALUE = re.compile(rf"{_PLAIN}$")
#: A whole word, so that no word is read twice, and the start of the value after it, if there is one.
_SECRET = rf"(?:(?={_PLAIN}{_ENDS})|(?={_BEGINS}))"
VARIABLE = re.compile(rf"(?P<name>[\w.-]{{4,}})(?:{PAIR}{_SECRET})?")
OPTION = re.compile(rf"--(?P<name>[\w.-]{{4,}})(?:{FLAG}{_SECRET})?")
#: Names of values that are not secret: the place of a secret, its length, a token of a tokenizer.
NO_SECRET = ("PATH", "FILE", "DIR", "MODE", "TYPE", "NAME", "ID", "S", "SIZE", "COUNT", "LIMIT", "LENGTH", "LEN")
OF_TOKENIZERS = re.compile(r"(?:^|.*_)(?:bos|eos|pad|unk|cls|sep|mask|image|video|start|end|next|new)_token$")
#: Words in small letters have many meanings (max_tokens, token_ids): only these are names of secrets.
SMALL_NAME = re.compile(
    r"(?:^|.*[_.-])(?:token|secret|password|passwd|passphrase|credentials?|authorization|api[_-]?key|access[_-]?key|"
    r"private[_-]?key)$"
)
#: How those end: most names differ there, which shows at once.
LAST_LETTERS = (
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "authorization",
    "key",
)
#: The start of a word in a name like accessToken. InvalidAuthToken is the name of an exception.
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
MORE_NAMES = "|passphrase|authorization|api-key|access-key|private-key"


def secrets_of(variables: "Mapping[str, str]", names: str) -> "list[str]":
    """Returns the secret values of an environment; `names` is a pattern of secret names."""
    return [
        value
        for name, value in variables.items()
        if re.search(names, name, re.IGNORECASE)
        and not name.upper().endswith(NO_SECRET)
        and not PLAIN_VALUE.match(value)
        and not os.path.exists(value)
    ]


def redact(text: str, values: "Iterable[str]", names: str) -> str:
    """Returns `text` without `values`, without the values of names like `names`, and without texts that look like
    a secret.

    Any program may write the text, so the time grows only with its length: no pattern reads a word twice.
    """
    text = without_values(text, values)
    text = without_spans(text, [*shapes_in(text)])
    text = IN_URLS.sub(REDACTED, text)
    text = AFTER_BEARER.sub(rf"\1\2{REDACTED}", text)
    return without_spans(text, [*values_in(text, names + MORE_NAMES)])


def without_values(text: str, values: "Iterable[str]") -> str:
    """Returns `text` without `values`, however they are written."""
    forms = {form for value in values if len(value) >= SHORTEST for form in written(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, REDACTED)
    return text


def written(value: str) -> "Iterator[str]":
    """Yields the value as it is, in JSON, in JSON within JSON, in Python, and in a URL."""
    yield value
    for in_json in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield in_json
        yield json.dumps(in_json)[1:-1]
    yield repr(value)[1:-1]
    encodable = value.encode(errors="replace")
    yield from (quote(encodable), quote(encodable, safe=""), quote_plus(encodable))


def shapes_in(text: str) -> "Iterator[tuple[int, int]]":
    """Yields the positions of texts that look like a secret."""
    yield from (match.span() for match in SHAPES.finditer(text))
    if "eyJ" in text:
        yield from ((match.end("before"), match.end()) for match in WEB_TOKEN.finditer(text))


def values_in(text: str, names: str) -> "Iterator[tuple[int, int]]":
    """Yields the positions of secret values.

    A value follows the name of a variable, or the part of a word that begins with two dashes. A name in capitals
    is secret where it holds one of `names`.
    """
    named = re.compile(names, re.IGNORECASE)

    @lru_cache(1 << 10)
    def secret(name: str) -> bool:
        bare = name.lstrip("-")
        return is_secret_name(bare) and (bare != bare.upper() or bool(named.search(bare)))

    yield from after_names(text, VARIABLE, secret)
    if "--" in text:
        yield from after_names(text, OPTION, secret)


def after_names(
    text: str, words: "re.Pattern[str]", secret: "Callable[[str], bool]"
) -> "Iterator[tuple[int, int]]":
    """Yields the positions of values with secret names. A value may hold names itself: it ends where their values
    do."""
    ends = {True: -1, False: -1}
    for word in words.finditer(text):
        start, end = word.span("value")
        if start == end:
            continue
        quoted = word.start("quote") >= 0
        if start < ends[quoted] or not secret(word["name"]):
            continue
        if end == start + _GLANCE:
            stop = END_OF_VALUE[quoted].search(text, end)
            end = stop.start() if stop else len(text)
        ends[quoted] = end
        yield start, end


def without_spans(text: str, spans: "list[tuple[int, int]]") -> str:
    """Returns the text without the spans. Overlapping spans are hidden as one."""
    shown, done = [], 0
    for start, end in sorted(spans):
        if end > done:
            shown.append(text[done:start] + REDACTED if start >= done else "")
            done = end
    return "".join(shown) + text[done:]


def is_secret_name(name: str) -> bool:
    """Returns whether a name sounds like a secret. A name in capitals is that of a variable."""
    if name.upper() == name:
        return not name.endswith(NO_SECRET)
    if not name.lower().endswith(LAST_LETTERS):
        return False
    small = (HUMP.sub("_", name) if name[:1].islower() else name).lower()
    return bool(SMALL_NAME.match(small)) and not OF_TOKENIZERS.match(small)
