"""Charsets beyond what the sample mails show: labels, doubts and guesses."""

import codecs
import encodings

import pytest

from tempmail.domain.charset_guess import SAMPLE_BYTES
from tempmail.domain.charsets import MAX_GUESSES, Decoder, codec_of, decode

SENTENCES = {
    "gb18030": ["您的验证码是 482910，请在 10 分钟内输入。", "验证码", "密码重置", "您好"],
    "big5": ["您的驗證碼是 482910，請在 10 分鐘內輸入。", "驗證碼", "您好"],
    "cp932": ["認証コードは 482910 です。", "パスワードの再設定", "ご登録ありがとうございます", "確認メール"],
    "euc_jp": ["認証コードは 482910 です。", "認証コード", "パスワードの再設定"],
    "iso2022_jp": ["認証コードは 482910 です。"],
    "cp949": ["인증번호는 482910 입니다. 10분 이내에 입력하세요.", "비밀번호 재설정", "안녕하세요"],
    "koi8_r": ["Ваш код подтверждения: 482910.", "Код", "Привет", "ПОДТВЕРЖДЕНИЕ"],
    "cp1251": ["Ваш код подтверждения: 482910.", "Код", "Привет", "ПОДТВЕРЖДЕНИЕ", "Підтвердження"],
    "iso8859_5": ["Ваш код подтверждения: 482910."],
    "cp1252": ["Votre code de vérification est 482910.", "café", "Código", "Größe"],
    "cp1250": ["Ověření účtu, váš kód je 482910"],
    "cp1253": ["Ο κωδικός επαλήθευσης είναι 482910", "Κωδικός"],
    "cp1254": ["Doğrulama kodunuz 482910. Şifrenizi paylaşmayın"],
    "cp1255": ["קוד האימות שלך הוא 482910", "שלום"],
    "cp1256": ["رمز التحقق الخاص بك هو 482910", "مرحبا"],
    "cp874": ["รหัสยืนยันของคุณคือ 482910"],
}
CASES = [
    pytest.param(codec, sentence, id=f"{codec}-{i}")
    for codec, all_of in SENTENCES.items()
    for i, sentence in enumerate(all_of)
]


@pytest.mark.parametrize("label", [None, "", "x-unknown", "us-ascii", "utf-8"])
@pytest.mark.parametrize(("codec", "sentence"), CASES)
def test_text_without_a_true_label_is_recognised(codec: str, sentence: str, label: str | None) -> None:
    assert decode(sentence.encode(codec), label) == sentence


@pytest.mark.parametrize(("codec", "sentence"), CASES)
def test_true_label_is_believed(codec: str, sentence: str) -> None:
    assert decode(sentence.encode(codec), codec) == sentence


@pytest.mark.parametrize(("codec", "sentence"), CASES)
def test_utf_8_is_recognised_under_any_label(codec: str, sentence: str) -> None:
    assert decode(sentence.encode(), codec) == sentence


def test_famous_gbk_word_that_is_valid_utf_8_keeps_its_label() -> None:
    for word in ("谩", "赂毛"):
        data = word.encode("gbk")
        assert data.decode("utf-8") != word
        assert decode(data, "gbk") == word


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("GB2312", "gb18030"),
        ('"utf-8"', "utf_8"),
        (" UTF8 ", "utf_8"),
        ("x-sjis", "cp932"),
        ("Windows-31J", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("cp-1251", "cp1251"),
        ("win1251", "cp1251"),
        ("windows_1252", "cp1252"),
        ("latin1", "cp1252"),
        ("iso-8859-8-i", "cp1255"),
        ("iso-2022-jp-ms", "iso2022_jp"),
        ("unicode-1-1-utf-7", "utf_7"),
        ("us-ascii", None),
        ("unknown-8bit", None),
        ("x" * 65, None),
        ("", None),
        (None, None),
    ],
)
def test_label_stands_for_codec(label: str | None, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    "name", ["base64", "hex", "rot13", "zlib", "bz2", "idna", "punycode", "unicode_escape", "mbcs", "undefined"]
)
def test_codec_that_is_no_charset_is_never_used(name: str) -> None:
    assert codec_of(name) is None
    assert decode("Größe".encode(), name) == "Größe"


