"""Real answers, each read correctly: every file of tests/data/captures is a case.

A file has `kind` (its reader), `what`, `source`, `license`, `given` and `expect`. To add a case,
add a file. Each reader below describes its `given`; `judge` describes `expect` for errors, the
readers of values describe theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pluton_rclone import errors
from pluton_rclone.conf.conf import Conf
from pluton_rclone.microsoft.clouds import CLOUDS
from pluton_rclone.microsoft.entra.faults import Asked, sign_in_error
from pluton_rclone.microsoft.entra.paste import read_paste
from pluton_rclone.microsoft.entra.token import ALREADY_EXPIRED, Token
from pluton_rclone.microsoft.graph import delta
from pluton_rclone.microsoft.graph.addresses import read_address
from pluton_rclone.microsoft.graph.drives import Quota
from pluton_rclone.microsoft.graph.faults import graph_error
from pluton_rclone.microsoft.graph.graph import Graph
from pluton_rclone.microsoft.graph.locations import resolve
from pluton_rclone.microsoft.http import Answer, Http
from pluton_rclone.rclone import faults
from pluton_rclone.values.redaction import redact

Case = dict[str, Any]

CASES: dict[str, Case] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "data" / "captures").glob("*.json"))
}
WHO = {
    "you": errors.Who.YOU,
    "administrator": errors.Who.ADMINISTRATOR,
    "developer": errors.Who.DEVELOPER,
    "later": errors.Who.LATER,
}
ERROR_MEMBERS = {
    *("kind", "not_kind", "who", "retry", "exit_code"),
    *(f"{part}_{verb}" for part in ("what", "why", "advice") for verb in ("has", "lacks")),
}


def kinds(names: list[str]) -> tuple[type[errors.PlutonRcloneError], ...]:
    return tuple(getattr(errors, name) for name in names)


def judge(error: errors.PlutonRcloneError, expect: Mapping[str, Any]) -> None:
    """`kind`, `not_kind`: names of classes, any of them. `who`, `retry`, `exit_code`. `…_has`,
    `…_lacks`: words in one of the error's sentences."""
    assert set(expect) <= ERROR_MEMBERS
    assert error.what
    assert error.advice
    json.dumps(error.record())
    if "kind" in expect:
        assert type(error) in kinds(expect["kind"])
    if "not_kind" in expect:
        assert type(error) not in kinds(expect["not_kind"])
    if "who" in expect:
        assert error.who in [WHO[word] for word in expect["who"]]
    if "retry" in expect:
        assert error.details["retry"] is expect["retry"]
    if "exit_code" in expect:
        assert error.exit_code == expect["exit_code"]
    for part in ("what", "why", "advice"):
        said = str(getattr(error, part)).lower()
        for word in expect.get(f"{part}_has", ()):
            assert word.lower() in said
        for word in expect.get(f"{part}_lacks", ()):
            assert word.lower() not in said


def graph(given: Case, expect: Case, _: Path) -> None:
    """`status`, `body` (null: not JSON), `target`: the requested thing."""
    judge(graph_error(Answer(given["status"], {}, given["body"]), target=given["target"]), expect)


def rclone(given: Case, expect: Case, _: Path) -> None:
    """`line` of rclone's log."""
    error = faults.fault(given["line"])
    judge(error, expect)


def entra(given: Case, expect: Case, _: Path) -> None:
    """`answer` of the sign-in service, `way` of signing in."""
    judge(sign_in_error(given["answer"], Asked(way=given["way"])), expect)


class Table(Http):
    """Answers from a table of paths; 404 for any other path."""

    def __init__(self, rows: Mapping[str, Any]) -> None:
        super().__init__()
        self.rows = rows
        self.sent: list[Mapping[str, str]] = []

    def request(self, method: str, url: str, **sent: Any) -> Answer:
        self.sent.append({name.lower(): value for name, value in sent["headers"].items()})
        path = url.removeprefix("https://graph.microsoft.com").partition("?")[0]
        missing = [404, {"error": {"code": "itemNotFound", "message": "Item not found"}}]
        status, body = self.rows.get(path, missing)
        return Answer(status, {}, body)


