"""Microsoft Entra: every way to sign in, tokens, certificates, and its errors."""
