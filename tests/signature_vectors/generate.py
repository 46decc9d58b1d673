"""Makes signature vectors with the providers' own libraries and prints them as JSON.

Every key, number and address here is invented: keys are words, numbers are of the range kept for
drama (+44 7700 900xxx), hosts are example domains. Times, nonces and keys are fixed, and so is
the output. Where a library only verifies, the signature is made with the standard library and
the provider's library says what it thinks of it; where there is no library at all, `official`
is null and `made_by` says so.
"""

import base64
import hashlib
import hmac
import json
import logging
import warnings
from datetime import datetime, timezone
from importlib.metadata import version
from urllib.parse import parse_qsl, quote_plus

import freezegun

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

NOW = 1767225600  # 2026-01-01T00:00:00Z
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
INDEPENDENT = "Python standard library, from the documented formula"
vectors = []
unexplained = []


def b64(data):
    return base64.b64encode(data).decode()


def mac(hash_name, key, *parts):
    joined = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return hmac.new(key if isinstance(key, bytes) else key.encode(), joined, hash_name).digest()


def form(pairs):
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()


def first(headers):
    """Headers as a framework hands them to a library: one value a name."""
    found = {}
    for name, value in headers:
        found.setdefault(name.lower(), value)
    return found


class Provider:
    """One provider: how it judges, how its vectors are added."""

    def __init__(self, name, library, judge, made_by):
        self.name, self.judge = name, judge
        self.library = f"{library} {version(library)}" if library else None
        self.made_by = self.library if made_by == "library" else INDEPENDENT

    def add(self, name, case, expect, unique=None, signed_at=None, stricter=None, looser=None, window=None):
        case = {"method": "POST", "url": "https://clinic.example/hooks", "now": NOW, "setting": None, **case}
        verdict = None
        if self.judge:
            with freezegun.freeze_time(datetime.fromtimestamp(case["now"], timezone.utc)):
                verdict = any(self.asked(case, secret) for secret in case["secrets"])
            differs = "stricter" if verdict and expect != "ok" else "looser" if not verdict and expect == "ok" else None
            said = "stricter" if stricter else "looser" if looser else None
            if differs != said:
                unexplained.append(f"{self.name}, {name}: library says {verdict}, we say {expect}")
        vector = {
            "provider": self.name,
            "name": name,
            "setting": case["setting"],
            "method": case["method"],
            "url": case["url"],
            "headers": [list(pair) for pair in case["headers"]],
            "secrets": case["secrets"],
            "now": case["now"],
            "window": window,
            "expect": expect,
            "unique": unique,
            "signed_at": signed_at,
            "made_by": self.made_by,
            "official": {"library": self.library, "accepts": verdict} if self.judge else None,
        }
        try:
            vector["body"] = case["body"].decode()
        except UnicodeDecodeError:
            vector["body_base64"] = b64(case["body"])
        if stricter:
            vector["stricter"] = stricter
        if looser:
            vector["looser"] = looser
        vectors.append(vector)

    def asked(self, case, secret):
        try:
            return bool(self.judge(case, first(case["headers"]), secret))
        except Exception:  # what a library does not accept it may also fail on
            return False

    def common(self, good, header, body, secret, **notes):
        """The tampering every scheme must notice. `good` is a valid case."""
        twice = good["headers"] + [pair for pair in good["headers"] if pair[0].lower() == header.lower()]
        rest = [pair for pair in good["headers"] if pair[0].lower() != header.lower()]
        value = next(value for name, value in good["headers"] if name.lower() == header.lower())
        cased = [(name.upper(), value) for name, value in good["headers"]]
        self.add("header names in upper case", {**good, "headers": cased}, "ok", **notes)
        self.add("old and new secret, signed by the new", {**good, "secrets": [secret, *good["secrets"]]}, "ok", **notes)
        self.add("old and new secret, signed by the old", {**good, "secrets": [*good["secrets"], secret]}, "ok", **notes)
        self.add("another body", {**good, "body": body}, "Mismatch")
        self.add("another secret", {**good, "secrets": [secret]}, "Mismatch")
        self.add("no secret", {**good, "secrets": []}, "Secret")
        self.add("an empty secret", {**good, "secrets": [""]}, "Secret")
        self.add("signature missing", {**good, "headers": rest}, "Missing")
        self.add("signature empty", {**good, "headers": rest + [(header, "")]}, "Missing")
        self.add("signature twice", {**good, "headers": twice}, "Repeated",
                 stricter="two readers could see two values" if self.judge else None)
        self.add("signature cut off", {**good, "headers": rest + [(header, value[:-4])]}, self.cut)

    cut = "Mismatch"


# --- Twilio ------------------------------------------------------------------------------------
from twilio.request_validator import RequestValidator, get_signature_algorithm  # noqa: E402


class Fields(dict):
    def getlist(self, name):
        return self[name]


def fields(body):
    found = Fields()
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def is_form(headers):
    return headers.get("content-type", "").lower().startswith(FORM[1])


def twilio_judge(case, headers, secret):
    if is_form(headers):
        params = fields(case["body"])
    else:
        params = case["body"].decode() if case["body"] or "bodySHA256" in case["url"] else {}
    algorithm = get_signature_algorithm(headers.get("x-twilio-webhooks-signature-settings"))
    return RequestValidator(secret).validate(case["url"], params, headers.get("x-twilio-signature", ""), algorithm)


TOKEN, OTHER_TOKEN = "3f0c2d5a9b7e41688c1d2e3f40516273", "00112233445566778899aabbccddeeff"
SHARED, OTHER_SHARED = "invented-shared-key-of-the-clinic-0001", "invented-shared-key-of-the-clinic-0002"
SETTINGS = ("X-Twilio-Webhooks-Signature-Settings", "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256")
STOP = [
    ("MessageSid", "SM00000000000000000000000000000001"), ("AccountSid", "AC00000000000000000000000000000001"),
    ("From", "+447700900123"), ("To", "+447700900001"), ("Body", "STOP"), ("OptOutType", "STOP"),
    ("NumMedia", "0"), ("FromCity", ""), ("SmsStatus", "received"), ("ApiVersion", "2010-04-01"),
]


def twilio_case(pairs, url="https://clinic.example/hooks/twilio", signed_url=None, secret=TOKEN, algorithm=None, **more):
    body = form(pairs)
    signature = RequestValidator(secret).compute_signature(signed_url or url, fields(body), algorithm)
    headers = [FORM, ("X-Twilio-Signature", signature)] + ([SETTINGS] if algorithm else [])
    return {"url": url, "headers": headers, "body": body, "secrets": [secret],
            "setting": "shared_key" if algorithm else "auth_token", **more}


def twilio_json(body, url="https://clinic.example/hooks/twilio", hashed=None, **more):
    url += ("&" if "?" in url else "?") + "bodySHA256=" + hashlib.sha256(body if hashed is None else hashed).hexdigest()
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    return {"url": url, "headers": [JSON, ("X-Twilio-Signature", signature)], "body": body, "secrets": [TOKEN],
            "setting": "auth_token", **more}


