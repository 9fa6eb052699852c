from __future__ import annotations

import importlib.util
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mockserver.tls import bundle, ensure_ca, extra, server_context


def shake_hands(server: ssl.SSLContext, trusted: Path, host: str) -> dict[str, Any]:
    """The server's certificate as a client sees it that trusts `trusted` only and calls it `host`."""
    client = ssl.create_default_context(cafile=str(trusted))
    # What newer Pythons check by default.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        # When the client goes away, its own error is what the test looks at.
        with theirs, suppress(OSError):
            server.wrap_socket(theirs, server_side=True).close()

    with ThreadPoolExecutor(1) as pool, ours:
        served = pool.submit(serve)
        with client.wrap_socket(ours, server_hostname=host) as connection:
            certificate = connection.getpeercert()
        served.result()
    assert certificate is not None
    return certificate


def only(certificates: Path) -> x509.Certificate:
    [certificate] = x509.load_pem_x509_certificates(certificates.read_bytes())
    return certificate


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_ca(state_dir: Path, left: timedelta, password: bytes | None = None) -> None:
    """A CA in the directory that is good for `left` more."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "of the test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + left)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    state_dir.mkdir(exist_ok=True)
    (state_dir / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (state_dir / "ca.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "new" / "state"


@pytest.fixture
def corporate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The only root that is trusted, by OpenSSL and by botocore."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "corporate.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corporate.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "corporate.pem"))
    return ca


def corporate_server(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("intranet.example").configure_cert(context)
    return context


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "mock", "10.1.2.3"])
def test_a_client_that_trusts_the_ca_verifies_each_host(state_dir: Path, host: str) -> None:
    context = server_context(state_dir, ["mock", "10.1.2.3"])
    certificate = shake_hands(context, state_dir / "ca.pem", host)
    assert len(certificate["subjectAltName"]) == 5


def test_a_host_that_is_not_named_is_not_verified(state_dir: Path) -> None:
    context = server_context(state_dir, [])
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(context, state_dir / "ca.pem", "mock")


def test_a_client_that_trusts_another_ca_does_not_verify(state_dir: Path, tmp_path: Path) -> None:
    context = server_context(state_dir, [])
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        shake_hands(context, ensure_ca(tmp_path / "other"), "localhost")


def test_a_host_named_twice_stands_once(state_dir: Path) -> None:
    context = server_context(state_dir, ["localhost", "127.0.0.1", "0:0:0:0:0:0:0:1"])
    assert len(shake_hands(context, state_dir / "ca.pem", "localhost")["subjectAltName"]) == 3


@pytest.mark.parametrize("host", ["", "a b", "bücher.example", "https://x", "localhost:4443"])
def test_a_host_that_no_certificate_can_name_is_an_error(state_dir: Path, host: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"host {host!r}: expected an IP address or a host name")):
        server_context(state_dir, [host])


def test_the_ca_says_what_it_is_and_signs_no_other_ca(state_dir: Path) -> None:
    certificate = only(ensure_ca(state_dir))
    assert certificate.subject.rfc4514_string() == "CN=mockserver throw-away CA (do not trust elsewhere)"
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert 360 < (certificate.not_valid_after_utc - datetime.now(UTC)).days < 370
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def test_the_key_is_the_owners_alone_from_the_first_moment(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[int] = []
    chmod = Path.chmod

    def record(path: Path, wanted: int) -> None:
        before.append(mode(path))
        chmod(path, wanted)

    monkeypatch.setattr(Path, "chmod", record)
    umask = os.umask(0)
    try:
        server_context(state_dir, [])
        bundle(state_dir)
    finally:
        os.umask(umask)
    assert before == [0o600, 0o600, 0o600, 0o600]
    assert {mode(state_dir / name) for name in ("ca.key", "leaf.pem")} == {0o600}
    assert {mode(state_dir / name) for name in ("ca.pem", "ca-bundle.pem")} == {0o644}


def test_nothing_but_the_known_files_is_left(state_dir: Path) -> None:
    server_context(state_dir, [])
    bundle(state_dir)
    left = {path.name for path in state_dir.iterdir()} - {"ca.lock"}
    assert left == {"ca.key", "ca.pem", "leaf.pem", "ca-bundle.pem"}


def test_the_certificate_is_kept_for_the_same_hosts_and_made_anew_for_others(state_dir: Path) -> None:
    server_context(state_dir, ["mock"])
    first = (state_dir / "leaf.pem").read_bytes()
    assert shake_hands(server_context(state_dir, ["mock"]), state_dir / "ca.pem", "mock")
    assert (state_dir / "leaf.pem").read_bytes() == first
    assert shake_hands(server_context(state_dir, ["other"]), state_dir / "ca.pem", "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server_context(state_dir, ["other"]), state_dir / "ca.pem", "mock")


@pytest.mark.parametrize("damage", ["cut", "no note", "of another CA"])
def test_a_certificate_that_is_not_good_is_made_anew(state_dir: Path, damage: str) -> None:
    server_context(state_dir, [])
    leaf = state_dir / "leaf.pem"
    note, _, rest = leaf.read_bytes().partition(b"\n")
    if damage == "of another CA":
        (state_dir / "ca.pem").unlink()
        ensure_ca(state_dir)
    else:
        leaf.write_bytes(note + b"\n" + rest[:300] if damage == "cut" else rest)
    assert shake_hands(server_context(state_dir, []), state_dir / "ca.pem", "localhost")


def test_a_start_that_finds_its_certificate_loads_no_cryptography(state_dir: Path) -> None:
    server_context(state_dir, [])
    bundle(state_dir)
    code = (
        "import sys; from pathlib import Path; from mockserver.tls import bundle, ensure_ca, server_context;"
        f"at = Path({str(state_dir)!r}); ensure_ca(at); server_context(at, []); bundle(at);"
        "sys.exit('cryptography' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_ca_is_kept_from_start_to_start(state_dir: Path) -> None:
    ensure_ca(state_dir)
    files = [(state_dir / name).read_bytes() for name in ("ca.pem", "ca.key")]
    server_context(state_dir, ["mock"])
    bundle(state_dir)
    ensure_ca(state_dir)
    assert [(state_dir / name).read_bytes() for name in ("ca.pem", "ca.key")] == files


@pytest.mark.parametrize("hours, kept", [(25, True), (23, False), (-1, False)])
def test_the_ca_is_made_anew_when_its_last_day_begins(tmp_path: Path, hours: int, kept: bool) -> None:
    write_ca(tmp_path, timedelta(hours=hours))
    old = (tmp_path / "ca.pem").read_bytes()
    context = server_context(tmp_path, [])
    assert ((tmp_path / "ca.pem").read_bytes() == old) is kept
    if not kept:
        assert shake_hands(context, tmp_path / "ca.pem", "localhost")


@pytest.mark.parametrize(
    "damage", ["no key", "no certificate", "garbage", "cut key", "another key", "password"]
)
def test_files_that_do_not_belong_together_are_made_anew(tmp_path: Path, damage: str) -> None:
    write_ca(tmp_path, timedelta(days=99))
    key, certificate = tmp_path / "ca.key", tmp_path / "ca.pem"
    match damage:
        case "no key":
            key.unlink()
        case "no certificate":
            certificate.unlink()
        case "garbage":
            certificate.write_bytes(b"\xff" * 100)
        case "cut key":
            key.write_bytes(key.read_bytes()[:100])
        case "another key":
            old = key.read_bytes()
            write_ca(tmp_path, timedelta(days=99))
            key.write_bytes(old)
        case "password":
            write_ca(tmp_path, timedelta(days=99), b"secret")
    assert shake_hands(server_context(tmp_path, []), ensure_ca(tmp_path), "localhost")
    assert mode(key) == 0o600


def test_processes_that_start_at_once_agree_on_one_ca(state_dir: Path) -> None:
    code = (
        "import sys, pathlib, cryptography.x509, filelock\n"
        "from mockserver import tls\n"
        "where = pathlib.Path(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "ca = tls.ensure_ca(where).read_bytes()\n"
        "tls.server_context(where, [])\n"
        "assert ca in tls.bundle(where).read_bytes()\n"
        "print(ca.hex())\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(state_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seen = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert seen == {(state_dir / "ca.pem").read_bytes().hex()}


def test_threads_that_start_at_once_agree_on_one_ca(state_dir: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        seen = set(pool.map(lambda _: ensure_ca(state_dir).read_bytes(), range(8)))
    assert seen == {(state_dir / "ca.pem").read_bytes()}


def roots(*paths: Path) -> set[bytes]:
    """What OpenSSL trusts when it is given these files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in paths:
        context.load_verify_locations(path)
    return set(context.get_ca_certs(binary_form=True))


