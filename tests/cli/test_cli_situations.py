"""What went wrong, who can fix it, and the next step: one table of emulated situations, as a person
and a program see them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pluton_rclone import Storages
from pluton_rclone.emulator import Emulator
from pluton_rclone.emulator.graph.call import Call
from pluton_rclone.errors import Cancelled
from pluton_rclone.rclone.faults import fault
from tests.cli.conftest import Command
from tests.connected import ANNA, BERT, connected, emulated_drive
from tests.gates import Gate

ADMIN = "admin@contoso.onmicrosoft.com"
YOU, ADMINISTRATOR = "you", "your administrator"


@dataclass
class Scene:
    """The emulated Microsoft with the storages home (Anna's) and work (Bert's), and a local folder
    of files."""

    cloud: Emulator
    source: Path
    command: Command
    browser: Callable[..., None]

    def token(self, name: str, **fields: object) -> None:
        """Change fields of a storage's token; None removes a field."""
        storage = Storages()[name]
        token = {**json.loads(storage.section_with_secrets()["token"]), **fields}
        text = json.dumps({key: value for key, value in token.items() if value is not None})
        storage.storages.conf.update(name, {"token": text})

    def sign_out(self, *usernames: str) -> None:
        for username in usernames:
            self.cloud.world.revoke_tokens(self.cloud.world.person(username))


@pytest.fixture
def scene(cloud: Emulator, command: Command, browser: Callable[..., None], tmp_path: Path) -> Scene:
    connected(cloud, "personal", name="home")
    connected(cloud, "business", name="work")
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / str(number)).write_bytes(b"x" * 10_000)
    return Scene(cloud, source, command, browser)


@contextmanager
def a_full_drive(scene: Scene) -> Iterator[None]:
    emulated_drive(scene.cloud, "business").quota.total = 15_000
    yield


@contextmanager
def a_clock_that_is_behind(scene: Scene) -> Iterator[None]:
    scene.cloud.world.advance(7200)
    yield


@contextmanager
def a_token_without_refresh(scene: Scene) -> Iterator[None]:
    scene.token("work", refresh_token=None, expiry="2020-01-01T00:00:00Z")
    yield


@contextmanager
def permission_to_read_only(scene: Scene) -> Iterator[None]:
    emulated_drive(scene.cloud, "business").write("x/old.txt", b"old")
    Storages().conf.update("work", {"pluton_granted_scopes": "Files.Read"})
    yield


@contextmanager
def a_growing_file(scene: Scene) -> Iterator[None]:
    """A file grows between rclone's listing and its reading, which begins once the upload session
    exists."""

    @asynccontextmanager
    async def grow(call: Call) -> AsyncIterator[None]:
        if call.path.endswith("createUploadSession"):
            with (scene.source / "0").open("ab") as end:
                end.write(b"y")
        yield

    scene.cloud.faults.turn = grow
    yield


@contextmanager
def a_name_that_is_taken_for_ever(scene: Scene) -> Iterator[None]:
    scene.cloud.faults.refuse(409, times=None, where="createUploadSession")
    yield


@contextmanager
def two_dead_tokens(scene: Scene) -> Iterator[None]:
    for name in ("home", "work"):
        scene.token(name, expiry="2020-01-01T00:00:00Z")
    scene.sign_out(ANNA, BERT)
    yield


@contextmanager
def uploads_that_do_not_begin(scene: Scene) -> Iterator[None]:
    """Only the uploads hang: if the time ended in rclone's listing, no file would have failed."""
    for number in range(40):
        (scene.source / f"more{number}").write_bytes(b"x")
    Gate(scene.cloud, "createUploadSession")
    yield


@contextmanager
def an_account_of_contoso(scene: Scene) -> Iterator[None]:
    scene.browser(BERT)
    yield


@contextmanager
def a_closed_root(scene: Scene) -> Iterator[None]:
    scene.browser(BERT)
    scene.cloud.files.drive_of(ADMIN).write("Team/plan.txt", b"plan")
    yield


@dataclass(frozen=True)
class Row:
    played: Callable[[Scene], AbstractContextManager[None]]
    command: Sequence[str]
    code: int
    what: str
    who: str
    step: str | None
    says: str
    """A part of the advice, as the command line prints it."""