twilio = Provider("twilio", "twilio", twilio_judge, "library")
good = twilio_case(STOP)
twilio.add("an opt-out by SMS", good, "ok")
twilio.common(good, "X-Twilio-Signature", form(STOP).replace(b"STOP", b"START"), OTHER_TOKEN)
twilio.add("a parameter of the future", twilio_case(STOP + [("NewThing", "1")]), "ok")
twilio.add("a form with its charset", {**good, "headers": [("Content-Type", FORM[1] + "; charset=UTF-8"), good["headers"][1]]}, "ok")
twilio.add("with a query", twilio_case(STOP, "https://clinic.example/hooks/twilio?clinic=north&x=a%20b+c"), "ok")
twilio.add("query in another order", {**twilio_case(STOP, "https://clinic.example/t?a=1&b=2"), "url": "https://clinic.example/t?b=2&a=1"}, "Mismatch")
twilio.add("unicode, spaces and signs", twilio_case([("Body", "Grüße & 100% – 👍 a=b+c"), ("Näme", "é")]), "ok")
twilio.add("a line break in a value", twilio_case([("Body", "one\r\ntwo"), ("From", "+447700900123")]), "ok")
twilio.add("one name with several values", twilio_case([("MediaUrl", "b"), ("MediaUrl", "a"), ("A", "1")]), "ok")
twilio.add("one name with one value twice", twilio_case([("To", "+447700900001"), ("To", "+447700900001")]), "ok")
twilio.add("names that differ in case", twilio_case([("to", "a"), ("To", "b"), ("TO", "c")]), "ok")
twilio.add("signed with the default port", twilio_case(STOP, signed_url="https://clinic.example:443/hooks/twilio"), "ok")
twilio.add("signed without the default port", twilio_case(STOP, "https://clinic.example:443/hooks/twilio", "https://clinic.example/hooks/twilio"), "ok")
twilio.add("http, signed with its port", twilio_case(STOP, "http://clinic.example/t", "http://clinic.example:80/t"), "ok")
twilio.add("another port", twilio_case(STOP, "https://clinic.example:8443/t?x=1"), "ok")
twilio.add("another port, left out by the signer", twilio_case(STOP, "https://clinic.example:8443/t", "https://clinic.example/t"), "ok")
twilio.add("another port than the signer's", twilio_case(STOP, "https://clinic.example/t", "https://clinic.example:8443/t"), "Mismatch")
twilio.add("a user in the URL", twilio_case(STOP, "https://hook@clinic.example/t"), "ok")
twilio.add("a user in the URL, signed with the port", twilio_case(STOP, "https://hook@clinic.example/t", "https://hook@clinic.example:443/t"), "ok")
twilio.add("no path", twilio_case(STOP, "https://clinic.example"), "ok")
twilio.add("by GET", {**twilio_case([], "https://clinic.example/t?MessageSid=SM1&Body=STOP"), "method": "GET"}, "ok")
twilio.add("no body and no type", {**twilio_case([]), "headers": twilio_case([])["headers"][1:]}, "ok")
twilio.add("JSON", twilio_json(b'{"type":"com.twilio.messaging.inbound-message.received","data":{"body":"STOP"}}'), "ok")
twilio.add("JSON with a query", twilio_json('[{"data":"Grüße"}]'.encode(), "https://clinic.example/t?a=b"), "ok")
twilio.add("JSON, empty", twilio_json(b""), "ok")
twilio.add("JSON, another body", twilio_json(b'{"a":2}', hashed=b'{"a":1}'), "Mismatch")
case = twilio_json(b'{"a":1}')
twilio.add("JSON, another hash in the URL", {**case, "url": case["url"][:-1] + "0"}, "Mismatch")
upper = case["url"].split("=")[0] + "=" + case["url"].split("=")[1].upper()
twilio.add("JSON, the hash in upper case",
           {**case, "url": upper, "headers": [JSON, ("X-Twilio-Signature", RequestValidator(TOKEN).compute_signature(upper, {}))]}, "Mismatch")
plain = {**twilio_case([]), "body": b'{"a":1}'}
twilio.add("JSON that nothing covers", {**plain, "headers": [JSON, plain["headers"][1]]}, "Mismatch")
twilio.add("a text body put under an empty form's signature", {**plain, "headers": [("Content-Type", "text/plain"), plain["headers"][1]]}, "Mismatch")
twilio.add("a JSON delivery replayed as an empty form", {**case, "body": b"", "headers": [FORM, case["headers"][1]]}, "Mismatch",
           stricter="the hash in the URL is of another body")
twilio.add("another URL", {**good, "url": "https://clinic.example/hooks/other"}, "Mismatch")
twilio.add("another scheme", {**good, "url": "http://clinic.example/hooks/twilio"}, "Mismatch")
twilio.add("another host", {**good, "url": "https://other.example/hooks/twilio"}, "Mismatch")
twilio.add("a value that is not UTF-8", {**good, "body": b"Body=%ff"}, "Malformed")
twilio.add("raw bytes that are not UTF-8", {**good, "body": b"Body=\xff"}, "Malformed")
twilio.add("a parameter more", {**good, "body": good["body"] + b"&OptOutType=START"}, "Mismatch")
twilio.add("a parameter less", {**good, "body": form(STOP[1:])}, "Mismatch")
twilio.add("signature in lower case", {**good, "headers": [FORM, ("X-Twilio-Signature", good["headers"][1][1].lower())]}, "Mismatch")
twilio.add("type twice", {**good, "headers": [FORM, JSON, good["headers"][1]]}, "Repeated", stricter="two readers could see two bodies")
shared = twilio_case(STOP, secret=SHARED, algorithm="HMAC_SHA256")
twilio.add("with a shared key", shared, "ok")
twilio.add("with a shared key, JSON", {**case, "setting": "shared_key", "secrets": [SHARED], "headers": [
    JSON, SETTINGS, ("X-Twilio-Signature", RequestValidator(SHARED).compute_signature(case["url"], {}, "HMAC_SHA256"))]}, "ok")
twilio.add("with a shared key, algorithm in lower case",
           {**shared, "headers": shared["headers"][:2] + [(SETTINGS[0], "algorithm=hmac_sha256 , key=k")]}, "ok")
twilio.add("with two shared keys", {**shared, "secrets": [OTHER_SHARED, SHARED]}, "ok")
twilio.add("with another shared key", {**shared, "secrets": [OTHER_SHARED]}, "Mismatch")
twilio.add("an algorithm nobody knows", {**shared, "headers": shared["headers"][:2] + [(SETTINGS[0], "algorithm=HMAC_MD5")]}, "Unsupported")
twilio.add("settings twice", {**shared, "headers": shared["headers"] + [SETTINGS]}, "Repeated", stricter="two readers could see two algorithms")
twilio.add("SHA-1 with a shared key", {**twilio_case(STOP, secret=SHARED), "setting": "shared_key"}, "Unsupported",
           stricter="a shared key is for SHA-256 only; the library takes the word of the request")
twilio.add("SHA-1 with a shared key under a SHA-256 header", {**twilio_case(STOP, secret=SHARED), "setting": "shared_key",
           "headers": twilio_case(STOP, secret=SHARED)["headers"] + [SETTINGS]}, "Mismatch")
twilio.add("SHA-256 where the token is configured", {**shared, "setting": "auth_token"}, "Unsupported",
           stricter="the endpoint is configured for the auth token")
twilio.add("a settings header that names SHA-1", {**good, "headers": good["headers"] + [(SETTINGS[0], "key=k,algorithm=HMAC_SHA1")]}, "ok")

# --- Sinch -------------------------------------------------------------------------------------
from sinch.domains.authentication.sinch_events.v1.authentication_validation import (  # noqa: E402
    calculate_sinch_event_signature,
    compute_signed_data,
    validate_sinch_event_signature_with_nonce,
)

SINCH = "x-sinch-webhook-signature"


