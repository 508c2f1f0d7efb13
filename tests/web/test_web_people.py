"""Several people at one page that an application signs in: no one gets in by mistake, and each sees
only their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from pluton_rclone import Storage, Storages
from pluton_rclone.conf.conf import Conf
from pluton_rclone.emulator import Emulator
from pluton_rclone.errors import ConfigNotWritable, UsageError
from pluton_rclone.web.plumbing.jobs import Copying, Steps
from tests.connected import connected, emulated_drive
from tests.gates import Gate

from .client import Person, local_folder, page, ready_to_save, sessions_of, token_in, until_over
from .visitor import ANNA, BERT

DENIED = "There is no such storage here"


def by_header(request: Request) -> str | None:
    return request.headers.get("x-person")


@contextmanager
def people(**options: Any) -> Iterator[tuple[Person, Person, Starlette]]:
    """Anna and Bert at one page."""
    app = page(**{"identify": by_header, **options})
    found = []
    for name in ("anna", "bert"):
        person = Person(app)
        person.client.headers["x-person"] = name
        person.token = token_in(person.get("/").text)
        found.append(person)
    try:
        yield found[0], found[1], app
    finally:
        app.state.page.jobs.close()


def give(storage: Storage, person: str) -> Storage:
    Storages().conf.update(storage.remote_name, {"pluton_owner": person})
    return storage


# ---- identify ------------------------------------------------------------------------------------


async def late(value: object) -> object:
    await asyncio.sleep(0)
    return value


class Thenable:
    """Awaitable without being a coroutine."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, object]:
        yield from asyncio.sleep(0).__await__()
        return self.value


def raise_(error: BaseException) -> Any:
    raise error


async def raise_late(error: BaseException) -> Any:
    raise error


NOBODY: dict[str, Callable[[Request], Any]] = {
    "None": lambda request: None,
    "False": lambda request: False,
    "True": lambda request: True,
    "0": lambda request: 0,
    "1": lambda request: 1,
    "empty text": lambda request: "",
    "white space": lambda request: " \t",
    "bytes": lambda request: b"anna",
    "a list": lambda request: ["anna"],
    "an object": lambda request: object(),
    "a coroutine of None": lambda request: late(None),
    "a coroutine of False": lambda request: late(False),
    "a coroutine of ''": lambda request: late(""),
    "a coroutine of 0": lambda request: late(0),
    "a coroutine of a coroutine function": lambda request: late(late),
    "an awaitable of None": lambda request: Thenable(None),
    "an exception": lambda request: raise_(ValueError("inside")),
    "a missing key": lambda request: raise_(KeyError("user")),
    "a coroutine's exception": lambda request: raise_late(RuntimeError("inside")),
    "a coroutine's cancellation by a time limit": lambda request: raise_late(TimeoutError()),
}


@pytest.mark.parametrize("kind", NOBODY)
def test_whoever_is_not_plainly_identified_is_refused_and_that_is_logged(
    home: Path, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="pluton_rclone")
    app = page(identify=NOBODY[kind])
    stranger = Person(app)
    for path in ("/", "/add", "/transfers", "/storages/x", "/nothing"):
        answer = stranger.get(path)
        assert answer.status_code == 403
        assert "inside" not in answer.text
        assert "set-cookie" not in answer.headers
    assert stranger.post("/add").status_code == 403
    assert sessions_of(stranger) == []
    assert "identify" in caplog.text


@pytest.mark.parametrize("wrap", [lambda name: name, late, Thenable])
def test_a_name_lets_its_person_in_also_when_it_is_awaited(
    home: Path, tmp_path: Path, wrap: Callable[[str], Any]
) -> None:
    anna = Person(page(identify=lambda request: wrap("anna")))
    assert anna.get("/").status_code == 200
    assert [one.person for one in sessions_of(anna)] == ["anna"]


def test_a_page_without_persons_cannot_authorize_them(home: Path) -> None:
    with pytest.raises(UsageError, match="identify"):
        page(authorize=lambda person, action, storage: True)


