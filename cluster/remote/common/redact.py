"""Takes secrets out of the output of a host: on the host before it leaves, and once more by whoever keeps it."""

import os
import re
from typing import Iterable, Iterator, Mapping

REDACTED = "**********"
#: Shorter values are words of their own; to take those out would leave nothing to read.
SHORTEST = 6

#: What looks like a secret whatever stands before it: tokens of well-known services, and keys in PEM.
SHAPES = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{12,}|[srp]k-[\w-]{12,}|gh[pousr]_[A-Za-z0-9]{12,}|github_pat_\w{12,}|glpat-[\w-]{12,}"
    r"|nvapi-[\w-]{12,}|AKIA[0-9A-Z]{16}|xox[baprs]-[\w-]{8,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
#: user:password@ in a URL, and what follows Bearer or Basic.
IN_URLS = re.compile(r"(?<=://)[^/\s:@'\"]*:[^/\s@'\"]+(?=@)")
AFTER_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+|%20)(?!auth|token|\*)[\w.~+/=-]{6,}")
#: What separates a name from its value, and the value: in environments, dicts and YAML; and on command lines.
_VALUE = r"(?P<quote>b?[\"']|\\\")?(?P<value>(?(quote)[^\"'\\\n]*|[^\s,;'\"\]})]+))"
PAIR = rf"(?P<between>\\?[\"']?(?:\s*(?:=>|:)\s*|\s+=\s+|=)\[?){_VALUE}"
FLAG = rf"(?P<between>\s+|\\?[\"'],?\s*|=){_VALUE}"
#: Names of what is no secret itself: where one lies, how long it is, what a tokenizer calls a token.
NO_SECRET = re.compile(r"(?i)(?:PATH|FILE|DIR|MODE|TYPE|NAME|ID|S|SIZE|COUNT|LIMIT|LENGTH|LEN)$")
OF_TOKENIZERS = re.compile(r"(?:^|.*_)(?:bos|eos|pad|unk|cls|sep|mask|image|video|start|end|next|new)_token$")
PLAIN_VALUE = re.compile(r"(?i)(?:none|null|true|false|\*+|-?[\d.]{1,7})$")
#: Small letters are words of many kinds (max_tokens, token_ids): only these are names of secrets.
SMALL_NAME = re.compile(
    r"(?:^|.*[_.-])(?:token|secret|password|passwd|passphrase|credentials?|authorization|api[_-]?key|access[_-]?key|"
    r"private[_-]?key)$"
)
MORE_NAMES = "|passphrase|authorization|api-key|access-key|private-key"


def secrets_of(variables: "Mapping[str, str]", names: str) -> "list[str]":
    """The values that must not be shown of an environment; `names` is a pattern of secret names."""
    return [
        value
        for name, value in variables.items()
        if re.search(names, name, re.IGNORECASE)
        and not NO_SECRET.search(name)
        and not PLAIN_VALUE.match(value)
        and not os.path.exists(value)
    ]


def redact(text: str, values: "Iterable[str]", names: str) -> str:
    """`text` without `values`, without what follows a name like `names`, without what looks like a secret."""
    text = SHAPES.sub(REDACTED, without_values(text, values))
    text = IN_URLS.sub(REDACTED, text)
    text = AFTER_BEARER.sub(rf"\1\2{REDACTED}", text)
    return "".join(without_pairs(text, names + MORE_NAMES))


def without_values(text: str, values: "Iterable[str]") -> str:
    for value in sorted({secret for secret in values if len(secret) >= SHORTEST}, key=len, reverse=True):
        text = text.replace(value, REDACTED)
    return text


def without_pairs(text: str, names: str) -> "Iterator[str]":
    """Piece by piece: only lines in which a name of a secret stands are looked at closely."""
    sign = re.compile(names, re.IGNORECASE)
    named = rf"[\w.-]*(?:{names})[\w.-]*)"
    pair = re.compile(rf"(?P<name>(?<![\w.-]){named}{PAIR}", re.IGNORECASE)
    flag = re.compile(rf"(?P<name>--{named}{FLAG}", re.IGNORECASE)
    done = 0
    while True:
        match = sign.search(text, done)
        if match is None:
            yield text[done:]
            return
        start = text.rfind("\n", done, match.start()) + 1 or done
        end = text.find("\n", match.start())
        end = len(text) if end < 0 else end
        yield text[done:start]
        yield without_spans(text[start:end], [*values(pair, text[start:end]), *values(flag, text[start:end])])
        done = end


def values(pattern: "re.Pattern[str]", line: str) -> "Iterator[tuple[int, int]]":
    """Where values of secrets stand. One may be a name itself, whose value follows: `--token --api-key VALUE`."""
    match = pattern.search(line)
    while match:
        value = match["value"]
        if value and not PLAIN_VALUE.match(value) and is_secret_name(match["name"].lstrip("-")):
            yield match.span("value")
        match = pattern.search(line, match.end("name"))


def without_spans(line: str, spans: "list[tuple[int, int]]") -> str:
    """Spans may overlap: those that do are hidden as one."""
    shown, done = [], 0
    for start, end in sorted(spans):
        if end > done:
            shown.append(line[done:start] + REDACTED if start >= done else "")
            done = end
    return "".join(shown) + line[done:]


def is_secret_name(name: str) -> bool:
    """Whether a name sounds like a secret. In capitals it is that of a variable."""
    if name.upper() == name:
        return not NO_SECRET.search(name)
    return bool(SMALL_NAME.match(name.lower())) and not OF_TOKENIZERS.match(name.lower())