def sinch_case(text, time=NOW, nonce="01HVZ7Q3M8RANDOMNONCE00001", secret="invented-sinch-secret", algorithm="HmacSHA256", **more):
    signature = calculate_sinch_event_signature(compute_signed_data(text, nonce, str(time)), secret)
    headers = [JSON, (SINCH, signature), (SINCH + "-nonce", nonce), (SINCH + "-timestamp", str(time))]
    headers += [(SINCH + "-algorithm", algorithm)] if algorithm else []
    return {"headers": headers, "body": text.encode(), "secrets": [secret], **more}


def replaced(case, name, value):
    kept = [pair for pair in case["headers"] if pair[0].lower() != name.lower()]
    return {**case, "headers": kept + ([] if value is None else [(name, value)])}


sinch = Provider("sinch", "sinch", lambda case, headers, secret: validate_sinch_event_signature_with_nonce(secret, headers, case["body"].decode()), "library")
MO = '{"type":"mo_text","id":"01HX","from":"447700900123","to":"447700900001","body":"STOP","received_at":"2026-01-01T00:00:00.000Z"}'
yes = {"unique": "01HVZ7Q3M8RANDOMNONCE00001", "signed_at": NOW}
NO_AGE = "the library looks at no age"
good = sinch_case(MO)
sinch.add("an opt-out by SMS", good, "ok", **yes)
sinch.common(good, SINCH, MO.replace("STOP", "START").encode(), "another-sinch-secret", **yes)
sinch.add("unicode", sinch_case('{"body":"Grüße 👍"}'), "ok", **yes)
sinch.add("no body", sinch_case(""), "ok", **yes)
sinch.add("a body with dots and a line end", sinch_case('{"body":"a.b.c"}\r\n'), "ok", **yes)
sinch.add("no algorithm header", sinch_case(MO, algorithm=None), "ok", **yes)
sinch.add("another algorithm", sinch_case(MO, algorithm="HmacMD5"), "Unsupported", stricter="the library does not look at the name")
sinch.add("as old as allowed", sinch_case(MO, now=NOW + 300), "ok", **yes)
sinch.add("too old", sinch_case(MO, now=NOW + 301), "Stale", stricter=NO_AGE)
sinch.add("from the future", sinch_case(MO, now=NOW - 301), "Stale", stricter=NO_AGE)
sinch.add("an hour old in a window of two", sinch_case(MO, now=NOW + 3600), "ok", window=7200, **yes)
sinch.add("another time", replaced(good, SINCH + "-timestamp", str(NOW + 1)), "Mismatch")
sinch.add("another nonce", replaced(good, SINCH + "-nonce", "01HVZ7Q3M8RANDOMNONCE00002"), "Mismatch")
sinch.add("no nonce", replaced(good, SINCH + "-nonce", None), "Missing")
sinch.add("no time", replaced(good, SINCH + "-timestamp", None), "Missing")
sinch.add("nonce twice", {**good, "headers": good["headers"] + [good["headers"][2]]}, "Repeated", stricter="two readers could see two values")
for time in ["-1", "9223372036854775807", "1767225600.0", "+1767225600", "x"]:
    sinch.add(f"the time {time}", sinch_case(MO, time=time), "Malformed", stricter="the library does not read the time")
sinch.add("cut up in another way", {**replaced(replaced(sinch_case('{"body":"a.b"}'), SINCH + "-nonce", 'b"}.01HVZ7Q3M8RANDOMNONCE00001'), "x", None), "body": b'{"body":"a'},
          "Malformed", stricter="a nonce with a dot lets body and nonce be cut up in another way")
sinch.add("signature in lower case", replaced(good, SINCH, good["headers"][1][1].lower()), "Mismatch")
sinch.add("the other signature Sinch has", replaced({**good, "headers": good["headers"] + [("x-sinch-signature", mac("sha1", "invented-sinch-secret", MO).hex())]}, SINCH, None), "Missing")

# --- Standard Webhooks, by the reference library and by Bird's -----------------------------------
from bird import WebhookVerificationError  # noqa: E402
from bird.resources.webhooks import _verify_and_parse  # noqa: E402
from standardwebhooks.webhooks import Webhook  # noqa: E402

KEY, OTHER_KEY = "whsec_" + b64(bytes(range(1, 33))), "whsec_" + b64(bytes(range(33, 65)))
SUPPRESSED = ('{"type":"sms_suppression.created","timestamp":"2026-01-01T00:00:00Z","data":{"suppression_id":"ssu_01","destination":'
              '"+447700900123","originator":"+447700900001","reason":"keyword_stop","workspace_id":"ws_01"}}')


def standard_case(text, time=NOW, id="msg_01k0000000000000000000001", secret=KEY, **more):
    at = datetime.fromtimestamp(time, timezone.utc) if isinstance(time, int) else None
    signature = Webhook(secret).sign(id, at, text) if at else "v1," + b64(mac("sha256", base64.b64decode(secret[6:]), f"{id}.{time}.{text}"))
    return {"headers": [JSON, ("webhook-id", id), ("webhook-timestamp", str(time)), ("webhook-signature", signature)],
            "body": text.encode(), "secrets": [secret], **more}


def standard_judge(case, headers, secret):
    Webhook(secret).verify(case["body"], headers, json_parse=False)
    return True


def bird_judge(case, headers, secret):
    try:
        _verify_and_parse(case["body"], headers, secret, 300)
    except WebhookVerificationError as error:
        return str(error).startswith("verified webhook payload")  # signed, but not an event it knows
    return True


