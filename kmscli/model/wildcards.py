"""The two wildcards of policies: `*` for any characters, none included, and `?` for exactly one.

Source: IAM user guide, "IAM JSON policy elements: Action" and "Condition operators" (StringLike).
"""


def matches(pattern: str, text: str) -> bool:
    """Whether `pattern` describes the whole of `text`, case-sensitively.

    The last `*` is the only one that is ever tried again, so that a hostile pattern costs at most the product of the
    two lengths; a regular expression with many `.*` would cost a power of them.
    """
    at = here = 0
    star, retry = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, retry = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            retry += 1
            at, here = star + 1, retry
        else:
            return False
    return pattern[at:].strip("*") == ""
