"""Microsoft Entra: every way to sign in, tokens, certificates, and Entra's errors."""
