"""Strategies for Hypothesis: remotes that the model accepts, and files as people and rclone write
them."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from pluton_rclone.errors import RemoteError
from pluton_rclone.remote.names import name_fault
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.remote.rules import CHUNK
from pluton_rclone.values.conf_text import parent_of, value_fault
from pluton_rclone.values.encoding import WORDS
from pluton_rclone.values.size import Size

# Characters that break careless formats are frequent.
_ODD = st.sampled_from(list("\"'#;%=:[]{}\\/$&|<>()*?~!,.- @+äß€漢😀\u200d\u0301\x7f\x1b"))
texts = st.text(st.one_of(_ODD, st.characters(codec="utf-8")), max_size=30).filter(
    lambda text: value_fault(text) is None
)
words = texts.filter(bool)
names = st.one_of(
    st.from_regex(r"[A-Za-z0-9_.+@][A-Za-z0-9_.+@ -]{0,20}[A-Za-z0-9_.+@]", fullmatch=True),
    st.text(st.characters(categories=["Ll", "Lu", "Lo", "Nd"]), min_size=1, max_size=12),
).filter(lambda name: name_fault(name) is None)
chunk_sizes = (
    st.integers(1, 800).map(lambda count: Size(count * CHUNK)).filter(lambda size: size.is_exact)
)
switches = st.booleans()


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """A token as rclone's JSON text."""
    moment = draw(st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2199, 1, 1)))
    fields: dict[str, Any] = {
        "access_token": draw(words),
        "token_type": "Bearer",
        "refresh_token": draw(words),
        "expiry": moment.isoformat() + draw(st.sampled_from(["Z", "+02:00", "-11:30"])),
    }
    if draw(switches):
        fields["expires_in"] = draw(st.integers(1, 100_000))
    text = json.dumps(
        fields,
        ensure_ascii=draw(switches),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])),
    )
    assume(value_fault(text) is None)
    return text


def batches(size: int) -> st.SearchStrategy[dict[str, OneDriveRemote]]:
    """`size` remotes by name, none of which takes options of another one (`parent_of`)."""
    return st.dictionaries(names, remotes(), min_size=size, max_size=size).filter(
        lambda batch: not batch.keys() & set(map(parent_of, batch))
    )


@st.composite
def remotes(draw: st.DrawFn) -> OneDriveRemote:
    """Any remote that the model accepts."""
    kind = draw(st.sampled_from(["personal", "business", "documentLibrary"]))
    hexadecimal = st.text("0123456789abcdefABCDEF", min_size=1, max_size=16)
    optional: dict[str, st.SearchStrategy[Any]] = {
        "region": st.sampled_from(["global", "us", "de", "cn"]),
        "chunk_size": chunk_sizes,
        "hard_delete": switches,
        "description": texts,
        "client_id": texts,
        "client_secret": words,
        "tenant": texts,
        "auth_url": st.just("https://login.example/a?b=c&d=%20"),
        "token_url": st.just("http://127.0.0.1:1/token#x"),
        "upload_cutoff": st.sampled_from(["off", "0", "4Mi", "1Mi", "512Ki"]),
        "tenant_url": st.just("https://contoso.sharepoint.com/_api"),
        "root_folder_id": texts,
        "access_scopes": st.lists(
            st.sampled_from(["Files.Read", "Files.ReadWrite", "offline_access"]), min_size=1
        ),
        "disable_site_permission": switches,
        "expose_onenote_files": switches,
        "server_side_across_configs": switches,
        "list_chunk": st.integers(1, 10**6),
        "link_type": st.sampled_from(["view", "edit", "embed"]),
        "hash_type": st.sampled_from([choice.value for choice in BY_NAME["hash_type"].choices]),
        "av_override": switches,
        "delta": switches,
        "metadata_permissions": st.sampled_from(
            ["off", "read", "write", "read,write", "read,failok"]
        ),
        "encoding": st.lists(st.sampled_from(sorted(WORDS)), min_size=1).map(",".join),
        "base_folder": texts,
        "account_id": texts,
        "account_name": texts,
        "granted_scopes": st.lists(st.sampled_from(["Files.ReadWrite", "Sites.Read.All"])),
        "secret_expires": st.dates(date(1990, 1, 1), date(2100, 1, 1)),
        "sign_in": texts,
    }
    if kind == "personal":
        optional["link_password"] = words
    else:
        optional["no_versions"] = switches
        optional["link_scope"] = st.sampled_from(["anonymous", "organization"])
    given = draw(st.fixed_dictionaries({}, optional=optional))
    drive_id = (
        draw(hexadecimal)
        if kind == "personal"
        else "b!" + draw(st.from_regex(r"[\w-]{1,64}", fullmatch=True))
    )
    try:
        return OneDriveRemote(drive_id=drive_id, drive_type=kind, token=draw(tokens()), **given)
    except RemoteError as error:  # pragma: no cover - a strategy that is too wide
        raise AssertionError(error.details) from error


_SECTIONS = [
    "[a]",
    "[b]",
    "[a.b]",
    "[ c ]",
    "[DEFAULT]",
    "[a]x",
    "[x]]",
    " [a] ",
    "[a.b.c]",
    "[漢]",
]
_COMMENTS = ["# c", "; c", "", "  ", "#", " ;x = 1", "\t# [a]"]
_KEYS = [
    "a",
    "b",
    "x",
    "type",
    "key with space",
    "-",
    '"q"',
    '"""q"""',
    '"a=b"',
    "`a:b`",
    " a ",
    "A",
    "#x",
    "é",
    '" "',
]
_SEPARATORS = ["=", " = ", ":", " : ", "  =  ", "=\t"]
_VALUES = [
    *(
        "1",
        "`v`",
        '"v"',
        '"""v"""',
        "%(a)s",
        "%(b)s y",
        "v # c",
        "v ; c",
        "``",
        "a`b",
        '"""',
        '""""""',
        "",
    ),
    *(
        "C:\\x",
        "%(nope)s",
        "x%(a)sx%(b)s",
        "é\u00a0",
        "\u00a0z",
        "%(%(a)s)s",
        "a\rb",
        '"""é',
        '{"access_token":"x"}',
    ),
]
_entries = st.builds(
    lambda key, separator, value: key + separator + value,
    st.sampled_from(_KEYS),
    st.sampled_from(_SEPARATORS),
    st.one_of(
        st.sampled_from(_VALUES), st.text(st.one_of(_ODD, st.characters(codec="utf-8")), max_size=8)
    ),
)
_lines = st.one_of(
    st.sampled_from(_SECTIONS),
    st.sampled_from(_COMMENTS),
    _entries,
    _entries,
    _entries,
)
_rubbish = st.text(st.one_of(_ODD, st.characters(codec="utf-8")), max_size=8)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """An rclone.conf as a person, an editor on Windows or a bad disk would leave it; many are
    refused."""
    lines = draw(st.lists(_lines, max_size=12))
    if draw(st.integers(0, 4)) == 0:
        lines.append(draw(_rubbish))
    ends = st.sampled_from(["\n", "\n", "\n", "\r\n"])
    text = "".join(line + draw(ends) for line in ["[a]", *lines])
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        data = data.removesuffix(b"\n")
    if draw(st.integers(0, 9)) == 0:
        data = b"\xef\xbb\xbf" + data
    if draw(st.integers(0, 9)) == 0:
        data += b"\n[raw]\nbytes = a\xff\xfe\xe2\x82b\n"
    return data
