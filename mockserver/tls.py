"""A certificate authority of the mock's own, made once, and what is needed to serve and to trust it.

boto3 sends bearer keys over https only, loopback included, so the mock needs a certificate that
clients can be told to trust. All files stand in the state directory; `ca.key` and `leaf.pem`, the key and
certificate last served with, never leave it. `leaf.pem` notes which CA and hosts it is for and until when, so
that a start that finds it good loads nothing but the `ssl` module.

Names are not constrained in the CA's certificate: which hosts a mock answers for (a service name in
a container network, a provider's own host name sent here by a hosts file) is known only at a later start.
"""

from __future__ import annotations

import hashlib
import importlib.util
import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mockserver.handshake import Context

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["bundle", "ensure_ca", "extra", "server_context"]

NAME = "mockserver throw-away CA (do not trust elsewhere)"
LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=1)
# A client in a container or a virtual machine may have a clock that is behind ours.
BACKDATED = timedelta(days=1)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOCK_SECONDS = 30

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
OURS = b"# mockserver: its own CA follows\n"
NOTE = "mockserver-leaf:"


def ensure_ca(state_dir: Path) -> Path:
    """The path of the CA's certificate, `ca.pem`; with `ca.key` beside it, readable by the owner only.

    Both are kept as long as they belong together and are good for another day, else made anew.
    Raises NotADirectoryError if `state_dir` is a file or cannot be made.
    """
    with _locked(state_dir):
        if _noted(state_dir) is None:
            _ca(state_dir)
    return state_dir / "ca.pem"


def server_context(state_dir: Path, hosts: Iterable[str]) -> ssl.SSLContext:
    """A context to serve with, for loopback and for `hosts` (names or addresses); ALPN is not set.

    Raises ValueError for a host that no certificate can name.
    """
    named = list(dict.fromkeys((*LOOPBACK, *hosts)))
    leaf = state_dir / "leaf.pem"
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    with _locked(state_dir):
        if _noted(state_dir) == named:
            with suppress(ssl.SSLError):
                context.load_cert_chain(leaf)
                return context
        _write(leaf, _leaf(state_dir, named), 0o600)
        # The ssl module reads a key from a file only.
        context.load_cert_chain(leaf)
    return context


def _noted(state_dir: Path) -> list[str] | None:
    """The hosts of `leaf.pem`; None if there is none, if it is not of this CA, or if the CA's last day begins."""
    try:
        with (state_dir / "leaf.pem").open(encoding="ascii") as file:
            mark, digest, until, *named = file.readline().split()
        good = mark == NOTE and digest == _digest(state_dir)
        soon = datetime.now(UTC) + RENEW_BEFORE
        return named if good and datetime.fromisoformat(until) > soon else None
    except (FileNotFoundError, ValueError):
        return None


