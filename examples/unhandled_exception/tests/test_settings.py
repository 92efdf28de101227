from relay.settings import Settings


def test_values_comments_and_blank_lines():
    settings = Settings.parse("# the relay\n\nhost = example  # ours\nport=80\n")
    assert settings.text("host", "") == "example"
    assert settings.number("port", 1) == 80


def test_a_missing_number_has_its_default():
    assert Settings.parse("").number("retries", 3) == 3


def test_an_empty_number_has_its_default():
    assert Settings.parse("retries =\n").number("retries", 3) == 3


def test_a_word_for_a_number_has_its_default():
    assert Settings.parse("timeout = soon\n").number("timeout", 30) == 30


def test_zero_is_a_number():
    assert Settings.parse("retries = 0\n").number("retries", 3) == 0


def test_flags():
    settings = Settings.parse("quiet = Yes\nbold = off\nwide = maybe\n")
    assert settings.flag("quiet", False) is True
    assert settings.flag("bold", True) is False
    assert settings.flag("wide", True) is True