def test_there_are_no_one_time_addresses_where_an_application_lets_people_in(home: Path) -> None:
    with people() as (anna, _, _app):
        assert anna.post("/addresses").status_code == 404


# ---- storages ------------------------------------------------------------------------------------

READING = (
    "",
    "/health",
    "/files",
    "/download?path=a",
    "/edit",
    "/remove",
    "/copy",
    "/restore",
)
CHANGING = ("/test", "/reauthorize", "/edit", "/remove", "/copy", "/restore")


def test_another_persons_storage_is_not_there(cloud: Emulator, tmp_path: Path) -> None:
    """It cannot be read, changed or removed, and the answer is the same as for a name that does not
    exist."""
    storage = give(connected(cloud, name="Private"), "anna")
    storage.rclone.rcat(b"hers", storage.at("a"))
    folder = local_folder(tmp_path)
    before = storage.section_with_secrets()
    with people(local_folders=[folder]) as (anna, bert, _):
        assert "Private" in anna.get("/").text
        assert "Private" not in bert.get("/").text
        assert bert.get("/storages/nothing").text == bert.get("/storages/privat").text
        for name in (storage.remote_name, "Private"):
            for path in READING:
                answer = bert.get(f"/storages/{name}{path}")
                assert answer.status_code == 404, path
                assert DENIED in answer.text
                assert (
                    answer.text.replace(name, "nothing")
                    == bert.get(f"/storages/nothing{path}").text
                )
            for path in CHANGING:
                form = {"name": "Stolen", "local": str(folder), "path": "", "field": "chunk_size"}
                assert bert.post(f"/storages/{name}{path}", form).status_code == 404, path
        assert anna.get(f"/storages/{storage.remote_name}/download?path=a").content == b"hers"
    assert storage.section_with_secrets() == before
    assert not (folder / "a").exists()


def test_a_storage_that_nobody_added_here_is_nobodys(cloud: Emulator) -> None:
    storage = connected(cloud)  # at the command line, for example
    with people() as (anna, bert, _):
        for person in (anna, bert):
            assert person.get(f"/storages/{storage.remote_name}").status_code == 404
            assert storage.name not in person.get("/").text.partition("<main")[2]


def test_what_somebody_adds_is_theirs(cloud: Emulator) -> None:
    with people() as (anna, bert, _):
        draft = ready_to_save(cloud, anna)
        anna.post(f"{draft}/save")
        until_over(anna)
        assert "ready for use" in anna.get(f"{draft}/save").text
        (storage,) = Storages().values()
        assert storage.section_with_secrets()["pluton_owner"] == "anna"
        storage.rename("Renamed")
        storage.update(chunk_size="20Mi")
        assert "Renamed" in anna.get("/").text
        assert "Renamed" not in bert.get("/").text
        assert bert.post(f"/storages/{storage.remote_name}/remove").status_code == 404
        assert anna.post(f"/storages/{storage.remote_name}/remove").status_code == 200
    assert list(Storages()) == []


