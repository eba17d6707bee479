"""S-expressions as ``sertop`` reads and writes them."""

from __future__ import annotations

import re
from typing import TypeAlias

from prover_core.errors import ProtocolError

__all__ = ["Sexp", "decode", "dump", "parse", "quote", "shown", "unquoted"]

Sexp: TypeAlias = "str | list[Sexp]"

_TOKEN = re.compile(rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([0-9]{3})|x([0-9a-fA-F]{2})|\n[ \t]*|(.))", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b"}
_PLAIN_ATOM = re.compile(r"[A-Za-z0-9_./:*?!<>=+-]+")
_TO_QUOTE = re.compile(r'["\\\x00-\x1f\x7f]')


def quote(text: str) -> bytes:
    """Text as a quoted atom.

    :raises ProtocolError: it is not Unicode text.
    """
    if _TO_QUOTE.search(text):
        text = _TO_QUOTE.sub(_quoted, text)
    try:
        return b'"%s"' % text.encode()
    except UnicodeEncodeError as error:
        message = f"text that is not Unicode cannot be sent to sertop: {text[:80]!r}"
        raise ProtocolError(message) from error


def _quoted(found: re.Match[str]) -> str:
    char = found[0]
    if char in '"\\':
        return f"\\{char}"
    return "\\n" if char == "\n" else f"\\{ord(char):03d}"


def dump(sexp: Sexp) -> bytes:
    """An s-expression as sertop reads it.

    :raises ProtocolError: an atom is not Unicode text.
    """
    if isinstance(sexp, str):
        return sexp.encode() if _PLAIN_ATOM.fullmatch(sexp) else quote(sexp)
    return b"(%s)" % b" ".join(dump(item) for item in sexp)


def parse(data: bytes) -> Sexp:
    """The one s-expression in ``data``.

    :raises ProtocolError: there is none, it is not complete, or something follows it.
    """
    top: list[Sexp] = []
    stack, position, end = [top], 0, len(data.rstrip())
    while position < end:
        token = _TOKEN.match(data, position)
        if token is None:
            raise _malformed(data, "a string that does not end")
        position = token.end()
        if token[1] == b"(":
            inner: list[Sexp] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif token[1] == b")":
            stack.pop()
            if not stack:
                raise _malformed(data, "a closing bracket too many")
        else:
            stack[-1].append(unquoted(token[2]) if token[2] is not None else decode(token[3]))
    if len(stack) > 1:
        raise _malformed(data, "a bracket that is not closed")
    if len(top) != 1:
        raise _malformed(data, f"{len(top)} expressions where one was expected")
    return top[0]


def unquoted(body: bytes) -> str:
    """The text between the quotes of a string."""
    if b"\\" in body:
        body = _ESCAPE.sub(_unescaped, body)
    return decode(body)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes([int(found[1]) & 255])
    if found[2] is not None:
        return bytes([int(found[2], 16)])
    char: bytes | None = found[3]
    return b"" if char is None else _SIMPLE.get(char, char)


def decode(data: bytes) -> str:
    """Bytes as text; what is not UTF-8 is replaced."""
    return data.decode(errors="replace")


def _malformed(data: bytes, what: str) -> ProtocolError:
    return ProtocolError(f"sertop's answer is not one s-expression ({what}): {shown(data)}")


def shown(data: bytes) -> str:
    """The beginning of an answer, for error messages."""
    return repr(data[:200].decode(errors="replace"))
