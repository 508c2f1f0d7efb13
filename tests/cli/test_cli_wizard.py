"""`connect` at a terminal: a person is asked for everything that was not given, and may press
Ctrl-C at each prompt."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pluton_rclone.conf.export import as_conf
from pluton_rclone.emulator import PUBLIC_CLIENT_ID, RCLONE_CLIENT_ID, Emulator
from tests.cli.conftest import AtTerminal, Command
from tests.connected import remote_of
from tests.terminal import Terminal

ANNA, BERT = "anna@outlook.com", "bert@contoso.onmicrosoft.com"
ADDRESS = "https://contoso.sharepoint.com/sites/Backups"


@pytest.fixture
def libraries(cloud: Emulator) -> None:
    """The site Backups has two document libraries."""
    site = cloud.files.site_at("contoso.sharepoint.com", "/sites/Backups")
    assert site is not None
    cloud.files.add_library(site, "Archive")


def answer(terminal: Terminal, *questions: tuple[str, str]) -> None:
    for question, given in questions:
        terminal.expect(question)
        terminal.answer(given)


def section(home: Path) -> str:
    return (home / "rclone.conf").read_text(encoding="utf-8")


def test_asked_for_everything_a_personal_onedrive_is_connected(
    at_terminal: AtTerminal, home: Path
) -> None:
    with at_terminal("connect") as terminal:
        answer(
            terminal,
            ("Storage name [OneDrive Backups]: ", "Anna's files"),
            ("Is that the right account? [Y/n]: ", ""),
            ("Drive type [1]: ", "1"),
            ("OPTION=VALUE (Return: done): ", "chunk_size=20Mi"),
            ("OPTION=VALUE (Return: done): ", ""),
        )
        terminal.expect("Saved as the remote 'annas-files'")
        assert terminal.end() == 0
    assert "Signed in as Anna Berg (anna@outlook.com)" in terminal.heard
    for line in (
        "[annas-files]",
        "drive_type = personal",
        "chunk_size = 20Mi",
        "description = Anna's files",
    ):
        assert line in section(home)


@pytest.mark.usefixtures("libraries")
def test_a_sharepoint_library_is_found_by_a_part_of_its_sites_name(
    at_terminal: AtTerminal, home: Path
) -> None:
    with at_terminal("connect", person=BERT) as terminal:
        answer(
            terminal,
            ("Storage name", "Team"),
            ("Is that the right account? [Y/n]: ", ""),
            ("Drive type [2]: ", "3"),
            ("Site: part of its name, its address, or * for all [*]: ", "*"),
            ("Site [1]: ", "2"),
            ("Document library [1]: ", "2"),
            ("OPTION=VALUE", ""),
        )
        terminal.expect("Saved as the remote 'team'")
        assert terminal.end() == 0
    assert "SharePoint needs further permissions: Microsoft asks for them now." in terminal.heard
    assert "Drive: Archive (document library" in terminal.heard
    assert "drive_type = documentLibrary" in section(home)


def test_what_cannot_be_is_told_and_asked_again(
    at_terminal: AtTerminal, connected: Command, cloud: Emulator, home: Path
) -> None:
    tenant = cloud.world.person(BERT).tenant
    cloud.files.add_site(tenant, "Closed", members=set())
    empty = cloud.files.add_site(tenant, "Empty")
    cloud.faults.refuse(404, times=None, where=f"{empty.id}/drive$")
    with at_terminal("connect", person=BERT) as terminal:
        answer(
            terminal,
            ("Storage name", "Work files"),
            ("There is already a storage called 'Work files'", "Library"),
            ("Is that the right account? [Y/n]: ", ""),
            ("Drive type", "7"),
            ("Error: Type a number from 1 to 3, or a word of one line.", "sharepoint"),
            ("Site: ", "no such site"),
            ("No site matches 'no such site'", f"{ADDRESS}/nowhere"),
            ("ERROR", "https://fabrikam.sharepoint.com/sites/Backups"),
            ("belongs to another organisation", "https://nonsense.example/sites/Backups"),
            ("is not an address of SharePoint", ADDRESS.replace("Backups", "Closed")),
            ("this account has no access to this site", ADDRESS.replace("Backups", "Empty")),
            ("The library of Empty", ADDRESS),
            ("OPTION=VALUE", "chunk_sise=20Mi"),
            ("did you mean 'chunk_size'?", "chunk_size=1"),
            ("ERROR", ""),
        )
        assert terminal.end() == 0
    assert "[library]" in section(home)
    assert "chunk_size" not in section(home).partition("[library]")[2]


def test_a_drive_type_that_the_account_does_not_have_is_told_and_asked_again(
    at_terminal: AtTerminal, home: Path
) -> None:
    with at_terminal("connect") as terminal:
        answer(
            terminal,
            ("Storage name", "Files"),
            ("Is that the right account? [Y/n]: ", ""),
            ("Drive type [1]: ", "business"),
            ("there is: personal", "sharepoint"),
            ("Site: ", "*"),
            ("Sign in with a work or school account", "personal"),
            ("OPTION=VALUE", ""),
        )
        assert terminal.end() == 0
    assert "drive_type = personal" in section(home)


@pytest.mark.parametrize(
    "address", ["contoso.sharepoint.com/sites/Backups", "Contoso.SharePoint.com"]
)
def test_the_address_of_a_site_is_one_also_without_its_https(
    at_terminal: AtTerminal, home: Path, address: str
) -> None:
    with at_terminal("connect", "Team", "--type", "sharepoint", person=BERT) as terminal:
        answer(
            terminal,
            ("Is that the right account? [Y/n]: ", ""),
            ("Site: ", address),
        )
        assert terminal.end() == 0
    assert "drive_type = documentLibrary" in section(home)


def test_a_site_that_is_found_and_cannot_be_opened_is_told_and_another_one_asked_for(
    at_terminal: AtTerminal, cloud: Emulator, home: Path
) -> None:
    tenant = cloud.world.person(BERT).tenant
    closed, empty = (cloud.files.add_site(tenant, name) for name in ("Closed", "Empty"))
    cloud.faults.refuse(403, times=None, where=f"{closed.id}/drives$")
    empty.libraries.clear()
    with at_terminal("connect", "Team", "--type", "sharepoint", person=BERT) as terminal:
        answer(
            terminal,
            ("Is that the right account? [Y/n]: ", ""),
            ("Site: ", "Closed"),
            ("this account has no access to this site", "Empty"),
            ("Empty has no library that this account can open", "Backups"),
        )
        assert terminal.end() == 0
    assert "drive_type = documentLibrary" in section(home)


@pytest.mark.parametrize(
    ("arguments", "person", "drive_type"),
    [
        (("--type", "personal"), ANNA, "personal"),
        (("--type", "business"), BERT, "business"),
        (("--site", ADDRESS), BERT, "documentLibrary"),
    ],
)
def test_with_options_alone_nothing_is_asked_but_whose_account_it_is(
    at_terminal: AtTerminal, home: Path, arguments: tuple[str, ...], person: str, drive_type: str
) -> None:
    with at_terminal(
        "connect", "Work", *arguments, "--set", "chunk_size=5Mi", person=person
    ) as terminal:
        answer(terminal, ("Is that the right account? [Y/n]: ", ""))
        assert terminal.end() == 0, terminal.heard
    assert "[1]" not in terminal.heard
    for line in ("[work]", f"drive_type = {drive_type}", "chunk_size = 5Mi"):
        assert line in section(home)


PROMPTS = [
    ("Storage name", "Team"),
    ("Is that the right account", ""),
    ("Drive type", "3"),
    ("Site: ", "*"),
    ("Site [1]", "2"),
    ("Document library", "2"),
    ("OPTION=VALUE", ""),
]


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("stop", range(len(PROMPTS)), ids=[question for question, _ in PROMPTS])
def test_ctrl_c_at_a_prompt_says_one_word_and_saves_nothing(
    at_terminal: AtTerminal, home: Path, stop: int
) -> None:
    with at_terminal("connect", person=BERT) as terminal:
        answer(terminal, *PROMPTS[:stop])
        terminal.expect(PROMPTS[stop][0])
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    prompt, stopped = terminal.heard.splitlines()[-2:]
    assert prompt.endswith("^C")
    assert stopped == "Stopped."
    assert not (home / "rclone.conf").exists()


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (("remove", "Work files"), "Forget 'Work files'? [y/N]: "),
        (("delete", "Work files:file.txt"), "Go on? [y/N]: "),
        (("sync", "Work files:", "Work files:copy"), "Go on? [y/N]: "),
        (("move", "Work files:", "Work files:copy"), "Go on? [y/N]: "),
    ],
)
def test_ctrl_c_at_a_confirmation_changes_nothing(
    at_terminal: AtTerminal,
    connected: Command,
    cloud: Emulator,
    home: Path,
    arguments: tuple[str, ...],
    prompt: str,
) -> None:
    drive = cloud.files.drive_of(ANNA)
    drive.write("file.txt", b"content")
    with at_terminal(*arguments) as terminal:
        terminal.expect(prompt)
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    assert terminal.heard.splitlines()[-1] == "Stopped."
    assert drive.read("file.txt") == b"content"
    assert "[work-files]" in section(home)


def test_no_is_an_answer_too(at_terminal: AtTerminal, connected: Command, home: Path) -> None:
    with at_terminal("remove", "Work files") as terminal:
        answer(terminal, ("Forget 'Work files'? [y/N]: ", "n"))
        assert terminal.end() == 130
    assert terminal.heard.splitlines()[-1] == "Nothing was done."
    assert "[work-files]" in section(home)


def test_yes_is_heard(at_terminal: AtTerminal, connected: Command, home: Path) -> None:
    with at_terminal("remove", "Work files") as terminal:
        answer(terminal, ("Forget 'Work files'? [y/N]: ", "y"))
        assert terminal.end() == 0
    assert "[work-files]" not in section(home)


# ---- pasting, and signing in beside a browser ----


def long_remote(cloud: Emulator) -> str:
    """A remote whose token, as for Business, is longer than the 4,095 bytes of a line at a
    terminal."""
    section = remote_of(cloud, "business").to_section()
    token = {**json.loads(section["token"]), "id_token": "x" * 5000}
    return "\n".join(
        ["[old]", *(f"{k} = {v}" for k, v in {**section, "token": json.dumps(token)}.items())]
    )


def test_a_pasted_token_of_any_length_arrives_whole_and_is_not_shown(
    at_terminal: AtTerminal, cloud: Emulator, home: Path
) -> None:
    with at_terminal(
        "connect", "Pasted", "--method", "token", "--base-folder", "Backups"
    ) as terminal:
        terminal.expect("then press Ctrl-D")
        terminal.answer(long_remote(cloud) + "\x04")
        terminal.expect("folder Backups")
        terminal.expect("Saved as the remote 'pasted'")
        assert terminal.end() == 0
    assert "refresh_token" not in terminal.heard
    assert "remote = pasted-drive:Backups" in section(home)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("token", "XXX", "was redacted"),
        ("token", "(secret, not shown)", "was redacted"),
        ("token_url", "http://127.0.0.1:41234/x/token", "one machine only"),
    ],
)
def test_what_cannot_be_used_of_a_paste_is_named(
    command: Command,
    cloud: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    value: str,
    said: str,
) -> None:
    lines = {**remote_of(cloud, "business").to_section(), option: value}
    text = "\n".join(["[old]", *(f"{key} = {value}" for key, value in lines.items())])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    ran = command("connect", "Pasted", "--method", "token")
    assert ran.code == 3, ran.err
    assert said in ran.err
    assert "refresh_token" not in ran.err


@pytest.mark.parametrize("option", [("--site", ADDRESS), ("--drive", "b!another")])
def test_a_pasted_remote_of_another_place_than_asked_for_is_not_saved(
    command: Command,
    cloud: Emulator,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, str],
) -> None:
    """Formerly, the request was ignored: backups would have gone to the pasted drive."""
    text = as_conf("old", remote_of(cloud, "business").to_section())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    ran = command("connect", "Pasted", "--method", "token", *option)
    assert ran.code == 2, ran.err
    assert "what was pasted (OneDrive" in ran.err
    assert "contradict each other" in ran.err
    assert not (home / "rclone.conf").exists()


def test_at_the_terminal_the_paste_of_the_registration_in_use_is_asked_for(
    at_terminal: AtTerminal,
) -> None:
    """Formerly, it asked for the output of `rclone authorize onedrive`, a token of rclone's own
    registration, which another one cannot renew."""
    with at_terminal("connect", "Pasted", "--method", "token") as terminal:
        terminal.expect(f"Paste a token of the app registration {PUBLIC_CLIENT_ID}, or a whole")
        terminal.press_ctrl_c()
        assert terminal.end() == 130


def test_a_pasted_token_of_another_registration_is_said_to_be_one(
    command: Command, cloud: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formerly, it was accepted, and the test advised re-authorizing a nonexistent storage."""
    token = remote_of(cloud, "business", client_id=RCLONE_CLIENT_ID).to_section()["token"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(token.encode())))
    ran = command("connect", "Pasted", "--method", "token", "--client-id", PUBLIC_CLIENT_ID)
    assert ran.code == 3, ran.err
    assert "was issued to another client application" in ran.err
    assert f"Sign in again with the app registration {PUBLIC_CLIENT_ID}." in ran.err