def test_whose_a_storage_is_is_written_with_it(
    cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, a second write could fail: then nobody saw the storage, and its name was taken."""

    def full(*_: object, **__: object) -> None:
        raise ConfigNotWritable("There is no space left.")

    with people() as (anna, _, _):
        draft = ready_to_save(cloud, anna)
        monkeypatch.setattr(Conf, "update", full)
        anna.post(f"{draft}/save")
        until_over(anna)
        (storage,) = Storages().values()
        assert anna.get(f"/storages/{storage.remote_name}").status_code == 200


def test_a_re_authorization_that_is_not_allowed_any_more_does_not_happen(cloud: Emulator) -> None:
    """Between its beginning and its saving, another person became the storage's owner."""
    storage = give(connected(cloud), "anna")
    with people() as (anna, _, _app):
        draft = anna.post(f"/storages/{storage.remote_name}/reauthorize").url.path.removesuffix(
            "/authorize"
        )
        anna.sign_in(cloud, draft, ANNA)
        give(storage, "bert")
        before = storage.section_with_secrets()
        assert anna.post(f"{draft}/test").status_code == 404
        until_over(anna)
    assert storage.section_with_secrets() == before


def test_who_takes_a_name_sees_nothing_of_what_ran_under_it(
    cloud: Emulator, tmp_path: Path
) -> None:
    """It contains places, options and names of files. It stays with its storage."""
    hers, folder = give(connected(cloud, name="Work"), "anna"), local_folder(tmp_path)
    hers.upload(folder, "private").result()
    with people() as (anna, bert, _):
        hers.rename_remote("office").rename("Office")
        give(connected(cloud, "business", name="Work"), "bert")
        assert "/runs/1" not in bert.get("/storages/work").text
        assert bert.get("/storages/work/runs/1").status_code == 400
        assert "/storages/office/runs/1" in anna.get("/storages/office").text
        assert "private" in anna.get("/storages/office/runs/1").text


# ---- drafts and jobs -----------------------------------------------------------------------------


def test_another_persons_draft_and_its_test_are_not_there(cloud: Emulator) -> None:
    with people() as (anna, bert, app):
        draft = ready_to_save(cloud, anna)
        for path in (
            "name",
            "authorize",
            "type",
            "options",
            "save",
            "status",
            "waiting/x",
        ):
            assert bert.get(f"{draft}/{path}").status_code == 404
        for path in ("name", "sign-in", "code", "rclone", "test", "save", "give-up"):
            assert bert.post(f"{draft}/{path}").status_code == 404
        assert anna.get(f"{draft}/save").status_code == 200
        (work,) = app.state.page.jobs.all(Steps, "anna")
        storage = give(connected(cloud, name="His"), "bert")
        shown = bert.get(f"/storages/{storage.remote_name}?test={work.id}").text
        assert "Configuration" not in shown


def test_another_persons_transfer_is_neither_seen_nor_cancelled(
    cloud: Emulator, tmp_path: Path
) -> None:
    storage, folder = give(connected(cloud, name="Hers"), "anna"), local_folder(tmp_path)
    with people(local_folders=[folder]) as (anna, bert, app):
        at = anna.post(
            f"/storages/{storage.remote_name}/copy", {"local": str(folder), "path": "x"}
        ).url.path
        assert bert.get(at).status_code == 404
        (work,) = app.state.page.jobs.all(Copying, "anna")
        cancelled: list[bool] = []
        work.cancel = lambda: cancelled.append(True)
        assert bert.post(f"{at}/cancel").status_code == 404
        assert cancelled == []
        for path in ("/", "/transfers"):
            assert str(folder) not in bert.get(path).text
        until_over(anna)
        assert "1 file transferred" in anna.get(at).text
        assert str(folder) in anna.get("/transfers").text


class Waiting:
    """A transfer of Anna's that waits for its turn behind another one."""

    def __init__(self, cloud: Emulator, anna: Person, kind: str, folder: Path) -> None:
        self.anna, self.turn = anna, Gate(cloud, "^PUT ")
        first = anna.post("/storages/first/copy", {"local": str(folder), "path": "x"})
        assert first.status_code == 200
        self.turn.wait()
        at = anna.post(f"/storages/team/{kind}", {"local": str(folder), "path": ""})
        assert "Waiting for its turn" in at.text
        self.at = at.url.path

    def until_over(self) -> str:
        self.turn.open()
        until_over(self.anna)
        return self.anna.get(self.at).text


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Copying, "at_once", 1)


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("kind", ["copy", "restore"])
def test_a_transfer_that_waits_never_runs_in_another_storage_that_took_the_name(
    cloud: Emulator, tmp_path: Path, kind: str
) -> None:
    folder = local_folder(tmp_path)
    for name in ("first", "team"):
        give(connected(cloud, name=name), "anna")
    with people(local_folders=[folder]) as (anna, _, _app):
        waiting = Waiting(cloud, anna, kind, folder)
        anna.post("/storages/team/remove")
        theirs = give(connected(cloud, "business", name="team"), "bert")
        emulated_drive(cloud, "business").write("salary.txt", b"his")
        said = waiting.until_over()
    assert "no longer exists" in said
    assert [entry.name for entry in theirs.list()] == ["salary.txt"]
    assert not (folder / "salary.txt").exists()


