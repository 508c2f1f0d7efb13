"""Re-authorizing a storage on the page: whose sign-in it takes, and which storage gets it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from pluton_rclone import Storages
from pluton_rclone.emulator import (
    DAEMON_CLIENT_ID,
    WEB_CLIENT_ID,
    WEB_CLIENT_SECRET,
    Emulator,
)
from pluton_rclone.emulator.directory import Secret
from tests.connected import connected, connected_as_app
from tests.microsoft.certificate import DER_CERTIFICATE, PEM_CERTIFICATE, pem_key

from .client import ORIGIN, Person, at_the_page, until_over
from .visitor import ANNA, BERT


def begun(person: Person, storage: str) -> str:
    """The address of the draft."""
    return person.post(f"/storages/{storage}/reauthorize").url.path.removesuffix("/authorize")


def test_a_sign_in_for_a_storage_that_is_gone_is_not_given_to_one_that_took_its_name(
    cloud: Emulator,
) -> None:
    """Formerly, the other storage got the sign-in, account and permissions of this one."""
    connected(cloud, "business", name="team")
    with at_the_page() as bert:
        draft = begun(bert, "team")
        Storages()["team"].remove()
        other = connected(cloud, "sharepoint", name="team")  # which Bert can write to, too
        before = other.section_with_secrets()
        bert.sign_in(cloud, draft, BERT)
        late = bert.post(f"{draft}/test")
        until_over(bert)
    assert late.status_code == 404
    assert "no longer exists" in late.text
    assert other.section_with_secrets() == before


def test_a_sign_in_goes_to_its_storage_under_a_new_name(cloud: Emulator) -> None:
    storage = connected(cloud, "business", name="team")
    with at_the_page() as bert:
        draft = begun(bert, "team")
        before = storage.section_with_secrets()["token"]
        storage.rename("Crew")
        renamed = storage.rename_remote("crew")
        bert.sign_in(cloud, draft, BERT)
        bert.post(f"{draft}/test")
        until_over(bert)
        assert bert.get(f"{draft}/save").url.path == "/storages/crew"
    assert renamed.section_with_secrets()["token"] != before


def test_no_other_account_is_offered_where_it_would_be_refused(cloud: Emulator) -> None:
    """It was, and dropped the right sign-in for it."""
    connected(cloud)
    with at_the_page() as anna:
        draft = begun(anna, "personal")
        refused = anna.sign_in(cloud, draft, BERT).text
        anna.sign_in(cloud, draft, ANNA)
        back = anna.get(f"{draft}/authorize").text
    assert "connect the other account as another storage" in refused
    assert "Signed in as Anna Berg" in back
    assert "another account" not in back


@pytest.mark.parametrize("by", ["secret", "certificate"])
def test_an_application_whose_secret_has_expired_is_told_where_to_set_a_new_one(
    cloud: Emulator, tmp_path: Path, by: str
) -> None:
    """Formerly, it was told to set it, and the page had no place for that."""
    registration = cloud.world.registrations[DAEMON_CLIENT_ID]
    storage = connected_as_app(cloud)
    if by == "certificate":  # one that the registration does not have
        (tmp_path / "app.pem").write_bytes(pem_key() + PEM_CERTIFICATE)
        changes = {"client_secret": None, "pluton_certificate": str(tmp_path / "app.pem")}
        storage.storages.conf.update(storage.remote_name, changes)
    registration.secrets[:] = [replace(one, expires=0.0) for one in registration.secrets]
    command = {
        "secret": "pluton-rclone set contoso --secret client_secret",
        "certificate": "pluton-rclone reauthorize contoso --certificate FILE",
    }[by]
    with at_the_page() as anna:
        refused = anna.post(f"/storages/{storage.remote_name}/reauthorize").text
        assert "The developer of the app registration" in refused
        assert f"<code>{command}</code>" in refused
        if by == "secret":
            registration.secrets.append(Secret.of("new"))
            storage.update(client_secret="new")  # as the command does
        else:
            registration.certificates.append(DER_CERTIFICATE)
        again = anna.post(f"/storages/{storage.remote_name}/reauthorize")  # "Try again"
    assert again.url.path.endswith("/save")


def test_a_person_signs_in_with_the_new_secret_after_trying_again(cloud: Emulator) -> None:
    """The sign-in that was begun with the old secret stays with it, so it is not offered again."""
    registration = cloud.world.registrations[WEB_CLIENT_ID]
    registration.web_redirects += (ORIGIN,)
    secret = SecretStr(WEB_CLIENT_SECRET)
    storage = connected(cloud, "business", client_id=WEB_CLIENT_ID, client_secret=secret)
    registration.secrets[:] = [replace(one, expires=0.0) for one in registration.secrets]
    with at_the_page() as bert:
        refused = bert.sign_in(cloud, begun(bert, "business"), BERT).text
        assert "pluton-rclone set business --secret client_secret" in refused
        assert "Try again" in refused
        assert 'id="sign-in"' not in refused
        registration.secrets.append(Secret.of("new"))
        storage.update(client_secret="new")  # as the command does
        accepted = bert.sign_in(cloud, begun(bert, "business"), BERT)
    assert accepted.url.path.endswith("/save")