REGISTRATION = ("client_id", "tenant", "region", "client_secret_file")


@pytest.mark.parametrize("option", REGISTRATION)
def test_a_pasted_remote_of_another_registration_than_asked_for_is_not_saved(
    command: Command,
    cloud: Emulator,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    """Formerly, the request was silently ignored."""
    secret = home / "secret"
    secret.write_text("geheim")
    asked = ("11112222-bbbb-3333-cccc-4444dddd5555", "fabrikam.com", "us", str(secret))
    text = as_conf("old", remote_of(cloud, "business").to_section())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    name, value = f"--{option.replace('_', '-')}", asked[REGISTRATION.index(option)]
    ran = command("connect", "Pasted", "--method", "token", name, value)
    assert ran.code == 2, ran.err
    assert f"ERROR {name}" in ran.err
    assert "and what was pasted" in ran.err
    assert "contradict each other" in ran.err
    assert "geheim" not in ran.err
    assert not (home / "rclone.conf").exists()


def test_a_pasted_remote_of_the_registration_that_was_asked_for_is_saved(
    command: Command, cloud: Emulator, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = as_conf("old", remote_of(cloud, "business").to_section())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    same = ("--client-id", PUBLIC_CLIENT_ID.upper(), "--tenant", "common", "--region", "global")
    ran = command("connect", "Pasted", "--method", "token", *same)
    assert ran.code == 0, ran.err
    assert f"client_id = {PUBLIC_CLIENT_ID}" in section(home)


@pytest.mark.parametrize("browser", ["sh -c 'sleep 600' %s", "'unbalanced %s", "/nowhere/browser"])
def test_the_address_is_shown_whatever_the_browser_does(
    at_terminal: AtTerminal, browser: str
) -> None:
    """Formerly, one in the foreground hid the address and hung; bad quoting gave a traceback."""
    with at_terminal("connect", "Work", person=None, browser=browser) as terminal:
        terminal.expect("https://login.microsoftonline.com/")
        terminal.expect("It waits for ten minutes")
        terminal.press_ctrl_c()
        assert terminal.end() == 130
    assert "Traceback" not in terminal.heard
