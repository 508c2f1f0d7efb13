"""Microsoft's sign-in service and the OneDrive part of Microsoft Graph, played on this machine."""
