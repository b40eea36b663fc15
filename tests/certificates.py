"""An authority of the tests' own, and certificates for this machine, made when they are needed."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = datetime.timedelta(days=1)
SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Signs certificates. Files are written to `folder`: `ca.pem`, for whoever is to trust it.

    It is made like those of public servers: its own key (P-384) signs nothing but that of an intermediate
    one (P-256), whose certificate servers send along.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        root_key, root_name = ec.generate_private_key(ec.SECP384R1()), _name("authority of the tests")
        self._key, self._name = (
            ec.generate_private_key(ec.SECP256R1()),
            _name("intermediate one of the tests"),
        )
        root = _may_sign(_builder(root_name, root_name, root_key), root_key, path_length=1)
        intermediate = _may_sign(_builder(self._name, root_name, self._key), self._key, path_length=0)
        self._intermediate = _signed_by(intermediate, root_key, hashes.SHA384())
        self.file = folder / "ca.pem"
        """What `SSL_CERT_FILE` is set to in a process that is to trust this authority."""
        self.file.write_bytes(_pem(_signed_by(root, root_key, hashes.SHA384())))

    def issue(self, *names: str) -> Path:
        """A file with a key and a certificate for `localhost`, 127.0.0.1, and these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        alternatives += [x509.DNSName(name) for name in ("localhost", *names)]
        certificate = _builder(_name("localhost"), self._name, key).add_extension(
            x509.SubjectAlternativeName(alternatives), critical=False
        )
        file = self._folder / "server.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + _pem(_signed_by(certificate, self._key, hashes.SHA256()))
            + _pem(self._intermediate)
        )
        return file

    def server(self, *names: str) -> ssl.SSLContext:
        """What a server of this machine serves TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(*names))
        return context


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _may_sign(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, *, path_length: int
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(SIGNS_CERTIFICATES, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _signed_by(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    algorithm: hashes.SHA256 | hashes.SHA384,
) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.add_extension(issuer, critical=False).sign(key, algorithm)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID)
        .not_valid_after(now + VALID)
    )
