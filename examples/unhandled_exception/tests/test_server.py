from relay.server import Server, configure


def test_defaults():
    assert configure("") == Server("localhost", 7400, 3, 30, False)


def test_what_the_wizard_writes():
    text = "host = example\nport = 9000\nretries =\nquiet = yes\n"
    assert configure(text) == Server("example", 9000, 3, 30, True)