@pytest.mark.usefixtures("one_at_a_time")
def test_a_transfer_that_waits_goes_on_in_its_storage_under_a_new_name(
    cloud: Emulator, tmp_path: Path
) -> None:
    folder = local_folder(tmp_path)
    for name in ("first", "team"):
        give(connected(cloud, name=name), "anna")
    with people(local_folders=[folder]) as (anna, _, _app):
        waiting = Waiting(cloud, anna, "copy", folder)
        renamed = Storages()["team"].rename_remote("ours")
        assert "1 file transferred" in waiting.until_over()
    assert "a.txt" in [entry.name for entry in renamed.list()]


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("wrap", [lambda answer: answer, late])
@pytest.mark.parametrize("allowed", [True, False])
def test_a_transfer_that_waits_is_permitted_again_when_its_turn_comes(
    cloud: Emulator,
    tmp_path: Path,
    wrap: Callable[[bool], bool | Awaitable[bool]],
    allowed: bool,
) -> None:
    folder, rights = local_folder(tmp_path), {"write": True}
    team = [connected(cloud, name=name) for name in ("first", "team")][1]

    def authorize(person: str, action: str, on: Storage | None) -> Any:
        return wrap(rights.get(action, True))

    with people(authorize=authorize, local_folders=[folder]) as (anna, _, _app), anna.client:
        waiting = Waiting(cloud, anna, "copy", folder)
        rights["write"] = allowed
        said = waiting.until_over()
    assert ("1 file transferred" in said) == allowed
    assert ("no longer permitted" in said) != allowed
    assert ("a.txt" in [entry.name for entry in team.list()]) == allowed


@pytest.mark.usefixtures("one_at_a_time")
def test_a_transfer_whose_right_is_asked_for_while_the_server_ends_says_that_it_has_none(
    cloud: Emulator, tmp_path: Path
) -> None:
    """The end of the loop cancels the answer; the person who asks later gets a page."""
    folder, answer = local_folder(tmp_path), dict[str, Callable[[], Any]]()
    for name in ("first", "team"):
        connected(cloud, name=name)

    def authorize(person: str, action: str, on: Storage | None) -> Any:
        return answer[action]() if action in answer else True

    with people(authorize=authorize, local_folders=[folder]) as (anna, _, _app), anna.client:
        waiting = Waiting(cloud, anna, "copy", folder)
        answer["write"] = lambda: raise_late(asyncio.CancelledError())
        assert "no longer permitted" in waiting.until_over()


# ---- authorize -----------------------------------------------------------------------------------


async def raising(*_: object) -> bool:
    raise RuntimeError("inside")


NO: dict[str, Callable[..., Any]] = {
    "None": lambda *_: None,
    "False": lambda *_: False,
    "1": lambda *_: 1,
    "a text": lambda *_: "yes",
    "a coroutine of False": lambda *_: late(False),
    "a coroutine of 1": lambda *_: late(1),
    "an exception": lambda *_: raise_(KeyError("role")),
    "a coroutine's exception": raising,
    "a coroutine's cancellation": lambda *_: raise_late(asyncio.CancelledError()),
}


@pytest.mark.parametrize("kind", NO)
def test_only_true_permits(cloud: Emulator, kind: str) -> None:
    storage = give(connected(cloud), "anna")
    with people(authorize=NO[kind]) as (anna, _, _app):
        assert anna.get(f"/storages/{storage.remote_name}").status_code == 404
        assert anna.post(f"/storages/{storage.remote_name}/remove").status_code == 404
        assert anna.post("/add").status_code == 403
        assert "personal" not in anna.get("/").text.partition("<main")[2]
    assert list(Storages()) == ["personal"]


