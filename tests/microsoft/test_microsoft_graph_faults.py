"""Every refusal of Graph becomes an exception with what, why, who and advice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluton_rclone import errors
from pluton_rclone.errors import PlutonRcloneError, Who
from pluton_rclone.microsoft.graph.faults import graph_error
from pluton_rclone.microsoft.http import Answer
from pluton_rclone.values.refusals import Place as Target

SAMPLES = Path(__file__).parent.parent / "data" / "graph-samples"

EXPLAINED: list[tuple[str, Target, type[PlutonRcloneError]]] = [
    ("create-upload-session-507", "upload", errors.QuotaFull),
    ("delta-410-resync", "item", errors.GraphError),
    ("error-400-invalid-name", "item", errors.NameRefused),
    ("error-400-invalid-request", "item", errors.GraphError),
    ("error-400-path-too-long", "item", errors.PathTooLong),
    ("error-401-invalid-token", "drive", errors.TokenExpired),
    ("error-401-unauthenticated", "drive", errors.TokenExpired),
    ("error-403-access-denied", "drive", errors.AccessDenied),
    ("error-403-insufficient-claims", "drive", errors.InteractionRequired),
    ("error-403-malware", "item", errors.AccessDenied),
    ("error-404-item-not-found", "item", errors.ItemNotFound),
    ("error-409-name-exists", "item", errors.Conflict),
    ("error-412-resource-modified", "item", errors.Conflict),
    ("error-423-locked", "item", errors.Conflict),
    ("error-429-graph", "item", errors.Throttled),
    ("error-429-sharepoint", "item", errors.Throttled),
    ("error-503-service-not-available", "item", errors.Throttled),
    ("error-504-large-folder", "item", errors.Unreachable),
    ("error-507-insufficient-storage", "item", errors.QuotaFull),
    ("error-507-quota", "item", errors.QuotaFull),
    ("me-drive-not-provisioned", "drive", errors.DriveNotFound),
    ("upload-fragment-404-composed", "upload", errors.UploadSessionLost),
    ("upload-fragment-409", "upload", errors.Conflict),
    ("upload-fragment-416", "upload", errors.UploadSessionLost),
    ("upload-fragment-416-onedrive-docs", "upload", errors.UploadSessionLost),
    ("upload-fragment-507-composed", "upload", errors.QuotaFull),
]


def response_of(sample: str) -> dict[str, Any]:
    record = json.loads((SAMPLES / f"{sample}.json").read_text(encoding="utf-8"))
    return dict(record["response"])


def explained(sample: str, target: Target = "item") -> PlutonRcloneError:
    response = response_of(sample)
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    return graph_error(Answer(response["status"], headers, response["body"]), target=target)


@pytest.mark.parametrize(("sample", "target", "kind"), EXPLAINED)
def test_every_sample_of_a_refusal(
    sample: str, target: Target, kind: type[PlutonRcloneError]
) -> None:
    problem = explained(sample, target)

    assert type(problem) is kind
    assert problem.what
    assert problem.why
    assert problem.advice
    assert problem.details["status"] == response_of(sample)["status"]


def test_no_sample_of_a_refusal_is_left_out() -> None:
    refusals = {
        path.stem
        for path in SAMPLES.glob("*.json")
        if not path.stem.startswith("entra-") and response_of(path.stem)["status"] >= 400
    }

    assert refusals == {sample for sample, *_ in EXPLAINED}


def test_trouble_with_an_upload_session_names_the_chunk_size() -> None:
    problem = explained("upload-fragment-416", "upload")

    assert "chunk_size" in problem.advice


def test_sharepoint_without_permission_has_a_name_of_its_own() -> None:
    problem = explained("error-403-access-denied", "sites")

    assert type(problem) is errors.SitesPermissionMissing
    assert "Sites.Read.All" in problem.what
    assert problem.who is Who.YOU
    assert problem.advice.startswith("Sign in again")


def test_an_account_without_onedrive_is_said_in_words() -> None:
    problem = explained("me-drive-not-provisioned", "account")

    assert problem.why == "Microsoft says that this account has no OneDrive yet."
    assert problem.details["graph_code"] == "itemNotFound"


def test_how_long_to_wait_is_kept() -> None:
    problem = explained("error-429-graph")

    assert problem.details["retry_after"] == "2.128"
    assert problem.who is Who.LATER


def test_support_gets_the_request_id() -> None:
    assert (
        explained("error-404-item-not-found").details["request_id"]
        == "00000000-0000-0000-0000-000000000001"
    )


def test_malware_is_for_the_person_to_decide() -> None:
    problem = explained("error-403-malware")

    assert problem.who is Who.YOU
    assert "malware" in problem.what


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.GraphError),
        (401, errors.TokenExpired),
        (403, errors.AccessDenied),
        (404, errors.ItemNotFound),
        (418, errors.GraphError),
        (500, errors.Unreachable),
        (502, errors.Unreachable),
        (509, errors.Throttled),
        (511, errors.Unreachable),
    ],
)
@pytest.mark.parametrize(
    "body", [None, "<html>", {"error": {"code": "brandNewCode", "message": "?"}}]
)
def test_an_unknown_code_is_judged_by_the_status(
    status: int, kind: type[PlutonRcloneError], body: Any
) -> None:
    problem = graph_error(Answer(status, {}, body))

    assert type(problem) is kind
    assert problem.advice


def test_the_innermost_code_tells_most() -> None:
    body = {
        "error": {
            "code": "invalidRequest",
            "innererror": {"code": "x", "innerError": {"code": "pathIsTooLong"}},
        }
    }

    assert type(graph_error(Answer(400, {}, body))) is errors.PathTooLong


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "innerError", "innererror", "request-id"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    st.integers(100, 599),
    JSON,
    st.dictionaries(st.sampled_from(["www-authenticate", "retry-after"]), st.text()),
)
def test_whatever_comes_is_an_error_that_can_be_shown(
    status: int, body: Any, headers: dict[str, str]
) -> None:
    problem = graph_error(Answer(status, headers, body))

    assert problem.what
    assert json.dumps(problem.record())