def _digest(state_dir: Path) -> str:
    """Which CA it is. Raises FileNotFoundError if there is none."""
    parts = [(state_dir / name).read_bytes() for name in ("ca.pem", "ca.key")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _leaf(state_dir: Path, named: list[str]) -> bytes:
    """A new key and its certificate for the hosts, under the line that `_noted` reads. The lock must be held."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    names = list(dict.fromkeys(map(_general_name, named)))
    ca, ca_key = _ca(state_dir)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mockserver")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ca.not_valid_before_utc)
        .not_valid_after(ca.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    until = ca.not_valid_after_utc.isoformat()
    note = " ".join([NOTE, _digest(state_dir), until, *named]) + "\n"
    return note.encode() + _pem(key) + _pem(certificate)


def bundle(state_dir: Path) -> Path:
    """The path of `ca-bundle.pem`: the roots that are trusted now, and ours.

    SSL_CERT_FILE and AWS_CA_BUNDLE replace a program's roots, so a file for both holds what each
    names now, or what its readers take when it is not set. Raises FileNotFoundError if there is none.
    """
    target = state_dir / "ca-bundle.pem"
    with _locked(state_dir):
        if _noted(state_dir) is None:
            _ca(state_dir)
        roots = _roots(_trusted(), target)
        if not roots:
            raise FileNotFoundError(
                "no trusted root certificates found; expected them where SSL_CERT_FILE or AWS_CA_BUNDLE "
                "point, in OpenSSL's default place or in the package certifi: set SSL_CERT_FILE to yours"
            )
        _write_roots(target, roots)
    return target


def extra(state_dir: Path) -> Path:
    """The path of what Node is to add to its own roots: `ca.pem`, or a file that holds more beside it.

    NODE_EXTRA_CA_CERTS names one file. What it names now is somebody's own CA, and has to stay trusted.
    """
    target = state_dir / "ca-extra.pem"
    named = Path(os.environ.get("NODE_EXTRA_CA_CERTS", ""))
    with _locked(state_dir):
        if _noted(state_dir) is None:
            _ca(state_dir)
        roots = _roots([named], target) if named.is_file() else {}
        if not roots or roots == _roots([state_dir / "ca.pem"], target):
            return state_dir / "ca.pem"
        _write_roots(target, roots)
    return target


def _roots(paths: Iterable[Path], target: Path) -> dict[bytes, None]:
    """The certificates in the files, in their order; of `target`, which may be one of them, those that are not ours."""
    roots: dict[bytes, None] = {}
    for path in paths:
        data = path.read_bytes()
        if target.exists() and path.samefile(target):
            data = data.partition(OURS)[0]
        roots.update(dict.fromkeys(CERTIFICATE.findall(data.replace(b"\r\n", b"\n"))))
    return roots


def _write_roots(target: Path, roots: Iterable[bytes]) -> None:
    ours = OURS + target.with_name("ca.pem").read_bytes()
    _write(target, b"".join(root + b"\n" for root in roots) + ours, 0o644)


def _trusted() -> Iterator[Path]:
    places = ssl.get_default_verify_paths()
    if places.cafile:
        yield Path(places.cafile)
    elif places.capath:
        yield from (path for path in sorted(Path(places.capath).glob("*.[0-9]")) if path.is_file())
    # botocore takes certifi's roots, or its own without it; Debian's certifi has no file.
    packages = [importlib.util.find_spec(name) for name in ("certifi", "botocore")]
    own = [Path(spec.origin).with_name("cacert.pem") for spec in packages if spec and spec.origin]
    named = os.environ.get("AWS_CA_BUNDLE")
    candidates = [Path(named), *own] if named else own
    yield from [path for path in candidates if path.is_file()][:1]


def _ca(state_dir: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The CA in the directory, made if there is none to go on with. The lock must be held."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)
    try:
        kept = x509.load_pem_x509_certificate((state_dir / "ca.pem").read_bytes())
        kept_key = serialization.load_pem_private_key((state_dir / "ca.key").read_bytes(), password=None)
    except (FileNotFoundError, ValueError, TypeError):
        # TypeError: the key needs a password, so it is not one of ours.
        pass
    else:
        if (
            isinstance(kept_key, ec.EllipticCurvePrivateKey)
            and kept.public_key() == kept_key.public_key()
            and kept.not_valid_after_utc - now > RENEW_BEFORE
        ):
            return kept, kept_key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    # Key first: if the process ends between the two, they do not belong together and are made anew.
    _write(state_dir / "ca.key", _pem(key), 0o600)
    _write(state_dir / "ca.pem", _pem(certificate), 0o644)
    return certificate, key


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not host or not host.isascii() or not host.isprintable() or set(host) & set(" :/"):
            raise ValueError(
                f"host {host!r}: expected an IP address or a host name in ASCII (xn--... for others)"
            ) from None
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(thing: x509.Certificate | ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if isinstance(thing, ec.EllipticCurvePrivateKey):
        return thing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return thing.public_bytes(Encoding.PEM)


@contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    from filelock import FileLock

    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(
            f"{state_dir}: expected a directory for the mock's state, got a file; choose another place"
        ) from None
    except OSError as error:
        raise NotADirectoryError(
            f"{state_dir}: expected a directory for the mock's state, it cannot be made ({error.strerror}); "
            "choose another place"
        ) from None
    with FileLock(state_dir / "ca.lock", timeout=LOCK_SECONDS):
        yield


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replaces the file as a whole: a reader finds the old one or the new one."""
    with _scratch(path, data) as scratch:
        scratch.chmod(mode)
        scratch.replace(path)


@contextmanager
def _scratch(near: Path, data: bytes) -> Iterator[Path]:
    """A file of another name beside `near` for as long as the block runs, never readable by others."""
    # mkstemp creates with O_EXCL and mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{near.name}.", dir=near.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
