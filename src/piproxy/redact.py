"""Masks keys and tokens in foreign text before anybody reads it (decision 8 of the design).

Two kinds of rules: shapes that are secrets wherever they stand (``sk-…``, ``Bearer …``, a JWT, ``?key=…``), and words
that are secrets only beside a word such as *key* or *token*, and only when they look random. Prose stays whole:
"Bearer authentication required" and "max_tokens: 128000" hold no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "***"
SHORTEST: Final = 8

_SHAPES: Final = re.compile(
    r"""
    \b(?:
        (?:sk|pk|rk|csk|xai|nvapi|glpat|pplx|fw|tgp|hf|gsk|r8|ghp|gho|ghu|ghs|ghr|github_pat)[-_](?=[\w*.-]{8})[\w*.-]*[\w*]
      | xox[abeoprs]-[\w-]{8,}
      | AIza[\w-]{16,}
      | ya29\.[\w.-]{8,}
      | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}
      | eyJ[\w-]{8,}(?:\.[\w-]+){1,4}
      | tid=[\w-]{8,}(?:;[\w.-]+=[^;\s"']*)+
    )
    """,
    re.VERBOSE,
)
_QUERY: Final = re.compile(
    r"""([?&](?:key|api[_-]?key|access_token|token|sig|signature|code|client_secret
        |x-amz-(?:signature|credential|security-token|algorithm))=)[^&\s"'<>]+""",
    re.VERBOSE | re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_SCHEME: Final = re.compile(r"\b(Bearer|Basic|Token)(\s+)([\w.~+/=*:-]{8,})", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"""((?:\b|[_-])(?:x-(?:goog-)?api-key|api[-_ ]?key|apikey|authorization|access[-_]?token|refresh[-_]?token
        |id[-_]?token|session[-_]?token|security[-_]?token|auth[-_]?token|client[-_]?secret|secret[-_]?(?:access[-_]?)?key|secret
        |password|passwd|token|credential|cookie)
        \\?["']?\s*[:=]\s*\\?["']?)([^\s"'\\,;&<>(){}\[\]]{6,})""",
    re.VERBOSE | re.IGNORECASE,
)
_BESIDE: Final = re.compile(
    r"\b((?:api[-_ ]?)?(?:keys?|token|secrets?|credentials?|passwords?|signature)\b[^.\n]{0,40}?)"
    r"(?<![\w+/=.-])([\w+/=.*-]{20,})",
    re.IGNORECASE,
)
_SPLIT: Final = re.compile(r"[^A-Za-z0-9]+")


def redact(text: str) -> str:
    """The text with every secret replaced by ``***``."""
    text = _SHAPES.sub(_shape, text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    text = _USERINFO.sub(MASK, text)
    text = _SCHEME.sub(lambda m: f"{m[1]}{m[2]}{MASK}" if _odd(m[3]) else m[0], text)
    text = _NAMED.sub(lambda m: f"{m[1]}{MASK}" if _odd(m[2]) else m[0], text)
    return _BESIDE.sub(lambda m: f"{m[1]}{_keep_dot(m[2])}" if _random(m[2]) else m[0], text)


def conceal(text: str, secrets: Iterable[str]) -> str:
    """The text without these very secrets, whatever they look like; shorter ones than eight characters are words."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
    return text


def _shape(match: re.Match[str]) -> str:
    """``sk-learn-tutorial`` and ``hf_hub_download`` are names: a key has a digit, a mask, or no end."""
    word = match[0]
    return MASK if re.search(r"[\d*]", word) or len(max(_SPLIT.split(word), key=len)) >= 20 else word


def _keep_dot(word: str) -> str:
    return MASK + "." if word.endswith(".") else MASK


def _odd(word: str) -> bool:
    """Not a word of any language: digits among letters, or too long."""
    word = word.rstrip(".:")
    if word.startswith(MASK) or len(word) < 6:
        return False
    letters = any(c.isalpha() for c in word)
    return (letters and any(c.isdigit() or c == "*" for c in word)) or len(word) >= 24 or ("=" in word[-2:] and letters)


def _random(word: str) -> bool:
    """One of its parts mixes letters and digits at length: ``claude-sonnet-4-20250514`` does not."""
    return "****" in word or any(
        len(part) >= 12 and any(c.isdigit() for c in part) and any(c.isalpha() for c in part)
        for part in _SPLIT.split(word)
    )