COPY = ("copy", "SOURCE", "work:x")
AT_FABRIKAM = (
    "connect",
    "x",
    "--type",
    "sharepoint",
    "--site",
    "https://fabrikam.sharepoint.com/sites/X",
)
AT_ADMINS = (
    "connect", "x", "--type", "sharepoint", "--site",
    "https://contoso-my.sharepoint.com/personal/admin_contoso_onmicrosoft_com/Documents/Team",
)  # fmt: skip
TABLE = (
    Row(a_full_drive, COPY, 7, "not transferred", YOU, None, "Free up space on the drive"),
    Row(
        a_token_without_refresh,
        COPY,
        3,
        "no longer accepts the token",
        YOU,
        "reauthorize",
        "pluton-rclone reauthorize work",
    ),
    Row(
        a_token_without_refresh,
        ("test", "work"),
        4,
        "failed at 'Configuration'",
        YOU,
        "reauthorize",
        "pluton-rclone reauthorize work",
    ),
    Row(
        permission_to_read_only,
        COPY,
        4,
        "'work' was connected for reading only",
        YOU,
        "connect_anew",
        "pluton-rclone connect work",
    ),
    Row(
        permission_to_read_only,
        ("delete", "work:x", "--yes"),
        4,
        "for reading only",
        YOU,
        "connect_anew",
        "connect work",
    ),
    Row(
        permission_to_read_only,
        ("move", "work:x", "home:x", "--yes"),
        4,
        "for reading only",
        YOU,
        "connect_anew",
        "connect work",
    ),
    Row(
        a_growing_file,
        COPY,
        7,
        "1 file was not transferred",
        YOU,
        None,
        "when no program writes to it",
    ),
    Row(
        a_name_that_is_taken_for_ever,
        COPY,
        7,
        "3 files were not transferred",
        YOU,
        None,
        "such as a OneNote notebook",
    ),
    Row(
        two_dead_tokens,
        ("copy", "home:", "work:x"),
        3,
        "no longer accepts the token",
        YOU,
        "reauthorize",
        "pluton-rclone reauthorize home",
    ),
    Row(
        two_dead_tokens,
        ("ls", "work:"),
        3,
        "no longer accepts the token",
        YOU,
        "reauthorize",
        "pluton-rclone reauthorize work",
    ),
    Row(
        uploads_that_do_not_begin,
        (*COPY, "--max-duration", "2s"),
        7,
        "it ended before everything was tried",
        YOU,
        None,
        "continue where it stopped",
    ),
    Row(an_account_of_contoso, AT_FABRIKAM, 3, "another organisation", YOU, None, "set its tenant"),
    Row(
        a_closed_root,
        AT_ADMINS,
        4,
        "no access to this site",
        ADMINISTRATOR,
        None,
        "Ask an owner of the site",
    ),
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.played.__name__}-{row.command[0]}")
def test_what_is_said_names_who_can_fix_it_and_leads_out(scene: Scene, row: Row) -> None:
    words = [str(scene.source) if word == "SOURCE" else word for word in row.command]
    with row.played(scene):
        said = scene.command(*words)
        told = scene.command(*words, "--json")

    assert (said.code, told.code) == (row.code, row.code), said.err
    shown = said.err[said.err.index("ERROR") :]
    assert row.what in shown
    assert row.says in shown
    assert "http" not in shown.partition("What to do")[0].replace(
        AT_ADMINS[-1].rpartition("/Documents")[0], ""
    )
    assert (told.error["who"], told.error["next_step"]) == (row.who, row.step)


def test_a_storage_whose_token_cannot_be_renewed_comes_back_by_signing_in_again(
    scene: Scene,
) -> None:
    """Formerly, copy said "correct the value", and so did reauthorize."""
    with a_token_without_refresh(scene):
        scene.browser(BERT)
        again = scene.command("reauthorize", "work")
    assert again.code == 0, again.err
    assert scene.command("copy", str(scene.source), "work:x").code == 0


@pytest.mark.parametrize("person", [ANNA, BERT])
def test_read_only_stays_so_for_somebody_who_granted_the_app_more_before(
    scene: Scene, person: str
) -> None:
    """Microsoft also grants what was granted before: formerly, the connection test wrote its probe
    file."""
    scene.browser(person)
    kind = "personal" if person == ANNA else "business"
    assert scene.command("connect", "first", "--type", kind).code == 0
    scene.cloud.faults.refuse(403, times=None, method="PUT")
    ran = scene.command("connect", "second", "--type", kind, "--read-only")
    assert ran.code == 0, ran.err
    assert "the app asks to read your own files" in ran.err
    assert "permissions granted are for reading only" in ran.err
    assert Storages()["second"].remote.granted_scopes == ("Files.Read", "User.Read")
    refused = scene.command("copy", str(scene.source), "second:x")
    assert (refused.code, "'second' was connected for reading only" in refused.err) == (4, True)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cancelled_copy_says_so_for_every_file(scene: Scene, way: str) -> None:
    storage = Storages()["work"]
    if way == "down":
        storage.upload(scene.source, "x").result()
    Gate(scene.cloud, "createUploadSession|/content$")
    transfer = (
        storage.upload(scene.source, "y")
        if way == "up"
        else storage.download("x", scene.source / "back")
    )
    next(transfer.events())
    result = transfer.cancel()
    assert isinstance(result.error, Cancelled)
    assert {file.error.code for file in result.failed} <= {"cancelled"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Failed to copy: context canceled", "cancelled"),
        (
            'couldn\'t list files: Get "https://graph.microsoft.com/v1.0/drives/1": context '
            "canceled",
            "cancelled",
        ),
        ("Failed to copy: max transfer duration reached as set by --max-duration", "limit_reached"),
    ],
)
def test_what_rclone_says_of_an_end_that_was_asked_for(text: str, code: str) -> None:
    found = fault(text)
    assert found.code == code
    assert "http" not in str(found)


@pytest.mark.parametrize("words", [COPY, ("ls", "work:")])
def test_a_clock_that_is_behind_stops_nothing(scene: Scene, words: tuple[str, ...]) -> None:
    """For Microsoft the token has expired, but by this clock it is valid: it is renewed."""
    with a_clock_that_is_behind(scene):
        said = scene.command(*(str(scene.source) if word == "SOURCE" else word for word in words))
    assert said.code == 0, said.err
