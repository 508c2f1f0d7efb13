"""Our version, and our name in requests to Microsoft."""

VERSION = "0.1.0"
USER_AGENT = f"ISV|Pluton|pluton-rclone/{VERSION}"
"""Decorated as Microsoft asks, so that our traffic gets a vendor's priority:
ISV|Company|App/Version. Source: SharePoint's "how to avoid getting throttled or blocked"
(2025-10-02). The engine appends rclone's name, since a user agent may contain several."""