yes = {"unique": "msg_01k0000000000000000000001", "signed_at": NOW}
for provider in [Provider("standard", "standardwebhooks", standard_judge, "library"),
                 Provider("bird", "messagebird-sdk", bird_judge, "independent")]:
    is_bird = provider.name == "bird"
    provider.made_by = f"standardwebhooks {version('standardwebhooks')}"
    good = standard_case(SUPPRESSED)
    signature = good["headers"][3][1]
    old = standard_case(SUPPRESSED, secret=OTHER_KEY)["headers"][3][1]
    provider.add("an opt-out by SMS", good, "ok", **yes)
    provider.common(good, "webhook-signature", SUPPRESSED.replace("created", "deleted").encode(), OTHER_KEY, **yes)
    provider.add("a type of the future", standard_case('{"type":"sms.folded","timestamp":"2026-01-01T00:00:00Z","data":{"Grüße":"👍 a.b"}}'), "ok", **yes)
    provider.add("signed with both secrets", replaced(good, "webhook-signature", f"{old} {signature}"), "ok", **yes)
    provider.add("signed with both secrets, the other first", replaced(good, "webhook-signature", f"{signature} {old}"), "ok", **yes)
    provider.add("beside a signature of another kind", replaced(good, "webhook-signature", f"v1a,{b64(bytes(64))} {signature}"), "ok", **yes)
    provider.add("only a signature of another kind", replaced(good, "webhook-signature", "v1a," + signature[3:]), "Unsupported")
    provider.add("without its v1", replaced(good, "webhook-signature", signature[3:]), "Unsupported")
    provider.add("sixteen signatures, the last is right", replaced(good, "webhook-signature", " ".join([old] * 15 + [signature])), "ok", **yes)
    provider.add("seventeen signatures", replaced(good, "webhook-signature", " ".join([old] * 16 + [signature])), "Malformed", stricter="no provider has that many secrets")
    provider.add("a secret without its prefix", {**good, "secrets": [KEY[6:]]}, "ok", **yes)
    provider.add("a secret that is not base64", {**good, "secrets": ["whsec_***"]}, "Secret")
    provider.add("a secret that is only a prefix", {**good, "secrets": ["whsec_"]}, "Secret")
    provider.add("as old as allowed", {**good, "now": NOW + 300}, "ok", **yes)
    provider.add("as far ahead as allowed", {**good, "now": NOW - 300}, "ok", **yes)
    provider.add("too old", {**good, "now": NOW + 301}, "Stale")
    provider.add("from the future", {**good, "now": NOW - 301}, "Stale")
    provider.add("another id", replaced(good, "webhook-id", "msg_01k0000000000000000000002"), "Mismatch")
    provider.add("another time", replaced(good, "webhook-timestamp", str(NOW + 1)), "Mismatch")
    provider.add("no id", replaced(good, "webhook-id", None), "Missing")
    provider.add("no time", replaced(good, "webhook-timestamp", None), "Missing")
    provider.add("id twice", {**good, "headers": good["headers"] + [good["headers"][1]]}, "Repeated", stricter="two readers could see two ids")
    provider.add("an id with a dot", standard_case(SUPPRESSED, id="msg.1"), "Malformed", stricter="an id with a dot lets id and body be cut up in another way")
    provider.add("signature in lower case", replaced(good, "webhook-signature", signature.lower()), "Mismatch")
    for time in ["-1", "9223372036854775807", "x"]:
        provider.add(f"the time {time}", standard_case(SUPPRESSED, time=time), "Malformed")
    provider.add("the time with a fraction", standard_case(SUPPRESSED, time=f"{NOW}.0"), "Malformed")
    provider.add("the time with a sign", standard_case(SUPPRESSED, time=f"+{NOW}"), "Malformed", stricter="one spelling of a time" if is_bird else None)
    if not is_bird:
        provider.add("no body", standard_case(""), "ok", **yes)
        provider.add("a secret without padding", {**good, "secrets": [KEY.rstrip("=")]}, "ok", **yes)

# --- Telnyx ------------------------------------------------------------------------------------
import nacl.signing  # noqa: E402
from telnyx.lib.webhook_verification import verify_webhook_signature  # noqa: E402


def telnyx_judge(case, headers, secret):
    verify_webhook_signature(case["body"], headers, secret)
    return True


def telnyx_case(text, time=NOW, seed=7, **more):
    key = nacl.signing.SigningKey(bytes([seed]) * 32)
    body = text if isinstance(text, bytes) else text.encode()
    signature = b64(key.sign(f"{time}|".encode() + body).signature)
    return {"headers": [JSON, ("telnyx-signature-ed25519", signature), ("telnyx-timestamp", str(time))],
            "body": body, "secrets": [b64(bytes(key.verify_key))], **more}


telnyx = Provider("telnyx", "telnyx", telnyx_judge, "independent")
telnyx.made_by = f"PyNaCl {version('PyNaCl')}"
telnyx.cut = "Malformed"
RECEIVED = '{"data":{"event_type":"message.received","id":"b301ed3f","payload":{"direction":"inbound","from":{"phone_number":"+447700900123"},"text":"STOP"}}}'
yes = {"signed_at": NOW}
good = telnyx_case(RECEIVED)
value = good["headers"][1][1]
telnyx.add("an opt-out by SMS", good, "ok", **yes)
telnyx.common(good, "telnyx-signature-ed25519", RECEIVED.replace("STOP", "START").encode(), telnyx_case("", seed=8)["secrets"][0], **yes)
telnyx.add("unicode and bars", telnyx_case('{"text":"Grüße | 👍"}'), "ok", **yes)
telnyx.add("no body", telnyx_case(""), "ok", **yes)
telnyx.add("a body that is not UTF-8", telnyx_case(b'{"text":"\xff"}'), "ok", looser="the library decodes the body; the signature is over bytes", **yes)
telnyx.add("as old as allowed", {**good, "now": NOW + 300}, "ok", **yes)
telnyx.add("as far ahead as allowed", {**good, "now": NOW - 300}, "ok", **yes)
telnyx.add("too old", {**good, "now": NOW + 301}, "Stale")
telnyx.add("from the future", {**good, "now": NOW - 301}, "Stale")
telnyx.add("another time", replaced(good, "telnyx-timestamp", str(NOW + 1)), "Mismatch")
telnyx.add("no time", replaced(good, "telnyx-timestamp", None), "Missing")
telnyx.add("time twice", {**good, "headers": good["headers"] + [good["headers"][2]]}, "Repeated", stricter="two readers could see two times")
telnyx.add("a signature that is not base64", replaced(good, "telnyx-signature-ed25519", "***"), "Malformed")
telnyx.add("a signature in hex", replaced(good, "telnyx-signature-ed25519", base64.b64decode(value).hex()), "Malformed")
telnyx.add("a signature of zeros", replaced(good, "telnyx-signature-ed25519", b64(bytes(64))), "Mismatch")
telnyx.add("a key that is too short", {**good, "secrets": [b64(bytes(31))]}, "Secret")
telnyx.add("a key that is not base64", {**good, "secrets": ["***"]}, "Secret")
telnyx.add("a key of small order, which takes any message",
           {**replaced(good, "telnyx-signature-ed25519", b64(bytes([1]) + bytes(63))), "secrets": [b64(bytes([1]) + bytes(31))]}, "Mismatch")
for time in ["-1", "9223372036854775807", "x", f"{NOW}.0"]:
    telnyx.add(f"the time {time}", telnyx_case(RECEIVED, time=time), "Malformed")
telnyx.add("the time with a sign", telnyx_case(RECEIVED, time=f"+{NOW}"), "Malformed", stricter="one spelling of a time")

# --- SendGrid ----------------------------------------------------------------------------------
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from sendgrid.helpers.eventwebhook import EventWebhook  # noqa: E402

GRID = "X-Twilio-Email-Event-Webhook-"


def sendgrid_judge(case, headers, secret):
    signature, time = headers[GRID.lower() + "signature"], headers[GRID.lower() + "timestamp"]
    return EventWebhook(secret).verify_signature(case["body"].decode(), signature, time)