@pytest.mark.parametrize("wrap", [lambda answer: answer, late])
def test_a_storage_is_shared_as_far_as_the_application_says(
    cloud: Emulator, tmp_path: Path, wrap: Callable[[bool], bool | Awaitable[bool]]
) -> None:
    storage, folder = connected(cloud, name="Team"), local_folder(tmp_path)
    asked: list[tuple[str, str, str | None]] = []

    def authorize(person: str, action: str, on: Storage | None) -> Any:
        asked.append((person, action, on.remote_name if on else None))
        return wrap(person == "anna" or action in ("see", "read"))

    at = f"/storages/{storage.remote_name}"
    with people(authorize=authorize, local_folders=[folder]) as (anna, bert, _):
        for path in ("", "/files", "/restore"):
            assert bert.get(at + path).status_code == 200, path
        for path in ("/edit", "/remove", "/copy"):
            refused = bert.get(at + path)
            assert refused.status_code == 403, path
            assert "You may not do that here" in refused.text
        for path in CHANGING[:-1]:
            assert bert.post(at + path, {"local": str(folder)}).status_code == 403, path
        assert bert.post("/add").status_code == 403
        copying = ["Copy here" in person.get(f"{at}/files").text for person in (anna, bert)]
        assert copying == [True, False]
        assert anna.post(f"{at}/remove").status_code == 200
    assert ("bert", "add", None) in asked
    assert ("bert", "remove", storage.remote_name) in asked


OFFERED = {
    "files": "read",
    "restore": "read",
    "copy": "write",
    "test": "write",
    "edit": "change",
    "reauthorize": "change",
    "repair": "change",
    "remove": "remove",
}


@pytest.mark.parametrize("allowed", ["see", "read", "write", "change", "remove", "add"])
def test_what_somebody_may_not_do_is_refused_and_not_offered(cloud: Emulator, allowed: str) -> None:
    """For a storage whose sign-in has expired, one whose drive is gone, and one without a drive:
    the remedies are offered, too."""
    team = connected(cloud, "business", name="Team").remote_name
    cloud.world.revoke_tokens(cloud.world.person(BERT))
    for name, drive in (("Gone", "0123456789abcdef"), ("None", None)):
        storage = connected(cloud, name=name)
        storage.storages.conf.update(storage.remote_name, {"drive_id": drive})

    def authorize(person: str, action: str, on: Storage | None) -> bool:
        return action in ("see", allowed)

    with people(authorize=authorize) as (anna, _, _app):
        front = anna.get("/").text
        for name in ("gone", "none", team):
            shown = anna.get(f"/storages/{name}").text + anna.get(f"/storages/{name}/health").text
            offered = {word for word in OFFERED if f'"/storages/{name}/{word}"' in shown}
            permitted = {word for word, action in OFFERED.items() if action == allowed}
            assert offered == permitted - ({"repair"} if name == team else set()), name
            quick = {word for word in OFFERED if f'"/storages/{name}/{word}"' in front}
            assert quick == permitted & {"files", "copy", "restore"}
        assert ('"/add"' in front) == (anna.get("/add").status_code == 200) == (allowed == "add")
        for word in {word for word, action in OFFERED.items() if action != allowed}:
            ask = anna.get if word == "files" else anna.post
            assert ask(f"/storages/{team}/{word}").status_code == 403, word


def test_a_page_within_an_application_lets_no_browsers_in_and_does_not_offer_to(home: Path) -> None:
    with people() as (anna, _, _app):
        for path in ("/", "/add", "/nowhere"):
            assert "Let another browser in" not in anna.get(path).text
        left = anna.post("/leave").text
        assert "You have left" in left
        assert "pluton-rclone web" not in left


def test_an_answer_of_microsoft_counts_in_the_browser_that_asked_alone(cloud: Emulator) -> None:
    """Not with another person's, and not with another browser of the same person."""
    from .client import answer_of

    with people() as (anna, bert, app):
        draft = anna.begin("Mine")
        answer = answer_of(cloud, BERT, anna.to_microsoft(draft))
        elsewhere = Person(app)
        elsewhere.client.headers["x-person"] = "anna"
        for other in (bert, elsewhere):
            refused = other.get(answer)
            assert refused.status_code == 403
            assert "not started in this browser" in refused.text
        assert anna.get(answer).url.path == f"{draft}/type"
