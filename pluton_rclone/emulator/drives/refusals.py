"""What a drive refuses, with the status, the codes and the sentence that Graph documents for it.

Source: the error samples of tests/data/graph-samples; the inner codes are those of "Microsoft Graph
error responses and resource types" (detailed error codes).
"""

from __future__ import annotations

from typing import Any

from pluton_rclone.emulator.faults import GraphFault


def invalid_request(
    message: str = "The request is malformed or incorrect.", *inner: str
) -> GraphFault:
    return GraphFault(400, "invalidRequest", message, inner_codes=inner)


def invalid_name(message: str) -> GraphFault:
    return GraphFault(400, "invalidRequest", message, inner_codes=("invalidPath",))


def path_too_long() -> GraphFault:
    return GraphFault(
        400, "invalidRequest", "Path exceeds maximum length.", inner_codes=("pathIsTooLong",)
    )


def file_too_large() -> GraphFault:
    return GraphFault(
        400, "invalidRequest", "Max file size exceeded.", inner_codes=("maxFileSizeExceeded",)
    )


def access_denied(
    message: str = "The caller doesn't have permission to perform the action.",
) -> GraphFault:
    return GraphFault(403, "accessDenied", message)


def malware() -> GraphFault:
    return GraphFault(
        403,
        "malwareDetected",
        "Malware was detected in the requested resource.",
        headers={"X-Virus-Infected": "EICAR"},
    )


def not_found() -> GraphFault:
    return GraphFault(404, "itemNotFound", "The resource could not be found.")


def session_not_found() -> GraphFault:
    return GraphFault(
        404, "itemNotFound", "Upload session not found.", inner_codes=("uploadSessionNotFound",)
    )


def not_allowed(message: str) -> GraphFault:
    return GraphFault(405, "invalidRequest", message)


def upload_name_exists() -> GraphFault:
    """The answer to the last fragment (upload-fragment-409.json)."""
    return GraphFault(
        409,
        "nameAlreadyExists",
        "Another file exists with the same name as the uploaded session. You can redirect the "
        "upload session "
        "to use a new filename by calling PUT with the new metadata and "
        "@microsoft.graph.sourceUrl attribute.",
    )


def name_exists() -> GraphFault:
    return GraphFault(409, "nameAlreadyExists", "The specified item name already exists.")


def resync_required() -> GraphFault:
    return GraphFault(
        410, "resyncRequired", "Resync required.", inner_codes=("resyncChangesApplyDifferences",)
    )


def modified() -> GraphFault:
    return GraphFault(
        412,
        "resourceModified",
        "The resource being updated has changed since the caller last read it, usually an eTag "
        "mismatch.",
        inner_codes=("entityTagDoesNotMatch",),
    )


def request_too_large() -> GraphFault:
    return GraphFault(413, "invalidRequest", "The request is too large.")


def fragment_too_large() -> GraphFault:
    return GraphFault(
        413,
        "invalidRequest",
        "Max fragment length exceeded.",
        inner_codes=("maxFragmentLengthExceeded",),
    )


def invalid_range(message: str, inner: str) -> GraphFault:
    return GraphFault(416, "invalidRange", message, inner_codes=(inner,))


def locked() -> GraphFault:
    return GraphFault(
        423,
        "resourceLocked",
        "The resource you are attempting to access is locked",
        inner_codes=("lockMismatch",),
    )


class UploadQuotaFault(GraphFault):
    """Within an upload session (upload-fragment-507-composed.json): no innerError, a sentence for
    people."""

    def __init__(self) -> None:
        super().__init__(507, "quotaLimitReached", "Insufficient Space Available")

    def body(
        self, *, date: str, request_id: str, client_request_id: str | None = None
    ) -> dict[str, Any]:
        sentence = (
            "The specified action cannot be completed because the user has reached the quota limit."
        )
        return {"error": {"code": self.code, "message": self.message, "localizedMessage": sentence}}


def upload_quota_reached() -> GraphFault:
    return UploadQuotaFault()


def personal_quota_reached() -> GraphFault:
    """The answer to a small file for a personal drive (error-507-quota.json)."""
    return GraphFault(507, "quotaLimitReached", "The user has reached their quota limit.")


def quota_reached() -> GraphFault:
    """The answer when an upload session is created (create-upload-session-507.json)."""
    return GraphFault(507, "quotaLimitReached", "Insufficient Space Available")


def insufficient_storage() -> GraphFault:
    return GraphFault(
        507,
        "insufficientStorage",
        "Insufficient Space Available",
        inner_codes=("quotaLimitReached",),
    )