def http(given: Case, expect: Case, _: Path) -> None:
    """`table` of paths and answers; `call`: drives, drive ID, shortcuts FOLDER, me, or resolve
    ADDRESS.

    Expected: `names`, `web_urls` of drives; `folder` of a place; `account`; `sent_header`; or
    `raises`, and what `judge` takes.
    """
    table = Table(given["table"])
    client = Graph(CLOUDS["global"], Token("token", None, ALREADY_EXPIRED), http=table)
    call, _, argument = given["call"].partition(" ")
    calls: dict[str, Callable[[], Any]] = {
        "drives": client.drives,
        "drive": lambda: client.drive(argument),
        "shortcuts": lambda: client.hidden_shortcuts(argument),
        "me": client.me,
        "resolve": lambda: resolve(client, argument),
    }
    if "raises" in expect:
        with pytest.raises(kinds(expect["raises"])) as refusal:
            calls[call]()
        judge(refusal.value, {name: value for name, value in expect.items() if name != "raises"})
        return
    found = calls[call]()
    for name, value in expect.items():
        if name == "names":
            assert [drive.name for drive in found] == value
        elif name == "web_urls":
            assert [drive.web_url for drive in found] == value
        elif name == "folder":
            assert found.folder == value
        elif name == "account":
            assert value in str(found)
        elif name == "sent_header":
            assert any(value[1].lower() in sent.get(value[0], "").lower() for sent in table.sent)
        else:
            raise AssertionError(name)


def address(given: Case, expect: Case, _: Path) -> None:
    """Pasted `text`. Expected: `place`, the repr of its meaning; or the keys of `judge`."""
    if "place" in expect:
        assert repr(read_address(given["text"])) == expect["place"]
        return
    with pytest.raises(errors.PlutonRcloneError) as refusal:
        read_address(given["text"])
    judge(refusal.value, expect)


def paste(given: Case, expect: Case, _: Path) -> None:
    """Pasted `text`. Expected: `ok`."""
    if expect["ok"]:
        assert read_paste(given["text"]).token.refresh_token
        return
    with pytest.raises(errors.TokenInvalid):
        read_paste(given["text"])


def conf(given: Case, expect: Case, folder: Path) -> None:
    """`text` of an rclone.conf. Expected: `remotes` by name; `usable` names; `finding`: an option
    and its severity, its words without `what_lacks`; `drive_id`."""
    path = folder / "rclone.conf"
    path.write_bytes(given["text"].encode())
    file = Conf(path)
    findings = file.inspect()
    if "remotes" in expect:
        assert file.remotes() == expect["remotes"]
    for name in expect.get("usable", ()):
        remote = file.remote(name)
        assert [each for each in findings if each.remote == name and each.severity == "error"] == []
        if "drive_id" in expect:
            assert remote.drive_id.lower() == expect["drive_id"].lower()
    if "finding" in expect:
        option, severity = expect["finding"]
        told = [each for each in findings if (each.option, each.severity) == (option, severity)]
        assert told
        for word in expect.get("what_lacks", ()):
            assert word not in " ".join(each.what for each in told)


def quota(given: Case, expect: Case, _: Path) -> None:
    """`facet` of a drive. Expected: `state`, `remaining`."""
    found = Quota.from_graph(given["facet"])
    assert {name: getattr(found, name) for name in expect} == expect


def feed(given: Case, expect: Case, _: Path) -> None:
    """`page` of the change feed. Expected: the `paths` in it; `end`: whether it is the last."""
    page = delta.page(given["page"])
    assert [each.name for each in page.items() if not (each.root or each.deleted)] == expect[
        "paths"
    ]
    assert (page.next is None) is expect["end"]


def redaction(given: Case, expect: Case, _: Path) -> None:
    """`text` with a `secret` in it, which must be removed while the host stays."""
    for shown in (redact(given["text"]), str(faults.fault(given["text"], subject=given["text"]))):
        assert given["secret"] not in shown
        for word in expect.get("keeps", ()):
            assert word in shown


READERS: dict[str, Callable[[Case, Case, Path], None]] = {
    "graph": graph,
    "rclone": rclone,
    "entra": entra,
    "http": http,
    "address": address,
    "paste": paste,
    "conf": conf,
    "quota": quota,
    "delta": feed,
    "redact": redaction,
}


@pytest.mark.parametrize("name", CASES)
def test_every_answer_that_people_really_got_is_read_rightly(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    READERS[case["kind"]](case["given"], case["expect"], tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_every_capture_names_its_source_and_holds_facts_alone(name: str) -> None:
    case = CASES[name]
    assert case["id"] == name
    assert case["source"]
    assert case["license"] == "facts, shapes only"
    assert case["expect"] or case["kind"] == "redact"
