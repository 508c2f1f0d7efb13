"""A pasted token: rclone's JSON, the output of `rclone authorize`, or a remote's section."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pluton_rclone.errors import TokenInvalid
from pluton_rclone.remote.options import TRUE
from pluton_rclone.remote.pairs import BASE, MARK, joined, storage_of
from pluton_rclone.values.conf_text import handed_down
from pluton_rclone.values.printable import printable
from pluton_rclone.values.token_text import MASKED, token_fields

from ..clouds import is_of_microsoft
from .token import NO_ACCESS_TOKEN, Token

LARGEST = 1024 * 1024  # characters
# What `rclone config redacted` and our own `show` print in place of a secret.
REDACTED = ("XXX", MASKED)

# These patterns take linear time on the stripped text that they are applied to.
_SECTION = re.compile(r"\[([^\]]+)\]")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_JWT = re.compile(r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*")
_INVISIBLE = "\ufeff\u200b"
_QUOTES = str.maketrans("“”„‟\u00a0", '"""" ', _INVISIBLE)
_NAMES = frozenset({"description", "remote", MARK, BASE, "pluton_account_name", "link_password"})
"""Options whose values keep the characters that `_QUOTES` replaces elsewhere."""


@dataclass(frozen=True)
class Pasted:
    """The token in a paste, and the remote's other options, if any, which may hold a secret."""

    token: Token
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_paste(text: str) -> Pasted:
    """The token in a pasted text. Without expiry or access token it counts as expired: rclone
    renews it first. Raises `TokenInvalid`, also without a refresh token; never quotes the paste."""
    if len(text) > LARGEST:
        why = f"it has {len(text):,} characters"
        raise TokenInvalid("This text is too long to be a token.", why=why)
    text = text.replace("\r\n", "\n").strip().strip(_INVISIBLE).strip()
    if not text:
        raise TokenInvalid("Nothing was pasted.")
    if "RCLONE_ENCRYPT_V0:" in text:
        advice = "Paste what `rclone config show NAME` prints instead."
        raise TokenInvalid("This is an encrypted rclone.conf.", advice=advice)
    if re.search(r"RCLONE_CONFIG_[^\s=]{1,200}_TOKEN=", text):
        what = "These are environment variables for a container, which lack part of the storage."
        raise TokenInvalid(what, advice="Export the storage as an rclone.conf, and paste that.")
    inside, end, _ = text.partition("--->")[2].partition("<---")
    if end:
        text = inside.strip()
        if not text:
            raise TokenInvalid("There is nothing between the arrows.")
    for candidate in _candidates(text):
        pasted = _from_value(candidate)
        if pasted is None:
            continue
        options = pasted.options
        lasts = options.get("client_credentials") in TRUE or options.get("tenant_url")
        if pasted.token.refresh_token or lasts:  # a tenant_url rules out renewal in any case
            return pasted
        what = "This token cannot be renewed: it does not have a refresh_token."
        advice = "Run `rclone authorize onedrive` again and paste everything that it prints."
        raise TokenInvalid(what, why="it would expire within the hour", advice=advice)
    raise _explained(text.translate(_QUOTES))


def remotes_in(text: str) -> dict[str, str]:
    """The OneDrive remotes that can sign in, from an rclone.conf or a dump of one: by name, each as
    text for `read_paste`."""
    found: Iterator[Any] = iter(()) if len(text) > LARGEST else _candidates(text)
    values = (value for value in found if isinstance(value, Mapping))
    remotes = next(filter(None, map(_with_token, values)), {})
    return {name: json.dumps({name: options}) for name, options in remotes.items()}


