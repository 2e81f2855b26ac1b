"""Plain text: find the encoding, refuse what is not text."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from ingest.readers import Unreadable, clean, read_bytes
from rag.records import Document, Section

#: UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What a declaration means in practice: the WHATWG rule for Latin 1, the larger Asian sets that
#: contain those declared; and text in single bytes cannot be UTF-16, whatever it says.
_MEANT = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "",
    "ascii": "", "hz-gb-2312": "hz", "gb2312": "gb18030", "gbk": "gb18030",
    "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932", "shift-jis": "cp932",
    "big5": "cp950",
    "iso-8859-8-i": "iso-8859-8", "utf-16": "", "utf-16le": "", "utf-16be": "", "ucs-2": "",
    "utf-32": "", "unknown-8bit": "",
}  # fmt: skip
#: Codecs of Python that stand for no encoding of a document.
_NO_CHARSETS = frozenset({
    "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "mbcs", "oem",
})  # fmt: skip
#: Encodings whose text is valid UTF-8 as it stands; each by what gives it away.
_SEVEN_BIT = re.compile(rb"\x1b(?:\$[@AB]|\$\([CD]|\([IJ]|\$\)[ACG])")
_SEVEN_BIT_NAMES = ("iso2022_jp_ext", "iso2022_kr")
#: Letters of Latin, Greek and Cyrillic alphabets, and the signs of _SIGNS.
_COMMON = re.compile("[\u00a0-\u017f\u0386-\u03ce\u0400-\u045f\u2010-\u203a\u20ac\u2122]")
_JUNK = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
#: Bytes looked at to tell encodings apart [set by hand]; a page of text settles it.
_SAMPLE = 2**16


def read(path: Path, *, title: str) -> Document:
    """One section holding the whole file; damaged letters are counted in ``detail``.

    Raises Unreadable (``empty``, ``unreadable`` …).
    """
    data = read_bytes(path)
    text = clean(decode(data))
    if not text.strip():
        raise Unreadable("empty", "nothing but white space")
    damaged = text.count("\ufffd") - data.count("\ufffd".encode())
    detail = f"damaged letters, given as «\ufffd»: {damaged:,}" if damaged > 0 else ""
    return Document(title, (Section(text),), "text", detail=detail)


def decode(data: bytes, declared: str = "") -> str:
    """Bytes as text: byte order mark, then UTF-8, then ``declared``, then the likeliest guess.

    UTF-8 goes before the declaration because text that decodes as UTF-8 hardly ever is
    anything else, and declarations are often left over from a template. A few zeros are dropped.
    Raises Unreadable for binary content.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    zeros = data.count(0)
    if zeros:
        wide = _unmarked_wide(data)
        if wide is not None:
            return wide
        # Some programs fill up a file's last block with zeros, or end each field with one.
        data = data.rstrip(b"\0")
        if data.count(0) > max(1, len(data) // 1000):
            raise Unreadable("unreadable", "binary content, not text")
        data = data.replace(b"\0", b"")
    text = _narrow(data, declared.lower())
    # ESC and form feed occur in terminal logs and old reports; other control codes do not. One in
    # twenty is far from both text (0) and random bytes (one in ten).
    if len(_JUNK.findall(text)) > len(text) / 20:
        raise Unreadable("unreadable", "binary content, not text")
    return text


def _narrow(data: bytes, declared: str) -> str:
    """Text in units of one byte."""
    named = _charset(declared)
    if named in ("utf-7", "hz") or _SEVEN_BIT.search(data):
        for encoding in (named,) if named in ("utf-7", "hz") else _SEVEN_BIT_NAMES:
            try:
                return data.decode(encoding)
            except (LookupError, UnicodeError):
                continue
    for encoding in ("utf-8", named):
        try:
            return data.decode(encoding)
        except (LookupError, UnicodeError):
            continue
    loose = data.decode("utf-8", "replace")
    # Damaged or cut UTF-8: its letters are in order but for one in ten [set by hand], or one in
    # two where all are common ones. In other encodings two bytes that are valid UTF-8 are rare,
    # and stand for a letter nobody uses.
    wrong = loose.count("\ufffd")
    right = [character for character in loose if character > "\x7f" and character != "\ufffd"]
    if len(right) > 9 * wrong or (len(right) >= wrong and all(map(_COMMON.match, right))):
        return loose
    return _scripted(data) or _western(data) or _japanese(data) or _guess(data)


def _charset(declared: str) -> str:
    """The encoding that a declaration means; "" for none that a text can have."""
    try:
        name = codecs.lookup(_MEANT.get(declared, declared)).name
    except (LookupError, ValueError):  # a name can hold anything, a zero too
        return ""
    return "" if name in _NO_CHARSETS else name


# ------------------------------------------------------------------ UTF-16 and UTF-32


def _unmarked_wide(data: bytes) -> str | None:
    """Text in units of two or four bytes, which nothing marks as such; else None."""
    if len(data) % 4 == 0:
        for encoding in ("utf-32-le", "utf-32-be"):
            try:
                return data.decode(encoding)  # that bytes mean this by accident is out of question
            except UnicodeError:
                continue
    best, most = "", 0
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data[: len(data) // 2 * 2].decode(encoding)
        except UnicodeError:
            continue
        # Spaces and line ends tell the byte order: turned round they are signs nobody uses.
        spaces = sum(map(text.count, " \n,.、。"))
        if spaces > most and _plausible(text[:_SAMPLE]):
            best, most = text, spaces
    return best or None


def _plausible(text: str) -> bool:
    """Whether characters are ones that people use, out of a few alphabets."""
    odd = sum(unicodedata.category(c) in ("Cn", "Co", "Cc") and c not in "\t\n\r\f" for c in text)
    spaces = sum(map(text.count, " \n\t,.、。"))
    # [set by hand]: random units are unassigned or private in one case of five, and one in a
    # thousand of them is a space.
    return odd <= len(text) / 100 and spaces >= len(text) / 100


# ------------------------------------------------------------------ single bytes, other scripts


#: Letters of a script from the most to the least frequent, its vowels ("" where it writes none),
#: and the encodings it comes in, the more believable first.
_SCRIPTS = (
    ("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєўґјљњћџђ", "оеаиуяыюэёіїєјъ",
     ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")),
    ("αοιετσνηυρπκμλωςίόάέγδήύθχφώβξζψϊϋΐΰ", "αοιετηυωίόάέήύώϊϋΐΰ",
     ("cp1253", "iso8859_7", "cp737", "mac_greek")),
    ("יוהלארמתבשנמכדפחעקצטגזםסןךףץ", "", ("cp1255", "cp862")),
)  # fmt: skip
#: Three bytes in a row beyond ASCII: words of another script. Accents stand by themselves.
_RUN = re.compile(rb"[\x80-\xff]{3,}")
_LETTERS = re.compile(r"[^\W\d_]+")
#: No word has more letters for each vowel [set by hand].
_VOWELS = 6
_QUOTES = frozenset("«»“”„’–—…\u00a0")
#: What the likeness must reach: real texts have .70 to .88, Asian ones of three words and more up
#: to .58 [measured on the languages of the tests].
_LIKE = 0.65


def _scripted(data: bytes) -> str | None:
    """Cyrillic, Greek or Hebrew, by its words and the frequency of its letters; else None.

    charset-normalizer 3.5 alone took two words of Russian among English ones for Korean or
    Japanese, in each of cp1251, koi8-r and cp866 [measured].
    """
    sample = data[:_SAMPLE]
    high = sum(byte > 0x7F for byte in sample)
    runs = sum(len(run) for run in _RUN.findall(sample))
    if 2 * runs < high or _JUNK.search(sample.decode("latin-1")):
        return None
    best, most = "", 0.0
    for letters, vowels, encodings in _SCRIPTS:
        for encoding in encodings:
            fit = _likeness(sample.decode(encoding, "replace"), letters, vowels)
            if fit > most:
                best, most = encoding, fit
    return data.decode(best, "replace") if most >= _LIKE else None


def _likeness(text: str, letters: str, vowels: str) -> float:
    """How much like words of the script the text is, 0 to 1.

    Each letter counts by its rank, and nothing in a word that mixes cases or alphabets or has
    too few vowels. Signs count half: where an encoding is wrong, some letters turn into them.
    """
    beyond = [c for c in text if c > "\x7f"]
    whole = len(beyond) - beyond.count("№") - sum(c in _QUOTES for c in beyond) / 2
    rank = {letter: 1 - at / len(letters) for at, letter in enumerate(letters)}
    total = 0.0
    for word in _LETTERS.findall(text):
        lower = word.lower()
        cased = word[1:] == lower[1:] or word.isupper()
        sounds = sum(c in vowels for c in lower)
        mute = vowels and len(word) > 2 and _VOWELS * sounds < len(word)
        if word[0] > "\x7f" and cased and not mute and rank.keys() >= set(lower):
            # Small letters are the rule, and what turns case round turns all of it.
            total += sum(map(rank.__getitem__, lower)) * (1 if word[1:] == lower[1:] else 0.95)
    return total / whole if whole else 0.0


# ------------------------------------------------------------------ single bytes, Latin


#: The letters beyond ASCII of the languages written in Latin letters.
_ALPHABETS = tuple(map(frozenset, (
    "àâæçéèêëîïôœùûüÿ", "äöüß", "áéíóúñüºª", "àáâãçéêíóôõúºª", "àèéìíîòóùúº", "àçéèíïòóúü·",
    "éëïóöüèê", "æøåéèòôäöü", "äöåéüšž", "áéíóúýþæöð", "ąćęłńóśźż", "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîșțşţ", "čćđšž", "çğıöşüâîû\u0307", "āčēģīķļņšūž",
    "ąčęėįšųūž", "äöõüšž", "çë", "áéíóúŵŷ",
)))  # fmt: skip
_SIGNS = frozenset("“”‘’„‚–—…«»‹›•°§©®™€£¡¿\u00a0")
_RARE_SIGNS = frozenset("¢±×·½¼¾²³´µ¶†‰")  # they count half: a letter is likelier
#: Signs where only a letter can stand: «betr„gt», «A€o».
_MISPLACED = re.compile(r"(?<=[^\W\d_])(?:[„‚]|[“”†‡‰ˆ˜•¢£¤€](?=[^\W\d_]))")
#: In the order in which they are believed when they explain a text equally well.
_WESTERN = (
    "cp1252", "cp1250", "iso8859_2", "iso8859_15", "cp1254", "cp1257", "mac_roman", "cp850",
    "cp852",
)  # fmt: skip


def _western(data: bytes) -> str | None:
    """Text in Latin letters: the encoding that gives the letters of one language; else None.

    charset-normalizer 3.5 alone took French and Icelandic in cp1252 for cp1250, and every Baltic
    text for cp1252 [measured on the first article of the Declaration of Human Rights].
    """
    sample = data[:_SAMPLE]
    high = sum(byte > 0x7F for byte in sample)
    if not high or high > sum(map(bytes.isalpha, map(bytes, zip(sample, strict=True)))):
        return None
    scores = [(_fit(sample, encoding), -order) for order, encoding in enumerate(_WESTERN)]
    fit, order = max(scores)
    # One foreign name among ten words is common, half the letters unexplained are not [set by
    # hand].
    return data.decode(_WESTERN[-order], "replace") if fit >= 0.8 else None


def _fit(sample: bytes, encoding: str) -> float:
    """The share of letters beyond ASCII that the likeliest language explains, 0 to 1."""
    try:
        text = sample.decode(encoding)
    except UnicodeError:
        return 0.0
    beyond = [c for c in text if c > "\x7f"]
    signs = sum(c in _SIGNS for c in beyond) + sum(c in _RARE_SIGNS for c in beyond) / 2
    # Where an encoding is wrong, capitals stand inside words.
    inside = sum(1 for _ in re.finditer(r"(?<=[a-zß-ÿ])[^\W\d_a-z]", text) if _[0].isupper())
    inside += len(_MISPLACED.findall(text))
    letters = [c.lower() for c in beyond if c.isalpha()]
    known = max(sum(c in alphabet for c in letters) for alphabet in _ALPHABETS)
    return (signs + known - inside) / len(beyond)


def _japanese(data: bytes) -> str | None:
    """Japanese, where every fourth letter beyond ASCII is hiragana [set by hand]; else None.

    charset-normalizer 3.5 alone took short texts in EUC-JP for Korean [measured].
    """
    for encoding in ("euc_jp", "cp932"):
        try:
            text = data.decode(encoding)
        except UnicodeError:
            continue
        beyond = sum(c > "\x7f" for c in text)
        if 4 * sum("ぁ" <= c <= "ん" for c in text) >= beyond > 0:
            return text
    return None


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise Unreadable("unreadable", "binary content, or text in no known encoding")
    return str(best)
