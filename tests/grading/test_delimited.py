"""Tables from elsewhere: whatever form they have, what nobody changes stays as it is."""

import pytest

from diffusion_lab.grading.delimited import Table, quoted, same

FORMS = {
    "comma": b'a,"b, c",d\r\n1,"x ""y""",\r\n,,\r\n2,"two\nlines",z\r\n',
    "semicolon": b'a;"b, c";d\n1;"x ""y""";\n2;"two\nlines";z',
    "tab": 'a\t"b, c"\td\n1\t"x ""y"""\t\n2\t"two\nlines"\tz\n'.encode("utf-16"),
    "utf-8 with a mark": b'\xef\xbb\xbfa,"b, c",d\n1,"x ""y""",\n2,"two\nlines",z\n',
    "old Mac": b'a,"b, c",d\r1,"x ""y""",\r2,"two\nlines",z\r',
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_alike_and_stays_to_the_byte(form):
    table = Table(FORMS[form], "t")
    assert table.header == ["a", "b, c", "d"]
    assert [cells for _, cells in table.lines()] == [["1", 'x "y"', ""], ["2", "two\nlines", "z"]]
    assert table.data() == FORMS[form]
    assert (table.column("B, C"), table.column("e", "D"), table.column("e")) == (1, 2, None)


@pytest.mark.parametrize("form", FORMS)
def test_only_the_cell_that_is_put_changes(form):
    table = Table(FORMS[form], "t")
    first, last = [line for line, _ in table.lines()]
    table.put(first, 1, "7")
    table.put(last, 2, 'a;b"')
    before, after = Table(FORMS[form], "t"), Table(table.data(), "t")
    assert after.raw(first, 1) == '"7"'  # it was quoted
    assert after.raw(last, 2) == '"a;b"""'  # it must be
    for line, cells in before.lines():
        for column in range(len(cells)):
            if (line, column) not in ((first, 1), (last, 2)):
                assert after.raw(line, column) == before.raw(line, column)


def test_encoding_of_an_old_spreadsheet_is_kept():
    data = "Name;Grade\r\nZoë Müller;\r\n".encode("cp1252")
    table = Table(data, "t")
    assert next(table.lines()) == (1, ["Zoë Müller", ""])
    table.put(1, 1, "3,5")
    assert table.data() == "Name;Grade\r\nZoë Müller;3,5\r\n".encode("cp1252")


def test_short_and_blank_lines_and_open_quotes_are_survived():
    table = Table(b'a,b,c\n1\n\n" open,2\n', "t")
    assert [cells for _, cells in table.lines()] == [["1", "", ""], ['" open', "2", ""]]
    table.put(1, 2, "x")
    assert table.data() == b'a,b,c\n1,,x\n\n" open,2\n'


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "t: a table with a header was wanted"),
        (b"\n\n", "t: a table with a header was wanted"),
        (b"PK\x03\x04 a spreadsheet", "t: a table of text .CSV. was wanted; save the spreadsheet as CSV"),
        (b"a,b\n\0,1", "t: a table of text"),
    ],
)
def test_what_is_no_table_is_said_in_a_line(data, error):
    with pytest.raises(ValueError, match=error) as refused:
        Table(data, "t")
    assert "\n" not in str(refused.value)


def test_names_that_are_typed_differently_are_the_same():
    assert same("  Zoe\u0308  MÜLLER ") == same("Zoë müller")
    assert [quoted(text) for text in ("a", "a;b", "a\tb", 'a"b', " a", "a|b")] == [
        "a",
        '"a;b"',
        '"a\tb"',
        '"a""b"',
        '" a"',
        '"a|b"',
    ]