def _with_token(value: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    sections = {str(name): one for name, one in value.items() if isinstance(one, Mapping)}
    found: dict[str, Mapping[str, Any]] = {}
    for name, own in sections.items():
        above = handed_down(sections, name).items()
        options = {**{key: sections[parent][key] for key, parent in above}, **own}
        itself = options.get("client_credentials") in TRUE or options.get("pluton_certificate")
        if options.get("type", "onedrive") == "onedrive" and (options.get("token") or itself):
            owner = storage_of(sections, name)
            alone = owner == name
            found[owner] = joined(options) if alone else joined(sections[owner], options)
    return found


def _candidates(text: str) -> Iterator[Any]:
    """The JSON values that the text may contain, the likeliest first."""
    yield _sections(text)
    decoder = json.JSONDecoder()
    if isinstance(exported := token_fields(text).get("text"), str):  # our own JSON output
        yield _sections(exported)
    for form in dict.fromkeys((*_spellings(text), *_spellings(text.translate(_QUOTES)))):
        start = -1
        for _ in range(50):
            start = form.find("{", start + 1)
            if start < 0:
                break
            with suppress(ValueError, RecursionError):
                yield decoder.raw_decode(form, start)[0]


def _spellings(text: str) -> Iterator[str]:
    """The text as it is, without a terminal's line breaks, without a shell's escapes, decoded."""
    joined = "".join(line.strip(" \t") for line in text.split("\n"))
    yield from (text, joined, joined.replace('\\"', '"'))
    compact = "".join(text.split())
    if _BASE64.fullmatch(compact):  # rclone's is URL-safe and unpadded; other forms work, too
        plain = compact.rstrip("=").replace("+", "-").replace("/", "_")
        with suppress(ValueError):
            yield base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode()


def _from_value(value: Any) -> Pasted | None:
    """The paste in a token object, in a remote's options or in remotes by name; else None."""
    if not isinstance(value, Mapping):
        return None
    if "access_token" in value or "refresh_token" in value:
        return Pasted(Token.from_record(value))
    is_one = "token" in value
    if is_one and value.get("type", "onedrive") == "onedrive":
        return _from_options(joined(value))
    with_token = _with_token(value)
    if len(with_token) > 1:
        what = f"This text contains {len(with_token)} remotes: {', '.join(sorted(with_token))}."
        raise TokenInvalid(what, advice="Paste one of them: `rclone config show NAME` prints it.")
    for options in with_token.values():
        return _from_options(options)
    if is_one or any(isinstance(one, Mapping) for one in value.values()):
        advice = "Paste the section of the remote whose type is onedrive."
        raise TokenInvalid("This text has no OneDrive remote with a token.", advice=advice)
    return None


def _from_options(options: Mapping[str, Any]) -> Pasted:
    token = options.get("token") or {"access_token": NO_ACCESS_TOKEN}  # an application needs none
    if {"client_secret", "token"} & {key for key, value in options.items() if value in REDACTED}:
        advice = "Paste what `rclone config show NAME` prints, or an export with its secrets."
        raise TokenInvalid("This remote was redacted: its secrets were removed.", advice=advice)
    if options.get("pluton_certificate") and "token" not in options:
        what = "This remote signs in with a certificate, whose file is not in this text."
        advice = "Bring that file to this machine and connect it anew with it: same registration, "
        raise TokenInvalid(what, advice=advice + "tenant and drive.")
    if re.match(r"https?://(127\.|localhost)", str(options.get("token_url", ""))):
        what = "This remote can be used by one program on one machine only."
        why = "its token address (token_url) is a program on that machine"
        advice = "Paste the remote from its original rclone.conf, or connect again."
        raise TokenInvalid(what, why=why, advice=advice)
    for option in ("token_url", "auth_url", "tenant_url"):
        address, sharepoint = str(options.get(option) or ""), option == "tenant_url"
        if address and not is_of_microsoft(address, sharepoint=sharepoint):
            host = printable(address.partition("://")[2].partition("/")[0])
            place = host[:200] or "an unknown place"
            what = f"This remote sends its secrets to {place}, which is not Microsoft's."
            advice = f"Paste it without {option}. If you trust that host, set it in rclone.conf."
            raise TokenInvalid(what, why=f"its option {option} says so", advice=advice)
    given = Token.from_rclone(token) if isinstance(token, str) else Token.from_record(token)
    others = {str(key): value for key, value in options.items() if key != "token"}
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in others.items()}
    return Pasted(given, texts)


def _sections(text: str) -> dict[str, dict[str, str]]:
    """The sections of an rclone.conf; bare `key = value` lines are a section named ""."""
    remotes: dict[str, dict[str, str]] = {}
    name, known = "", False
    for raw in text.split("\n"):
        line = raw.translate(_QUOTES).strip()
        section = _SECTION.fullmatch(line)
        key, equals, value = line.partition("=")
        if key.strip() in _NAMES:
            value = raw.partition("=")[2]
        if section is not None:
            name, known = section.group(1), True
            remotes.setdefault(name, {})
        elif equals and _KEY.fullmatch(key.strip()):
            known = known or key.strip() == "token"
            remotes.setdefault(name, {})[key.strip()] = value.strip()
    return {name: options for name, options in remotes.items() if options} if known else {}


def _explained(text: str) -> TokenInvalid:
    why: str | None = None
    if re.match(r"https?://", text):
        advice = "Open it in a browser, sign in, and paste what the program prints afterwards."
        return TokenInvalid("This is an address, not a token.", advice=advice)
    named, opened = "access_token" in text or "refresh_token" in text, "{" in text
    what = "There is no token in this text."
    if _JWT.fullmatch(text):
        what = "This is only an access token."
        why = "without its refresh token it expires within the hour"
    elif named and text.count("{") > text.count("}"):
        what, why = "The text ends too early.", "the closing } is missing"
    elif named and opened:
        what, why = "The token's JSON is damaged.", "part of it was lost or changed in transit"
    elif named:
        what, why = "The beginning of the token is missing.", "there is no opening {"
    elif opened:
        what = "There is JSON in this text, but no token in it."
    elif len(text) > 40 and _BASE64.fullmatch("".join(text.split())):
        what = "This looks like base64, but is damaged or something else."
        why = "it does not decode to JSON with a token"
    return TokenInvalid(what, why=why)
