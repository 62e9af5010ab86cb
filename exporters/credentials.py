"""What the exporter shows the pipeline: a token from a file, and a certificate."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from exporters.config import PipelineConfig
from exporters.errors import ConfigError


class Credentials:
    """The token, read again whenever its file changed, so that it is rotated without a restart."""

    def __init__(self, config: PipelineConfig) -> None:
        self._config = config
        self._stamp: tuple[int, ...] = ()
        self._token = config.token

    def headers(self) -> dict[str, str]:
        """For a request. Raises ConfigError when the file is not there, or not for us alone."""
        if self._config.token_file:
            self._refresh(Path(self._config.token_file))
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _refresh(self, path: Path) -> None:
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode)
            if stamp == self._stamp:
                return
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise ConfigError(f"{path}: others may read or write the token: chmod 600 {path}")
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"{path}: the token cannot be read: {reason}") from error
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError(f"{path}: holds no token: one line of it is expected")
        self._token, self._stamp = token, stamp

    def tls(self) -> ssl.SSLContext | None:
        """For https; None for what the system trusts, without a certificate. Raises ConfigError."""
        config = self._config
        if not (config.ca or config.certificate):
            return None
        try:
            context = ssl.create_default_context(cafile=config.ca or None)
            if config.certificate:
                context.load_cert_chain(config.certificate, config.key or None)
        except (OSError, ValueError) as error:
            files = " ".join(filter(None, (config.ca, config.certificate, config.key)))
            raise ConfigError(f"pipeline: ca, certificate, key: {files}: {error}") from error
        return context