def test_the_bundle_trusts_us_and_what_was_trusted_before(state_dir: Path, corporate: trustme.CA) -> None:
    path = bundle(state_dir)
    assert shake_hands(server_context(state_dir, []), path, "127.0.0.1")
    assert shake_hands(corporate_server(corporate), path, "intranet.example")
    assert len(roots(path)) == 2


def test_a_bundle_made_under_its_own_variables_stays_the_same(
    state_dir: Path, corporate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle(state_dir)
    before = path.read_bytes()
    for variable in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(path))
    assert bundle(state_dir).read_bytes() == before


def test_an_old_ca_of_ours_does_not_stay_in_the_bundle(
    state_dir: Path, corporate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle(state_dir)
    old = roots(state_dir / "ca.pem")
    for variable in ("SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(path))
    (state_dir / "ca.key").unlink()
    trusted = roots(bundle(state_dir))
    assert trusted > roots(state_dir / "ca.pem")
    assert not trusted & old


def test_what_node_was_told_to_trust_stays_trusted_beside_us(
    state_dir: Path, tmp_path: Path, corporate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "corporate.pem"
    corporate.cert_pem.write_to_path(str(own))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(own))
    path = extra(state_dir)
    assert shake_hands(server_context(state_dir, []), path, "127.0.0.1")
    assert shake_hands(corporate_server(corporate), path, "intranet.example")
    assert len(roots(path)) == 2
    before = path.read_bytes()
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(path))
    assert extra(state_dir) == path
    assert path.read_bytes() == before


@pytest.mark.parametrize("named", ["", "/nothing", "ca.pem"])
def test_where_node_was_told_nothing_it_gets_our_root_alone(
    state_dir: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(ensure_ca(state_dir)) if named == "ca.pem" else named)
    assert extra(state_dir) == state_dir / "ca.pem"


def test_without_variables_the_systems_and_botocores_roots_are_kept(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    from botocore.httpsession import where

    system = ssl.get_default_verify_paths().cafile
    expected = roots(Path(where()), *([Path(system)] if system else []))
    assert len(expected) > 50
    assert roots(bundle(state_dir)) == expected | roots(state_dir / "ca.pem")


def test_without_certifi_the_roots_that_botocore_ships_are_kept(
    state_dir: Path, corporate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore

    monkeypatch.delenv("AWS_CA_BUNDLE")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "certifi" else find(name))
    assert roots(Path(botocore.__file__).with_name("cacert.pem")) < roots(bundle(state_dir))


def test_a_directory_of_roots_is_read_where_there_is_no_file(
    state_dir: Path, tmp_path: Path, corporate: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = trustme.CA()
    (tmp_path / "roots").mkdir()
    other.cert_pem.write_to_path(str(tmp_path / "roots" / "0123abcd.0"))
    (tmp_path / "roots" / "dangling.0").symlink_to("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", "/nothing")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "roots"))
    assert shake_hands(corporate_server(other), bundle(state_dir), "intranet.example")


def test_no_roots_at_all_is_an_error_that_says_what_to_set(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nothing")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nothing")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="set SSL_CERT_FILE to yours"):
        bundle(state_dir)


def test_a_state_directory_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError, match="expected a directory for the mock's state, got a file"):
            ensure_ca(place)


def test_a_state_directory_that_cannot_be_made_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"it cannot be made \(File name too long\)"):
        ensure_ca(tmp_path / ("x" * 300))


def test_importing_tls_loads_neither_cryptography_nor_filelock() -> None:
    code = "import sys, mockserver.tls; print(sorted({'cryptography', 'filelock'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
