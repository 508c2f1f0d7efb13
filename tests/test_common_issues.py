"""The guide's "Common Issues": each is provoked, and the screen says what happened, who can fix it
and what to do."""

from __future__ import annotations

import pytest

from .common_issues import ISSUES, screen
from .forked import Forks

EXPECTED = {
    "Authorization Failed": (3, ("ERROR Cancel was pressed", "you can fix it", "correlation_id")),
    "Drive Not Found": (4, ("ERROR This account has no drive", "OneDrive licence from IT")),
    "Sites.Read.All Permission": (
        3,
        (
            "Only an administrator may agree",
            "(Sites.Read.All)",
            "your administrator can fix it",
            "/v2.0/adminconsent?",
        ),
    ),
    "Token Expired": (3, ("no longer accepts the token", "pluton-rclone reauthorize")),
}


@pytest.mark.parametrize("issue", ISSUES)
def test_the_screen_of(issue: str, forks: Forks) -> None:
    text, code = screen(issue, forks)
    expected_code, sentences = EXPECTED[issue]
    assert code == expected_code
    for sentence in sentences:
        assert sentence in text
    for heading in ("ERROR", "Who", "What to do"):
        assert f"{heading} " in text
    assert "Traceback" not in text