def test_every_codec_that_a_label_may_name_exists() -> None:
    for label in {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}:
        codec = codec_of(label)
        if codec is not None:
            codecs.lookup(codec)


def test_labels_of_senders_are_not_remembered_by_python() -> None:
    before = len(encodings._cache)

    for number in range(50):
        decode(b"\xff", f"x-sender-{number}")

    assert len(encodings._cache) <= before + 20


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_byte_order_mark_beats_the_label(codec: str) -> None:
    data = "验证码 482910".encode(codec)
    if codec in ("utf-16-le", "utf-16-be"):
        data = "\ufeff".encode(codec) + data

    assert decode(data, "iso-8859-1") == "验证码 482910"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_order_of_wide_text_without_a_mark_is_found(codec: str) -> None:
    assert decode("Your code is 482910 ✓".encode(codec), codec[:6]) == "Your code is 482910 ✓"


def test_wide_label_on_plain_text_is_not_believed() -> None:
    assert decode(b"Your code is 482910", "utf-16") == "Your code is 482910"


@pytest.mark.parametrize(
    ("data", "label"), [(b"+2ADYAA-", "utf-7"), (b"\x00\xd8\x00\x00", "utf-16-le"), (b"\xed\xa0\x80", "utf-8")]
)
def test_lone_surrogates_never_come_out(data: bytes, label: str) -> None:
    decode(data, label).encode("utf-8")


def test_broken_utf_8_keeps_what_is_whole() -> None:
    whole, broken = "您的验证码".encode(), "是".encode()[:2]

    assert decode(whole + broken + b" 482910", "utf-8") == "您的验证码\ufffd 482910"


def test_vendor_characters_and_half_width_kana_of_iso_2022_jp() -> None:
    row_13 = b"\x1b$B\x2d\x6a\x2d\x21\x1b(B 482910 \x1b(I\x36\x45\x1b(B"

    assert decode(row_13, "iso-2022-jp") == "㈱① 482910 ｶﾅ"
    assert decode(row_13) == "㈱① 482910 ｶﾅ"


def test_meta_declaration_counts_only_without_a_usable_label() -> None:
    page = '<meta charset="koi8-r"><p>Код</p>'.encode("koi8-r")

    assert Decoder().decode_html(page, None).endswith("<p>Код</p>")
    assert Decoder().decode_html(page, "us-ascii").endswith("<p>Код</p>")
    assert Decoder().decode_html(page, "windows-1251").endswith("<p>лПД</p>")


def test_headers_follow_the_charset_that_a_body_proved() -> None:
    word = "联通".encode("gbk")
    decoder = Decoder()
    decoder.decode("您的验证码是 482910".encode("gbk"), "gbk")

    assert decoder.decode(word[:2] + b" ") == "联 "


def test_names_follow_the_charset_that_a_body_declares() -> None:
    decoder = Decoder()
    decoder.expect("big5")

    assert decoder.decode("單據".encode("big5")) == "單據"
    assert decoder.decode("Код подтверждения".encode("koi8_r")) == "Код подтверждения"


def test_guesses_in_one_mail_are_bounded() -> None:
    decoder = Decoder()
    for number in range(MAX_GUESSES):
        # Neither of the two fits the other's guess.
        decoder.decode("Код подтверждения".encode("koi8_r") if number % 2 else "您的验证码".encode("gbk"))
    last = decoder.decode("認証コードは".encode("cp932"))

    assert isinstance(last, str)
    assert Decoder().decode("認証コードは".encode("cp932")) == "認証コードは"


def test_guess_looks_no_further_than_its_sample() -> None:
    russian = "Ваш код подтверждения. " * (SAMPLE_BYTES // 20)

    assert decode(russian.encode("koi8_r") + "您的验证码".encode("gbk") * 1000).startswith(russian)
