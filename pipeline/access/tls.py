"""TLS for the listeners, with certificates of clients as an option."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """PEM files. Without `certificate` the ports speak plain HTTP. With `client_ca` nobody comes in
    who has no certificate of that authority.
    """

    certificate: str = ""
    key: str = ""
    client_ca: str = ""

    def problems(self) -> list[str]:
        """What is wrong, if anything."""
        if not self.certificate:
            given = [name for name in ("key", "client_ca") if getattr(self, name)]
            return [f"[tls] {name}: is without effect: certificate is not given" for name in given]
        try:
            self.context()
        except (OSError, ValueError) as error:
            files = " ".join(filter(None, (self.certificate, self.key, self.client_ca)))
            return [f"[tls] {files}: {error}"]
        return []

    def context(self) -> ssl.SSLContext | None:
        """For a listener; None for plain HTTP. Raises OSError, ssl.SSLError."""
        if not self.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key or None)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
