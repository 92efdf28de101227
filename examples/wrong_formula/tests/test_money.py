from billing.money import percent, show


def test_percent_is_rounded_to_the_cent():
    assert percent(999, 20) == 200


def test_show():
    assert show(1234) == "12.34"
    assert show(-5) == "-0.05"
