"""The table of the admin API's operations, made from its document."""

from runner.serve.admin.document import document
from tests.docs.pages import table


def operations_table() -> str:
    """Every operation with what it is for and who may."""
    rows = [
        (
            f"`{operation.method.upper()} {operation.path}`",
            "anybody" if operation.is_open else "`watch`" if operation.method == "get" else "`steer`",
            operation.summary,
        )
        for operation in document().operations.values()
    ]
    return table(("operation", "may", "does"), rows)
