"""Reads `relay.conf`: lines of `name = value`, comments after `#`."""

YES = {"yes", "true", "on", "1"}
NO = {"no", "false", "off", "0"}


class Settings:
    """The values of one configuration file. What is missing or unreadable has its default."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @classmethod
    def parse(cls, text: str) -> "Settings":
        values = {}
        for line in text.splitlines():
            line = line.split("#", 1)[0]
            name, equals, value = line.partition("=")
            if equals:
                values[name.strip()] = value.strip()
        return cls(values)

    def text(self, name: str, default: str) -> str:
        return self._values.get(name, default)

    def number(self, name: str, default: int) -> int:
        if name not in self._values:
            return default
        return int(self._values[name])

    def flag(self, name: str, default: bool) -> bool:
        value = self._values.get(name, "").lower()
        if value in YES:
            return True
        if value in NO:
            return False
        return default
