"""JSON Web Tokens over HTTP: the attacks that are known, and settings that would invite them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from access_app import SECRET, AccessServer, access_server
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.access.web_tokens import web_tokens
from gateway.errors import InvalidAccessSettingsError
from gateway.settings import Settings

SHARED = "a shared secret of more than 32 bytes"
ISSUER, AUDIENCE = "https://issuer.example.org", "leaf"
NAMED = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "auth_failure_limit": "10000/minute"}


def _private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _public_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


PRIVATE, OTHER = _private_key(), _private_key()


@pytest.fixture(scope="module")
def hs256(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessServer]:
    folder = tmp_path_factory.mktemp("hs256")
    with access_server(folder, jwt_algorithm="HS256", jwt_key=SHARED, **NAMED) as server:
        yield server


@pytest.fixture(scope="module")
def rs256(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessServer]:
    folder = tmp_path_factory.mktemp("rs256")
    (folder / "public.pem").write_bytes(_public_pem(PRIVATE))
    with access_server(folder, jwt_algorithm="RS256", jwt_key_file=folder / "public.pem", **NAMED) as server:
        yield server


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {"sub": "amina", "iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "scope": "openid predict"}
    return {name: value for name, value in (claims | changes).items() if value is not None}


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _signed_by_hand(header: object, claims: object, key: bytes) -> str:
    """PyJWT itself refuses to make some of these."""
    signed = f"{_part(header)}.{_part(claims)}"
    signature = hmac.digest(key, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _ask(server: AccessServer, token: str, path: str = "/predict", **headers: str) -> Any:
    with server.client(Authorization=f"Bearer {token}", **headers) as client:
        return client.post(path) if path == "/predict" else client.get(path)


def _refused(server: AccessServer, token: str) -> str:
    answer = _ask(server, token)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="leaf", error="invalid_token"'
    return str(answer.json()["detail"])


def test_a_right_token_is_admitted_with_its_subject_and_scopes(hs256: AccessServer, rs256: AccessServer) -> None:
    for server, token in (
        (hs256, jwt.encode(_claims(), SHARED, "HS256")),
        (rs256, jwt.encode(_claims(), PRIVATE, "RS256")),
        (rs256, jwt.encode(_claims(aud=["other", AUDIENCE], nbf=time.time() - 5), PRIVATE, "RS256")),
    ):
        answer = _ask(server, token)
        assert answer.status_code == 200
        assert (answer.json()["kind"], answer.json()["subject"]) == ("token", "amina")
        assert answer.json()["scopes"] == ["predict"]


def test_scopes_decide(hs256: AccessServer) -> None:
    for scope, predict, review in (
        ("predict review", 200, 200),
        ("review", 403, 200),
        ("", 403, 403),
        (None, 403, 403),
        (["predict", "review"], 403, 403),
        ("PREDICT predictreview", 403, 403),
    ):
        token = jwt.encode(_claims(scope=scope), SHARED, "HS256")
        assert (_ask(hs256, token).status_code, _ask(hs256, token, "/review").status_code) == (predict, review)


def test_alg_none_is_refused(hs256: AccessServer, rs256: AccessServer) -> None:
    for server in (hs256, rs256):
        for algorithm in ("none", "None", "NONE", "nOnE", "", None):
            unsigned = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(_claims())}."
            _refused(server, unsigned)
            _refused(server, unsigned + "AAAA")
        _refused(server, jwt.encode(_claims(), None, "none"))


def test_a_wrong_key_is_refused(hs256: AccessServer, rs256: AccessServer) -> None:
    for guess in (SHARED[:-1] + "?", SHARED[:-1], "", SECRET):
        _refused(hs256, _signed_by_hand({"alg": "HS256", "typ": "JWT"}, _claims(), guess.encode()))
    _refused(rs256, jwt.encode(_claims(), OTHER, "RS256"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aud": "another"}, "another service"),
        ({"aud": None}, "lacks"),
        ({"aud": [AUDIENCE + "x"]}, "another service"),
        ({"iss": "https://elsewhere.example.org"}, "issuer"),
        ({"iss": ISSUER + "/"}, "issuer"),
        ({"iss": None}, "lacks"),
        ({"exp": lambda: time.time() - 60}, "expired"),
        ({"exp": None}, "lacks"),
        ({"exp": "tomorrow"}, "not one that is accepted"),
        ({"exp": 1e400}, "not one that is accepted"),
        ({"nbf": lambda: time.time() + 300}, "not valid yet"),
        ({"iat": lambda: time.time() + 300}, "not valid yet"),
        ({"sub": None}, "lacks"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "accepted"),
        ({"sub": "x" * 256}, "subject"),
        ({"sub": "\ud800"}, "subject"),
        ({"sub": "amina\nroot"}, "subject"),
    ],
)
def test_wrong_claims_are_refused_and_named(
    hs256: AccessServer, rs256: AccessServer, changes: dict[str, Any], words: str
) -> None:
    claims = _claims(**{name: value() if callable(value) else value for name, value in changes.items()})
    assert words in _refused(hs256, _signed_by_hand({"alg": "HS256", "typ": "JWT"}, claims, SHARED.encode()))
    if changes.get("sub") != 7:  # PyJWT refuses to make that one
        assert words in _refused(rs256, jwt.encode(claims, PRIVATE, "RS256"))


def test_clocks_may_differ_a_little(hs256: AccessServer) -> None:
    assert _ask(hs256, jwt.encode(_claims(exp=time.time() - 4), SHARED, "HS256")).status_code == 200
    assert _ask(hs256, jwt.encode(_claims(nbf=time.time() + 4), SHARED, "HS256")).status_code == 200


def test_a_swapped_algorithm_is_refused(hs256: AccessServer, rs256: AccessServer) -> None:
    pem = _public_pem(PRIVATE)
    for key in (pem, pem.strip(), PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)):
        _refused(rs256, _signed_by_hand({"alg": "HS256", "typ": "JWT"}, _claims(), key))
        _refused(rs256, _signed_by_hand({"alg": "RS256", "typ": "JWT"}, _claims(), key))
    _refused(hs256, jwt.encode(_claims(), PRIVATE, "RS256"))
    _refused(rs256, jwt.encode(_claims(), PRIVATE, "RS512"))
    _refused(rs256, jwt.encode(_claims(), PRIVATE, "PS256"))
    _refused(hs256, jwt.encode(_claims(), SHARED * 2, "HS512"))


def test_a_key_that_the_token_brings_itself_is_ignored(rs256: AccessServer) -> None:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OTHER.public_key()))
    for header in ({"jwk": public}, {"jku": "https://evil.example.org/keys"}, {"kid": "../../../dev/null"}):
        _refused(rs256, jwt.encode(_claims(), OTHER, "RS256", headers=header))


def test_a_changed_payload_is_refused(hs256: AccessServer) -> None:
    header, _, signature = jwt.encode(_claims(), SHARED, "HS256").split(".")
    _refused(hs256, f"{header}.{_part(_claims(scope='predict admin'))}.{signature}")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "..",
        "a.b.c",
        "e30.e30.e30",
        f"{_part([])}.{_part({})}.AA",
        f"{_part({'alg': ['HS256']})}.{_part({})}.AA",
        f"{_part({'alg': {'HS256': 1}})}.{_part({})}.AA",
        f"{_part({'alg': 'HS256', 'crit': ['b64'], 'b64': False})}.{_part({})}.AA",
        f"{_part({'alg': 'HS256', 'kid': 7})}.{_part({})}.AA",
        f"{_part('HS256')}.{_part('x')}.AA",
        _signed_by_hand({"alg": "HS256"}, ["no", "object"], SHARED.encode()),
        _signed_by_hand({"alg": "HS256"}, {"exp": {}, "iss": 1, "aud": {}, "sub": []}, SHARED.encode()),
        _signed_by_hand({"alg": "HS256"}, _claims(nbf="now"), SHARED.encode()),
        _signed_by_hand({"alg": "HS256"}, _claims(iat=[]), SHARED.encode()),
        _signed_by_hand({"alg": "HS256"}, _claims(aud=[{}]), SHARED.encode()),
        _signed_by_hand({"alg": "HS256"}, _claims(iss=[ISSUER]), SHARED.encode()),
        _signed_by_hand({"alg": "HS256"}, _claims(filling="x" * 9000), SHARED.encode()),
        "[" * 3000,
    ],
)
def test_odd_tokens_are_refused_without_a_defect(hs256: AccessServer, token: str) -> None:
    _refused(hs256, token)


def test_deeply_nested_json_is_refused_without_a_defect(hs256: AccessServer) -> None:
    nested = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 5000).rstrip(b"=").decode()
    _refused(hs256, f"{nested}.e30.AA")


def test_tokens_are_refused_where_none_are_set_up(tmp_path: Path) -> None:
    with access_server(tmp_path) as server:
        assert "no API key" in _refused(server, jwt.encode(_claims(), SECRET, "HS256"))


def test_a_key_is_taken_beside_tokens(hs256: AccessServer) -> None:
    assert _ask(hs256, hs256.make_key()).json()["kind"] == "key"


_WEAK = _public_pem(_private_key(1024)).decode()
_CURVE = _public_pem(ec.generate_private_key(ec.SECP256R1())).decode()
_SECRET_PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"jwt_algorithm": "HS256", "jwt_key": "short"}, "32 bytes"),
        ({"jwt_algorithm": "HS256", "jwt_key": _public_pem(PRIVATE).decode()}, "not a PEM key"),
        ({"jwt_algorithm": "HS256"}, "either"),
        ({"jwt_algorithm": "HS256", "jwt_key": SHARED, "jwt_key_file": Path("x")}, "either"),
        ({"jwt_algorithm": "RS256", "jwt_key_file": Path("/nowhere/key.pem")}, "/nowhere/key.pem"),
        ({"jwt_algorithm": "RS256", "jwt_key": SHARED}, "public RSA key"),
        ({"jwt_algorithm": "RS256", "jwt_key": _SECRET_PEM}, "public RSA key"),
        ({"jwt_algorithm": "RS256", "jwt_key": _WEAK}, "2048"),
        ({"jwt_algorithm": "RS256", "jwt_key": _CURVE}, "public RSA key"),
        ({"jwt_algorithm": "HS256", "jwt_key": SHARED, "jwt_audience": ""}, "GATEWAY_JWT_AUDIENCE"),
        ({"jwt_key": SHARED}, "GATEWAY_JWT_ALGORITHM"),
    ],
)
def test_settings_that_would_not_protect_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidAccessSettingsError, match=words) as refused:
        web_tokens(Settings(**{**NAMED, **settings}))
    assert SHARED not in str(refused.value)
    assert "PRIVATE" not in str(refused.value)


def test_an_algorithm_that_is_not_offered_is_no_setting() -> None:
    for algorithm in ("none", "ES256", "HS512", "hs256"):
        with pytest.raises(ValueError, match="jwt_algorithm"):
            Settings(jwt_algorithm=algorithm)
