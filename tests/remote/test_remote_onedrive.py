"""The OneDrive remote: every rule, and the conversion to and from rclone.conf."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pluton_rclone.errors import OptionInvalid, RemoteIncomplete
from pluton_rclone.remote.onedrive import OneDriveRemote
from pluton_rclone.remote.options import BY_NAME
from pluton_rclone.remote.pairs import BASE, BASE_ID
from pluton_rclone.values.size import Size
from tests.conf.real_rclone import run

TOKEN = (
    '{"access_token":"AT-secret","token_type":"Bearer","refresh_token":"RT-secret","expiry":'
    '"2030-01-01T00:00:00Z"}'
)
APP_ONLY_TOKEN = '{"access_token":"AT","token_type":"Bearer","expiry":"2030-01-01T00:00:00Z"}'


def business(**options: Any) -> OneDriveRemote:
    return OneDriveRemote(
        **{"drive_id": "b!abc", "drive_type": "business", "token": TOKEN, **options}
    )


def personal(**options: Any) -> OneDriveRemote:
    return OneDriveRemote(
        **{"drive_id": "1a2b3c4d5e6f7a8b", "drive_type": "personal", "token": TOKEN, **options}
    )


def test_what_is_at_its_default_is_left_out_of_the_section() -> None:
    assert business(hard_delete=True, chunk_size="20Mi", description="Anna's").to_section() == {
        "type": "onedrive",
        "description": "Anna's",
        "drive_id": "b!abc",
        "drive_type": "business",
        "region": "global",
        "token": TOKEN,
        "chunk_size": "20Mi",
        "hard_delete": "true",
    }


def test_the_table_and_the_model_agree() -> None:
    assert [BY_NAME[name].key for name in ("base_folder", "base_folder_id")] == [BASE, BASE_ID]
    """Each option's default, title and help come from one place; each default's text parses to the
    default."""
    assert set(BY_NAME) == set(OneDriveRemote.model_fields)
    assert len(BY_NAME) == len({option.key for option in BY_NAME.values()}) == 38
    assert all(option.title and option.help.endswith(".") for option in BY_NAME.values())
    plain = business().to_section()
    for option in BY_NAME.values():
        field = OneDriveRemote.model_fields[option.name]
        assert (field.title, field.description) == (option.title, option.help)
        if option.default:
            assert OneDriveRemote.from_section({**plain, option.name: option.default}) == business()


@pytest.mark.parametrize(
    "text",
    ["true", "1", "t", "True", "TRUE", "T"],
)
def test_switches_are_read_as_rclone_reads_them(text: str) -> None:
    section = {**business().to_section(), "hard_delete": text, "delta": "F", "no_versions": "0"}
    remote = OneDriveRemote.from_section(section)
    assert remote.hard_delete
    assert not remote.delta
    assert not remote.no_versions


@pytest.mark.parametrize(
    ("option", "text", "read"),
    [
        ("hard_delete", "yes", None),
        ("hard_delete", "on", None),
        ("hard_delete", "tRUE", None),
        ("hard_delete", "01", None),
        ("list_chunk", "5.0", None),
        ("list_chunk", "٣", None),
        ("list_chunk", "1000", "1000"),
        ("encoding", "slash", None),
        ("encoding", "Slash, Dot", "Slash,Dot"),
        ("metadata_permissions", "READ, write", "read,write"),
        ("upload_cutoff", "oFF", "off"),
        ("chunk_size", "10 Mi", None),
    ],
)
def test_the_text_of_an_option_is_read_as_the_real_rclone_reads_it(
    option: str, text: str, read: str | None, tmp_path: Path
) -> None:
    """Formerly, we accepted a remote with hard_delete = yes, which rclone refused, and the reverse
    for "Slash, Dot". rclone fails on the token, which it checks after the options."""
    section = {"type": "onedrive", "drive_id": "b!x", "drive_type": "business", option: text}
    config = tmp_path / "rclone.conf"
    config.write_text("[od]\n" + "".join(f"{key} = {value}\n" for key, value in section.items()))
    said = run(config, "lsd", "od:").stderr.decode()
    assert ("empty token found" in said) is (read is not None), said
    if read is None:
        with pytest.raises(OptionInvalid, match=option):
            OneDriveRemote.from_section({**section, "token": TOKEN})
    else:
        remote = OneDriveRemote.from_section({**section, "token": TOKEN})
        assert str(getattr(remote, option)) == read


@pytest.mark.parametrize(
    ("option", "given", "written"),
    [
        *(("hard_delete", word, "true") for word in ("yes", "on", "Y", "1", "tRUE", 1, True)),
        *(("delta", word, None) for word in ("no", "off", "0", False)),
        ("list_chunk", "010", "10"),  # to rclone, 8
        ("list_chunk", " 500 ", "500"),
    ],
)
def test_what_a_person_means_is_written_as_rclone_reads_it(
    option: str, given: Any, written: str | None
) -> None:
    section = business(**{option: given}).to_section()
    assert section.get(option) == written
    assert OneDriveRemote.from_section(section).to_section() == section


@pytest.mark.parametrize("value", ["0x10", "1e3", 1.5])
def test_a_number_is_a_whole_one(value: Any) -> None:
    with pytest.raises(OptionInvalid, match="list_chunk"):
        business(list_chunk=value)


DAYS = ("20270331", "2027-W13-3", 20270331, "2027-02-30", "2027-3-31", "1774915200", 1774915200)


@pytest.mark.parametrize("value", DAYS)
def test_a_day_is_written_in_one_form_under_every_python(value: Any) -> None:
    with pytest.raises(OptionInvalid) as caught:
        business(secret_expires=value)
    assert caught.value.why == "it must be a date such as 2027-03-31"


def test_an_unknown_option_is_said_in_our_words() -> None:
    with pytest.raises(OptionInvalid) as caught:
        business(nonsense=1)
    assert caught.value.why == "there is no such option"


def test_an_empty_value_is_no_value_and_unknown_keys_are_passed_over() -> None:
    section = {
        **business().to_section(),
        "chunk_size": "",
        "hash_type": "",
        "some_key": "x",
        "pluton_new": "y",
    }
    assert OneDriveRemote.from_section(section) == business()


def test_what_pluton_keeps_stands_under_its_own_keys() -> None:
    remote = business(
        base_folder="backups",
        account_id="00aa",
        account_name="bert@contoso.com",
        granted_scopes=["Files.ReadWrite", "Sites.Read.All"],
        secret_expires="2027-03-31",
    )
    section = remote.to_section()
    assert section["pluton_base_folder"] == "backups"
    assert section["pluton_granted_scopes"] == "Files.ReadWrite Sites.Read.All"
    assert section["pluton_secret_expires"] == "2027-03-31"
    assert OneDriveRemote.from_section(section) == remote


def test_another_type_is_refused() -> None:
    with pytest.raises(OptionInvalid, match="'s3', not onedrive"):
        OneDriveRemote.from_section({"type": "s3"})


# ---- completeness ----


@pytest.mark.parametrize("missing", ["drive_id", "drive_type", "token"])
def test_without_a_drive_or_a_token_there_is_no_remote(missing: str) -> None:
    with pytest.raises(RemoteIncomplete) as caught:
        business(**{missing: ""})
    assert missing in caught.value.details["missing"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("not json", "not a JSON"),
        ("[]", "not a JSON"),
        (
            '{"access_token":"","refresh_token":"R","expiry":"2030-01-01T00:00:00Z"}',
            "access_token is empty",
        ),
        ('{"access_token":"A","refresh_token":"R"}', "has no expiry"),
        (
            '{"access_token":"A","refresh_token":"R","expiry":"0001-01-01T00:00:00Z"}',
            "has no expiry",
        ),
        ('{"access_token":"A","refresh_token":"R","expiry":"soon"}', "not in rclone's form"),
        ('{"access_token":"A","expiry":"2030-01-01T00:00:00Z"}', "not have a refresh_token"),
    ],
)
def test_a_token_that_rclone_could_not_live_on_is_refused(token: str, said: str) -> None:
    with pytest.raises(OptionInvalid, match=said):
        business(token=token)


def test_an_app_only_token_needs_no_refresh_token_and_app_only_no_token_at_all() -> None:
    app = {
        "client_credentials": True,
        "tenant": "contoso.com",
        "client_id": "c",
        "client_secret": "s",
    }
    assert business(token=APP_ONLY_TOKEN, **app).client_credentials
    assert "token" not in business(token=None, **app).to_section()


@pytest.mark.parametrize("missing", ["tenant", "client_id", "client_secret"])
def test_app_only_access_needs_tenant_id_and_secret(missing: str) -> None:
    app = {
        "client_credentials": True,
        "tenant": "contoso.com",
        "client_id": "c",
        "client_secret": "s",
    }
    with pytest.raises(OptionInvalid) as caught:
        business(token=None, **{**app, missing: None if missing == "client_secret" else ""})
    assert caught.value.details["option"] == missing


def test_a_certificate_stands_in_for_the_secret_in_runs_of_this_library() -> None:
    remote = business(
        token=None, client_credentials=True, tenant="t", client_id="c", certificate="/etc/app.pem"
    )
    section = remote.to_section()
    assert "client_credentials" not in section  # rclone would try it with an empty secret
    assert OneDriveRemote.from_section(section) == remote
    assert [warning.option for warning in remote.warnings()] == ["certificate"]


# ---- single options and their fit ----


@pytest.mark.parametrize(
    ("options", "option", "said"),
    [
        ({"chunk_size": "1600Ki"}, "chunk_size", "nearest valid sizes are 1.250Mi and 1.875Mi"),
        ({"chunk_size": 1000}, "chunk_size", "less than 320Ki"),
        ({"chunk_size": "500Ki"}, "chunk_size", "not a multiple of 320Ki"),
        ({"chunk_size": "260Mi"}, "chunk_size", "more than 250Mi"),
        ({"chunk_size": "10MB"}, "chunk_size", "like 10Mi"),
        ({"chunk_size": None}, "chunk_size", "size"),
        ({"upload_cutoff": "5Mi"}, "upload_cutoff", "more than 4Mi"),
        ({"upload_cutoff": 3000001}, "upload_cutoff", "three decimals"),
        ({"region": "fr"}, "region", "'global', 'us', 'de' or 'cn'"),
        ({"drive_type": "team"}, "drive_type", "documentLibrary"),
        ({"drive_id": "0123456789abcdef"}, "drive_id", "personal drive"),
        ({"link_password": "x"}, "link_password", "Personal only"),
        ({"hash_type": "md5"}, "hash_type", "quickxor"),
        ({"list_chunk": 0}, "list_chunk", "equal to 1"),
        ({"list_chunk": "99999999999999999999"}, "list_chunk", "equal to 2147483647"),
        ({"encoding": "Slash,Nonsense"}, "encoding", "'Nonsense'"),
        ({"metadata_permissions": "read,all"}, "metadata_permissions", "read, write and failok"),
        ({"metadata_permissions": "off,read"}, "metadata_permissions", "it must be off, or"),
        ({"token_url": "login.example"}, "token_url", "https://"),
        ({"tenant_url": "ftp://x"}, "tenant_url", "https://"),
        ({"hard_delete": "perhaps"}, "hard_delete", "true or false"),
        ({"description": "two\nlines"}, "description", "line break"),
        ({"base_folder": " edge"}, "base_folder", "begins with a space"),
        ({"chunksize": "10Mi"}, "chunksize", "there is no such option"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    options: dict[str, Any], option: str, said: str
) -> None:
    with pytest.raises(OptionInvalid) as caught:
        business(**options)
    assert caught.value.details["option"] == option
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"no_versions": True}, "no_versions"),
        ({"link_scope": "organization"}, "link_scope"),
        ({"drive_id": "b!abc"}, "drive_id"),
        (
            {"client_credentials": True, "tenant": "t", "client_id": "c", "client_secret": "s"},
            "client_credentials",
        ),
    ],
)
def test_what_personal_drives_do_not_have_is_refused(options: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionInvalid) as caught:
        personal(**options)
    assert caught.value.details["option"] == option


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(OptionInvalid, match="and 1 more") as caught:
        business(chunk_size="1Ki", upload_cutoff="1Gi")
    assert [problem.partition(":")[0] for problem in caught.value.details["problems"]] == [
        "chunk_size",
        "upload_cutoff",
    ]


def test_leading_zeros_of_a_personal_drive_are_put_back() -> None:
    assert personal(drive_id="a2b3").drive_id == "000000000000a2b3"


@pytest.mark.parametrize(
    ("remote", "option"),
    [
        (lambda: business(chunk_size="60Mi"), "chunk_size"),
        (lambda: business(region="de"), "region"),
        (lambda: business(link_type="embed"), "link_type"),
        (lambda: business(hash_type="sha1"), "hash_type"),
        (lambda: personal(hard_delete=True), "hard_delete"),
        (lambda: personal(region="us"), "region"),
    ],
)
def test_what_works_but_not_well_is_warned_of(remote: Any, option: str) -> None:
    assert [warning.option for warning in remote().warnings()] == [option]


def test_the_safe_top_needs_no_warning() -> None:
    assert business(chunk_size="59.375Mi").warnings() == []
    assert personal(link_password="x").warnings() == []


# ---- as a value ----


def test_no_secret_is_shown() -> None:
    remote = personal(client_secret="CS-secret", link_password="LP-secret")
    shown = repr(remote) + str(remote) + remote.model_dump_json() + repr(copy.copy(remote))
    assert "secret" not in shown.replace("client_secret", "").replace("secret_expires", "")


def test_no_refusal_holds_a_value() -> None:
    for options in (
        {"token": {"a": "SECRET"}},
        {"client_secret": ["SECRET"]},
        {"token": "SECRET"},
        {"tenant": 4711},
    ):
        with pytest.raises(OptionInvalid) as caught:
            business(**options)
        told = json.dumps(caught.value.record()) + repr(caught.value)
        assert "SECRET" not in told
        assert "4711" not in told


def test_it_cannot_be_changed_only_replaced() -> None:
    remote = business()
    with pytest.raises(ValidationError, match="frozen"):
        remote.hard_delete = True  # type: ignore[misc]
    assert remote.replace(hard_delete=True).hard_delete
    with pytest.raises(OptionInvalid):
        remote.replace(chunk_size="1Ki")


def test_changes_are_what_differs_and_never_a_token_that_did_not_change() -> None:
    before = business(description="x", hard_delete=True)
    after = before.replace(hard_delete=False, chunk_size=Size.parse("20Mi"))
    assert after.changes_from(before) == {"hard_delete": None, "chunk_size": "20Mi"}
    assert before.changes_from(before) == {}
