"""The sign-in service, as Entra answers: discovery, authorize, token, device code, admin consent."""