def sendgrid_case(text, time=NOW, number=20260101, curve=None, digest=None, **more):
    key = ec.derive_private_key(number, curve or ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    body = text if isinstance(text, bytes) else text.encode()
    signature = key.sign(str(time).encode() + body, ec.ECDSA(digest or hashes.SHA256(), deterministic_signing=True))
    return {"headers": [JSON, (GRID + "Signature", b64(signature)), (GRID + "Timestamp", str(time))],
            "body": body, "secrets": [b64(public)], **more}


sendgrid = Provider("sendgrid", "sendgrid", sendgrid_judge, "independent")
sendgrid.made_by = f"cryptography {version('cryptography')}"
sendgrid.cut = "Malformed"
UNSUBSCRIBE = '[{"email":"pat@clinic.example","timestamp":1767225600,"event":"unsubscribe","sg_event_id":"ev1","sg_message_id":"m1"}]\r\n'
good = sendgrid_case(UNSUBSCRIBE)
value = good["headers"][1][1]
sendgrid.add("an opt-out by e-mail", good, "ok", **yes)
sendgrid.common(good, GRID + "Signature", UNSUBSCRIBE.replace("ev1", "ev2").encode(), sendgrid_case("", number=3)["secrets"][0], **yes)
sendgrid.add("the line end at the end lost", {**good, "body": UNSUBSCRIBE.strip().encode()}, "Mismatch")
sendgrid.add("unicode", sendgrid_case('[{"email":"grüße@clinic.example"}]'), "ok", **yes)
sendgrid.add("no body", sendgrid_case(""), "ok", **yes)
sendgrid.add("a large batch", sendgrid_case("[" + ",".join('{"event":"open"}' for _ in range(200)) + "]"), "ok", **yes)
sendgrid.add("a day old", {**good, "now": NOW + 86400}, "ok", **yes)
sendgrid.add("too old", {**good, "now": NOW + 86401}, "Stale", stricter=NO_AGE)
sendgrid.add("six minutes old in a window of five", {**good, "now": NOW + 360}, "Stale", window=300, stricter=NO_AGE)
sendgrid.add("from the future", {**good, "now": NOW - 301}, "Stale", stricter=NO_AGE)
sendgrid.add("another time", replaced(good, GRID + "Timestamp", str(NOW + 1)), "Mismatch")
sendgrid.add("no time", replaced(good, GRID + "Timestamp", None), "Missing")
sendgrid.add("time twice", {**good, "headers": good["headers"] + [good["headers"][2]]}, "Repeated", stricter="two readers could see two times")
sendgrid.add("time and body cut up in another way", {**replaced(sendgrid_case("7[]"), GRID + "Timestamp", f"{NOW}7"), "body": b"[]"}, "Stale", stricter=NO_AGE)
sendgrid.add("a signature that is not base64", replaced(good, GRID + "Signature", "***"), "Malformed")
sendgrid.add("a signature that is not DER", replaced(good, GRID + "Signature", b64(bytes(64))), "Malformed")
der = base64.b64decode(value)
sendgrid.add("a signature with bytes behind it", replaced(good, GRID + "Signature", b64(der + b"\x00")), "Malformed")
sendgrid.add("signed with another digest", sendgrid_case(UNSUBSCRIBE, digest=hashes.SHA512()), "Mismatch")
other_curve = sendgrid_case(UNSUBSCRIBE, curve=ec.SECP384R1())
sendgrid.add("signed on another curve", other_curve, "Malformed", stricter="SendGrid's keys are on P-256")
sendgrid.add("a key of another curve", {**good, "secrets": other_curve["secrets"]}, "Secret")
sendgrid.add("a key that is no key", {**good, "secrets": [b64(b"no key")]}, "Secret")
sendgrid.add("a key that is not base64", {**good, "secrets": ["***"]}, "Secret")
for time in ["-1", "9223372036854775807", "x"]:
    sendgrid.add(f"the time {time}", sendgrid_case(UNSUBSCRIBE, time=time), "Malformed", stricter="the library does not read the time")

# --- Vonage and MessageBird: tokens --------------------------------------------------------------
import jwt  # noqa: E402
from messagebird.request_validator import RequestValidator as BirdValidator  # noqa: E402
from vonage_jwt import verify_signature  # noqa: E402

LONG, OTHER_LONG = "invented-signature-secret-" + "a" * 38, "invented-signature-secret-" + "b" * 38
GONE = object()


def sha(body):
    return hashlib.sha256(body).hexdigest()


def token(claims, secret=LONG, algorithm="HS256", **headers):
    kept = {name: value for name, value in claims.items() if value is not GONE}
    return jwt.encode(kept, secret, algorithm, headers=headers)


def handmade(head, claims, secret=LONG, digest="sha256"):
    def part(data):
        return base64.urlsafe_b64encode(data).decode().rstrip("=")
    kept = {name: value for name, value in claims.items() if value is not GONE}
    signed = part(json.dumps(head).encode()) + "." + part(json.dumps(kept).encode())
    return signed + "." + (part(mac(digest, secret, signed)) if digest else "")


def vonage_claims(body, **claims):
    return {"iss": "Vonage", "iat": NOW, "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5", "application_id": "app",
            "api_key": "abcd1234", "payload_hash": sha(body), **claims}


def vonage_case(body=b'{"channel":"sms","from":"447700900123","to":"447700900001","text":"STOP"}', made=None, scheme="Bearer", **claims):
    made = made or token(vonage_claims(body, **claims))
    return {"headers": [JSON, ("Authorization", f"{scheme} {made}")], "body": body, "secrets": [LONG]}


vonage = Provider("vonage", "vonage-jwt", lambda case, headers, secret: verify_signature(headers["authorization"].split(" ")[1], secret), "independent")
vonage.made_by = f"PyJWT {version('PyJWT')}"
yes = {"unique": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5", "signed_at": NOW}
good = vonage_case()
body = good["body"]
NO_BODY = "the library does not look at the body"
vonage.add("an opt-out by SMS", good, "ok", **yes)
vonage.judge, judge = None, vonage.judge  # the library is not asked about the body; see below
vonage.common(good, "Authorization", body.replace(b"STOP", b"START"), OTHER_LONG, **yes)
vonage.judge = judge
vonage.add("another body, by the library", {**good, "body": b"{}"}, "Mismatch", stricter=NO_BODY)
vonage.add("another secret, by the library", {**good, "secrets": [OTHER_LONG]}, "Mismatch")
vonage.add("bearer in lower case", vonage_case(scheme="bearer"), "ok", **yes)
vonage.add("unicode", vonage_case('{"text":"Grüße 👍"}'.encode()), "ok", **yes)
vonage.add("no body, no hash", {**vonage_case(b"", payload_hash=GONE), "method": "GET"}, "ok", **yes)
vonage.add("no body, its hash", vonage_case(b""), "ok", **yes)
vonage.add("no jti", vonage_case(jti=GONE), "ok", signed_at=NOW)
vonage.add("a body, no hash", vonage_case(payload_hash=GONE), "Mismatch", stricter=NO_BODY)
vonage.add("the hash in upper case", vonage_case(payload_hash=sha(body).upper()), "Mismatch", stricter=NO_BODY)
vonage.add("another issuer", vonage_case(iss="Somebody"), "Mismatch", stricter="the library does not look at the issuer")
vonage.add("no issuer", vonage_case(iss=GONE), "Malformed", stricter="the library does not look at the issuer")
vonage.add("no time", vonage_case(iat=GONE), "Malformed", stricter=NO_AGE)
vonage.add("the time as text", vonage_case(iat="soon"), "Malformed")
vonage.add("the time below all times", vonage_case(iat=-9223372036854775808), "Malformed", stricter=NO_AGE)
vonage.add("a day old", {**good, "now": NOW + 86400}, "ok", **yes)
vonage.add("too old", {**good, "now": NOW + 86401}, "Stale", stricter=NO_AGE)
vonage.add("six minutes old in a window of five", {**good, "now": NOW + 360}, "Stale", window=300, stricter=NO_AGE)
vonage.add("a clock that is a little ahead", {**good, "now": NOW - 60}, "ok", looser="the library takes no second of another clock", **yes)
vonage.add("from the future", {**good, "now": NOW - 301}, "Stale")
vonage.add("not yet ended", vonage_case(exp=NOW + 1), "ok", **yes)
vonage.add("just ended", vonage_case(exp=NOW), "Stale")
vonage.add("not yet begun", vonage_case(nbf=NOW + 1), "Stale")
vonage.add("HS512", vonage_case(made=token(vonage_claims(body), algorithm="HS512")), "Unsupported")
vonage.add("no algorithm", vonage_case(made=handmade({"alg": "none"}, vonage_claims(body), digest=None)), "Unsupported")
vonage.add("no algorithm, HS256 signature", vonage_case(made=handmade({"alg": "None"}, vonage_claims(body))), "Unsupported")
vonage.add("half an algorithm", vonage_case(made=handmade({"alg": "HS"}, vonage_claims(body))), "Unsupported")
vonage.add("an extension nobody knows", vonage_case(made=handmade({"alg": "HS256", "crit": ["x"], "x": 1}, vonage_claims(body))), "Unsupported")
vonage.add("a token in two parts", vonage_case(made="a.b"), "Malformed")
vonage.add("a token in four parts", vonage_case(made=token(vonage_claims(body)) + ".x"), "Malformed")
vonage.add("a token that is not base64", vonage_case(made="*.*.*"), "Malformed")
vonage.add("claims that are not an object", vonage_case(made=handmade({"alg": "HS256"}, {})[:0] + jwt.api_jws.encode(b"[]", LONG, "HS256")), "Malformed")
vonage.add("basic authentication", {**good, "headers": [JSON, ("Authorization", "Basic aG9vazpzZWNyZXQ=")]}, "Unsupported")
vonage.add("a token without a scheme", {**good, "headers": [JSON, ("Authorization", good["headers"][1][1][7:])]}, "Unsupported")
vonage.add("claims replaced", vonage_case(made=".".join([good["headers"][1][1][7:].split(".")[0], token(vonage_claims(b"{}")).split(".")[1],
           good["headers"][1][1].split(".")[2]]), ), "Mismatch")

BIRD_URL = "https://clinic.example/hooks/bird?clinic=north"


def mbird_claims(body, url=BIRD_URL, **claims):
    return {"iss": "MessageBird", "nbf": NOW, "exp": NOW + 60, "jti": "c3b1f2d4-0000-4000-8000-000000000001", "url_hash": sha(url.encode()),
            **({"payload_hash": sha(body)} if body else {}), **claims}


def mbird_case(body=b"originator=447700900123&body=STOP", url=BIRD_URL, algorithm="HS256", made=None, **claims):
    made = made or token(mbird_claims(body, url, **claims), algorithm=algorithm)
    return {"url": url, "headers": [FORM, ("MessageBird-Signature-JWT", made)], "body": body, "secrets": [LONG]}


mbird = Provider("messagebird", "messagebird",
                 lambda case, headers, secret: BirdValidator(secret).validate_signature(headers.get("messagebird-signature-jwt"), case["url"], case["body"]), "independent")
mbird.made_by = f"PyJWT {version('PyJWT')}"
yes = {"unique": "c3b1f2d4-0000-4000-8000-000000000001", "signed_at": NOW}
good = mbird_case()
body = good["body"]
mbird.add("an opt-out by SMS", good, "ok", **yes)
mbird.common(good, "MessageBird-Signature-JWT", b"originator=447700900123&body=START", OTHER_LONG, **yes)
mbird.add("HS384", mbird_case(algorithm="HS384"), "ok", **yes)
mbird.add("HS512", mbird_case(algorithm="HS512"), "ok", **yes)
mbird.add("no algorithm", mbird_case(made=handmade({"alg": "none"}, mbird_claims(body), digest=None)), "Unsupported")
mbird.add("another algorithm than it says", mbird_case(made=handmade({"alg": "HS512"}, mbird_claims(body))), "Mismatch")
mbird.add("an extension nobody knows", mbird_case(made=handmade({"alg": "HS256", "crit": ["x"], "x": 1}, mbird_claims(body))), "Unsupported")
mbird.add("no body", {**mbird_case(b""), "method": "GET"}, "ok", **yes)
mbird.add("no body, but a hash", mbird_case(b"", payload_hash=sha(b"")), "Mismatch")
mbird.add("a body, no hash", mbird_case(payload_hash=GONE), "Mismatch")
mbird.add("a body, an empty hash", mbird_case(payload_hash=""), "Mismatch")
mbird.add("the hash in upper case", mbird_case(payload_hash=sha(body).upper()), "Mismatch")
mbird.add("the hash of the URL in upper case", mbird_case(url_hash=sha(BIRD_URL.encode()).upper()), "Mismatch")
mbird.add("no hash of the URL", mbird_case(url_hash=GONE), "Malformed")
mbird.add("unicode in body and URL", mbird_case("body=Grüße 👍".encode(), "https://clinic.example/hooks?name=Gr%C3%BC%C3%9Fe"), "ok", **yes)
mbird.add("another URL", {**good, "url": BIRD_URL + "&x=1"}, "Mismatch")
mbird.add("no query", {**good, "url": BIRD_URL.split("?")[0]}, "Mismatch")
mbird.add("another issuer", mbird_case(iss="Bird"), "Mismatch")
mbird.add("no issuer", mbird_case(iss=GONE), "Malformed")
mbird.add("no end", mbird_case(exp=GONE), "Malformed")
mbird.add("no beginning", mbird_case(nbf=GONE), "Malformed")
mbird.add("no jti", mbird_case(jti=GONE), "ok", signed_at=NOW)
mbird.add("in its last second", {**good, "now": NOW + 60}, "ok", **yes)
mbird.add("ended", {**good, "now": NOW + 61}, "Stale")
mbird.add("one second before its time", {**good, "now": NOW - 1}, "ok", **yes)
mbird.add("two seconds before its time", {**good, "now": NOW - 2}, "Stale")
mbird.add("an end beyond all times", mbird_case(exp=9223372036854775807), "ok", **yes)
mbird.add("a beginning beyond all times", mbird_case(nbf=9223372036854775807), "Stale")
mbird.add("a token that is not base64", mbird_case(made="*.*.*"), "Malformed")
mbird.add("a token in two parts", mbird_case(made="a.b"), "Malformed")

# --- Plivo -------------------------------------------------------------------------------------
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3, validate_v3_signature  # noqa: E402

NONCE = "05429567804466091622"


def plivo_params(body):
    return {name: values[0] if len(values) == 1 else values for name, values in fields(body).items()}


def plivo_judge(case, headers, secret):
    params = plivo_params(case["body"]) if is_form(headers) else {}
    return validate_v3_signature(case["method"], case["url"], headers["x-plivo-signature-v3-nonce"], secret, headers["x-plivo-signature-v3"], params)


def plivo_case(pairs, url="https://clinic.example/hooks/plivo", method="POST", nonce=NONCE, secret="invented-plivo-token", **more):
    body = form(pairs)
    base = construct_get_url(url, {}) if method == "GET" else construct_post_url(url, plivo_params(body))
    signature = get_signature_v3(secret.encode(), base.decode(), nonce.encode()).decode()
    return {"method": method, "url": url, "body": body, "secrets": [secret],
            "headers": [FORM, ("X-Plivo-Signature-V3", signature), ("X-Plivo-Signature-V3-Nonce", nonce)], **more}


plivo = Provider("plivo", "plivo", plivo_judge, "library")
yes = {"unique": NONCE}
TEXT = [("From", "447700900123"), ("To", "447700900001"), ("Text", "STOP"), ("Type", "sms"), ("MessageUUID", "5b40a428")]
good = plivo_case(TEXT)
value = good["headers"][1][1]
plivo.add("an opt-out by SMS", good, "ok", **yes)
plivo.common(good, "X-Plivo-Signature-V3", form(TEXT).replace(b"STOP", b"START"), "another-plivo-token", **yes)
plivo.add("with a query", plivo_case(TEXT, "https://clinic.example/hooks/plivo?z=1&clinic=north"), "ok", **yes)
plivo.add("with a query of several values", plivo_case(TEXT, "https://clinic.example/p?b=2&b=1&a=&c=x%20y"), "ok", **yes)
plivo.add("query in another order", {**plivo_case(TEXT, "https://clinic.example/p?a=1&b=2"), "url": "https://clinic.example/p?b=2&a=1"}, "ok", **yes)
plivo.add("unicode, spaces and signs", plivo_case([("Text", "Grüße & 100% – 👍 a=b+c"), ("Näme", "é")]), "ok", **yes)
plivo.add("one name with several values", plivo_case([("Media", "b"), ("Media", "a"), ("A", "1")]), "ok", **yes)
plivo.add("one name with one value twice", plivo_case([("Media", "a"), ("Media", "a")]), "ok", **yes)
plivo.add("an empty value", plivo_case([("Text", ""), ("From", "447700900123")]), "ok", **yes)
plivo.add("no parameters", plivo_case([]), "ok", **yes)
plivo.add("no parameters, a query", plivo_case([], "https://clinic.example/p?a=1"), "ok", **yes)
plivo.add("by GET", plivo_case([], "https://clinic.example/p?Text=STOP&From=447700900123", "GET"), "ok", **yes)
plivo.add("by GET, no query", plivo_case([], "https://clinic.example/p", "GET"), "ok", **yes)
plivo.add("with a port", plivo_case(TEXT, "https://clinic.example:8443/p"), "ok", **yes)
plivo.add("a semicolon in the path", plivo_case(TEXT, "https://clinic.example/a;b/p;c?d=e"), "ok", **yes)
plivo.add("no path", plivo_case(TEXT, "https://clinic.example"), "ok", **yes)
two = replaced(good, "X-Plivo-Signature-V3", plivo_case(TEXT, secret="another-plivo-token")["headers"][1][1] + "," + value)
plivo.add("signed with two tokens", two, "ok", **yes)
plivo.add("sixteen signatures, the last is right", replaced(good, "X-Plivo-Signature-V3", ",".join(["x"] * 15 + [value])), "ok", **yes)
plivo.add("seventeen signatures", replaced(good, "X-Plivo-Signature-V3", ",".join(["x"] * 16 + [value])), "Malformed", stricter="nobody has that many tokens")
plivo.add("another nonce", replaced(good, "X-Plivo-Signature-V3-Nonce", "05429567804466091623"), "Mismatch")
plivo.add("no nonce", replaced(good, "X-Plivo-Signature-V3-Nonce", None), "Missing")
plivo.add("nonce twice", {**good, "headers": good["headers"] + [good["headers"][2]]}, "Repeated", stricter="two readers could see two nonces")
dotted = plivo_case([("A", "1"), ("Text", "a.b")])
plivo.add("cut up in another way", {**replaced(dotted, "X-Plivo-Signature-V3-Nonce", "b." + NONCE), "body": b"A=1&Text=a"}, "Malformed",
          stricter="a nonce with a dot lets the last parameter be cut off")
plivo.add("another URL", {**good, "url": "https://clinic.example/hooks/other"}, "Mismatch")
plivo.add("another query", {**good, "url": good["url"] + "?x=1"}, "Mismatch")
plivo.add("POST replayed as GET", {**good, "method": "GET"}, "Mismatch", stricter=None)
plivo.add("by PUT", {**good, "method": "PUT"}, "Unsupported")
empty = plivo_case([])
plivo.add("JSON that nothing covers", {**empty, "body": b'{"Text":"STOP"}', "headers": [JSON, *empty["headers"][1:]]}, "Mismatch",
          stricter="the signature covers no JSON body")
v2 = b64(mac("sha256", "invented-plivo-token", "https://clinic.example/hooks/plivo", NONCE))
plivo.add("version 2 only", {**good, "headers": [FORM, ("X-Plivo-Signature-V2", v2), ("X-Plivo-Signature-V2-Nonce", NONCE)]}, "Unsupported")
plivo.add("version 2 in the place of version 3", replaced(good, "X-Plivo-Signature-V3", v2), "Mismatch")
plivo.add("a value that is not UTF-8", {**good, "body": b"Text=%ff"}, "Malformed")
plivo.add("signature in lower case", replaced(good, "X-Plivo-Signature-V3", value.lower()), "Mismatch")

# --- Without a library of the provider's ---------------------------------------------------------
mailchimp = Provider("mailchimp", None, None, "independent")
CHIMP = "whsec_test_0123456789abcdef"
HOOK = (b"type=unsubscribe&fired_at=2026-03-26+21%3A40%3A57&data%5Baction%5D=unsub&data%5Breason%5D=manual&data%5Bid%5D=8a25ff1d98"
        b"&data%5Blist_id%5D=a6b5da1054&data%5Bemail%5D=pat%2Bunsub%40clinic.example")


def mailchimp_case(body=HOOK, time=NOW, secret=CHIMP, shape="t={t},v1={v}", **more):
    value = mac("sha256", secret, f"{time}.", body).hex()
    return {"headers": [FORM, ("X-Mailchimp-Signature", shape.format(t=time, v=value, V=value.upper()))], "body": body, "secrets": [secret], **more}


yes = {"signed_at": NOW}
good = mailchimp_case()
mailchimp.add("an opt-out by e-mail", good, "ok", **yes)
mailchimp.common(good, "X-Mailchimp-Signature", HOOK.replace(b"unsub&", b"delete&"), "whsec_test_another", **yes)
mailchimp.add("unicode", mailchimp_case("data[merges][FNAME]=Grüße".encode()), "ok", **yes)
mailchimp.add("a body that is not UTF-8", mailchimp_case(b"data=\xff\xfe"), "ok", **yes)
mailchimp.add("no body", mailchimp_case(b""), "ok", **yes)
mailchimp.add("the fields in the other order", mailchimp_case(shape="v1={v},t={t}"), "ok", **yes)
mailchimp.add("spaces between the fields", mailchimp_case(shape="t={t}, v1={v}"), "ok", **yes)
mailchimp.add("a field of the future", mailchimp_case(shape="t={t},v1={v},v2=x"), "ok", **yes)
mailchimp.add("two signatures", mailchimp_case(shape="t={t},v1=" + "0" * 64 + ",v1={v}"), "ok", **yes)
mailchimp.add("too many signatures", mailchimp_case(shape="t={t}," + "v1=0," * 15 + "v1={v}"), "Malformed")
mailchimp.add("upper-case hex", mailchimp_case(shape="t={t},v1={V}"), "Mismatch")
mailchimp.add("two times", mailchimp_case(shape="t={t},t={t},v1={v}"), "Repeated")
mailchimp.add("no time", mailchimp_case(shape="v1={v}"), "Malformed")
mailchimp.add("no v1", mailchimp_case(shape="t={t},v0={v}"), "Unsupported")
mailchimp.add("an empty v1", mailchimp_case(shape="t={t},v1="), "Mismatch")
mailchimp.add("another time", {**good, "headers": [FORM, ("X-Mailchimp-Signature", good["headers"][1][1].replace(f"t={NOW}", f"t={NOW + 1}"))]}, "Mismatch")
mailchimp.add("a retry after 75 minutes", {**good, "now": NOW + 4500}, "ok", **yes)
mailchimp.add("as old as allowed", {**good, "now": NOW + 7200}, "ok", **yes)
mailchimp.add("too old", {**good, "now": NOW + 7201}, "Stale")
mailchimp.add("six minutes old in a window of five", {**good, "now": NOW + 360}, "Stale", window=300)
mailchimp.add("from the future", {**good, "now": NOW - 301}, "Stale")
for time in ["-1", "9223372036854775807", "x", "", f"{NOW}.0", f"+{NOW}"]:
    mailchimp.add(f"the time {time!r}", mailchimp_case(time=time), "Malformed")

mandrill = Provider("mandrill", None, None, "independent")
MANDRILL_URL = "https://clinic.example/hooks/mandrill?x=1"


def mandrill_case(pairs, url=MANDRILL_URL, secret="mandrill-key", **more):
    signature = b64(mac("sha1", secret, url, *[name + value for name, value in sorted(pairs)]))
    return {"url": url, "headers": [FORM, ("X-Mandrill-Signature", signature)], "body": form(pairs), "secrets": [secret], **more}


EVENTS = [("mandrill_events", '[{"event":"unsub","msg":{"email":"pat@clinic.example"},"ts":1767225600}]')]
good = mandrill_case(EVENTS)
mandrill.add("an opt-out by e-mail", good, "ok")
mandrill.common(good, "X-Mandrill-Signature", good["body"].replace(b"unsub", b"spam"), "another-key")
mandrill.add("an empty list", mandrill_case([("mandrill_events", "[]")]), "ok")
mandrill.add("unicode, spaces and signs", mandrill_case([("mandrill_events", '[{"subject":"Grüße & 100% – 👍 a=b+c"}]')]), "ok")
mandrill.add("several parameters", mandrill_case([("z", "1"), ("mandrill_events", "[]"), ("a", "")]), "ok")
mandrill.add("no parameters", mandrill_case([]), "ok")
mandrill.add("a parameter twice", mandrill_case([("mandrill_events", "[]"), ("mandrill_events", "[1]")]), "Malformed")
mandrill.add("a parameter more", {**good, "body": good["body"] + b"&x=1"}, "Mismatch")
mandrill.add("another URL", {**good, "url": MANDRILL_URL + "&y=2"}, "Mismatch")
mandrill.add("no query", {**good, "url": MANDRILL_URL.split("?")[0]}, "Mismatch")
mandrill.add("JSON that nothing covers", {**mandrill_case([]), "body": b"[]", "headers": [JSON, mandrill_case([])["headers"][1]]}, "Mismatch")
mandrill.add("a value that is not UTF-8", {**good, "body": b"mandrill_events=%ff"}, "Malformed")
mandrill.add("signature in lower case", replaced(good, "X-Mandrill-Signature", good["headers"][1][1].lower()), "Mismatch")
mandrill.add("signature in hex", replaced(good, "X-Mandrill-Signature", base64.b64decode(good["headers"][1][1]).hex()), "Mismatch")

klaviyo = Provider("klaviyo", None, None, "independent")
META = '{"data":[{"external_id":"e1","topic":"event:klaviyo.unsubscribed_from_email_marketing","payload":{}}],"meta":{"timestamp":"%s","version":"2026-07-15"}}'
UTC_TEXT = "2026-01-01T00:00:00.500000+00:00"


def klaviyo_case(text=META % UTC_TEXT, time="Thu, 01 Jan 2026 05:00:00 GMT", secret="invented-klaviyo-secret", **more):
    signature = mac("sha256", secret, text, time).hex()
    return {"headers": [JSON, ("Klaviyo-Webhook-Id", "01K"), ("Klaviyo-Signature", signature), ("Klaviyo-Timestamp", time)],
            "body": text.encode(), "secrets": [secret], **more}


good = klaviyo_case()
value = good["headers"][2][1]
stated = {"signed_at": NOW}
klaviyo.add("an opt-out by e-mail, the header five hours ahead", good, "ok", **stated)
klaviyo.common(good, "Klaviyo-Signature", good["body"].replace(b"e1", b"e2"), "another-klaviyo-secret", **stated)
klaviyo.add("the body's time in another zone", klaviyo_case(META % "2026-01-01T02:00:00+02:00"), "ok", **stated)
klaviyo.add("unicode", klaviyo_case('{"data":["Grüße 👍"],"meta":{"timestamp":"%s"}}' % UTC_TEXT), "ok", **stated)
for time in [str(NOW), "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z", "Thu, 01 Jan 2026 00:00:00 GMT"]:
    klaviyo.add(f"no time in the body, {time} in the header", klaviyo_case('{"data":[]}', time), "ok", **stated)
klaviyo.add("no time in the body, none to read in the header", klaviyo_case('{"data":[]}', "soon"), "Malformed")
klaviyo.add("no time in the body, too large a one in the header", klaviyo_case('{"data":[]}', "9223372036854775807"), "Malformed")
klaviyo.add("a time in the body that is none", klaviyo_case(META % "soon"), "Malformed")
klaviyo.add("a body that is not JSON", klaviyo_case("data"), "Malformed")
klaviyo.add("no body", klaviyo_case("", str(NOW)), "Malformed")
klaviyo.add("body and time cut up in another way", {**replaced(good, "Klaviyo-Timestamp", "}" + good["headers"][3][1]), "body": good["body"][:-1]}, "Malformed")
klaviyo.add("another time", replaced(good, "Klaviyo-Timestamp", "Thu, 01 Jan 2026 05:00:01 GMT"), "Mismatch")
klaviyo.add("no time", replaced(good, "Klaviyo-Timestamp", None), "Missing")
klaviyo.add("time twice", {**good, "headers": good["headers"] + [good["headers"][3]]}, "Repeated")
klaviyo.add("upper-case hex", replaced(good, "Klaviyo-Signature", value.upper()), "Mismatch")
klaviyo.add("signature in base64", replaced(good, "Klaviyo-Signature", b64(bytes.fromhex(value))), "Mismatch")
klaviyo.add("a day old", {**good, "now": NOW + 86400}, "ok", **stated)
klaviyo.add("too old", {**good, "now": NOW + 86401}, "Stale")
klaviyo.add("from the future", {**good, "now": NOW - 301}, "Stale")

mailerlite = Provider("mailerlite", None, None, "independent")


def mailerlite_case(body, secret="invented-mailerlite-secret", **more):
    return {"headers": [JSON, ("Signature", mac("sha256", secret, body).hex())], "body": body, "secrets": [secret], **more}


good = mailerlite_case(b'{"type":"subscriber.unsubscribed","email":"pat@clinic.example"}')
value = good["headers"][1][1]
mailerlite.add("an opt-out by e-mail", good, "ok")
mailerlite.common(good, "Signature", good["body"] + b" ", "another-mailerlite-secret")
mailerlite.add("unicode", mailerlite_case('{"name":"Grüße 👍"}'.encode()), "ok")
mailerlite.add("a body that is not UTF-8", mailerlite_case(b"\xff\xfe"), "ok")
mailerlite.add("no body", mailerlite_case(b""), "ok")
mailerlite.add("years later: it covers no time", {**good, "now": NOW + 10**8}, "ok")
mailerlite.add("upper-case hex", replaced(good, "Signature", value.upper()), "Mismatch")
mailerlite.add("signature in base64", replaced(good, "Signature", b64(bytes.fromhex(value))), "Mismatch")
mailerlite.add("a line end more", {**good, "body": good["body"] + b"\n"}, "Mismatch")

assert not unexplained, "\n".join(unexplained)
seen = {(vector["provider"], vector["name"]) for vector in vectors}
assert len(seen) == len(vectors), "two vectors of one name"
print("[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors) + "\n]")
