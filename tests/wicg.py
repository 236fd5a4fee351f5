"""A parser of the WICG's "Origin-bound one-time codes delivered via SMS", step by step as its "Parsing" has it."""

ASCII_WHITESPACE = "\t\n\f\r "


def autofill(message):
    """Return the top-level host, the code and the embedded host (or ``None``) of a message; ``None``: failure."""
    line = last_line(message)
    position = 0
    if position >= len(line):
        return None
    host, position = marked_token(line, position, "@")
    if host is None or position >= len(line) or line[position] != " ":
        return None
    position += 1
    if position >= len(line):
        return None
    code, position = marked_token(line, position, "#")
    if code is None:
        return None
    embedded = None
    if position < len(line) and line[position] == " ":
        embedded, position = marked_token(line, position + 1, "@")
    return host, code, embedded


def marked_token(string, position, marker):
    """Extract a marked token: the token (``None``: failure), and the position after it."""
    if position >= len(string) or string[position] != marker:
        return None, position
    position += 1
    start = position
    while position < len(string) and string[position] not in ASCII_WHITESPACE:
        position += 1
    return string[start:position] or None, position


def last_line(string):
    """Normalise newlines (Infra: CRLF to LF, then CR to LF), split on LF strictly, return the last item."""
    return string.replace("\r\n", "\n").replace("\r", "\n").split("\n")[-1]
