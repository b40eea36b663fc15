"""Reads the authentication that an operation requires, and says how it is written as `auth`."""

from collections.abc import Iterator

from runner.config.openapi.document import DocumentPart, Library, UnfitError

_NAMED = '"{{ secrets.NAME }}"'


def needed_auth(operation: DocumentPart, root: DocumentPart, library: Library) -> str | None:
    """The `auth` that the operation needs, as one would write it, or None when it needs none.

    Raises UnfitError when it needs more than one `auth` can express.
    """
    alternatives = list(_alternatives(operation, root, library))
    if not alternatives:
        return None
    return next((written for written in alternatives if not written), alternatives[0]) or None


def _alternatives(operation: DocumentPart, root: DocumentPart, library: Library) -> Iterator[str]:
    """Each sufficient alternative, as one would write it; an empty text for none at all."""
    security = operation.get("security") or root.get("security")
    if security is None or not security.value:
        return
    refusal: UnfitError | None = None
    is_possible = False
    for requirement in security.entries():
        try:
            written = _written(requirement, root, library)
        except UnfitError as error:
            refusal = refusal or error
            continue
        is_possible = True
        yield written
    if refusal is not None and not is_possible:
        raise refusal


def _written(requirement: DocumentPart, root: DocumentPart, library: Library) -> str:
    names = [name for name, _ in requirement.items()]
    if len(names) > 1:
        together = " and ".join(f'"{name}"' for name in names)
        raise UnfitError(
            requirement, f'it needs {together} together, and "auth" takes only one; write an "http" tool'
        )
    if not names:
        return ""
    components = root.get("components")
    schemes = components.get("securitySchemes") if components is not None else None
    declared = schemes.get(names[0]) if schemes is not None else None
    if declared is None:
        raise UnfitError(requirement, f'"securitySchemes" declares no "{names[0]}"')
    scopes = next((value for _, value in requirement.items()), requirement)
    return _of_scheme(library.followed(declared), scopes, names[0])


def _of_scheme(scheme: DocumentPart, scopes: DocumentPart, name: str) -> str:
    kind, how = scheme.text("type"), scheme.text("scheme").lower()
    if kind == "apiKey" and scheme.text("in") in ("header", "query"):
        place = ", in: query" if scheme.text("in") == "query" else ""
        return f"{{api_key: {{name: {scheme.text('name')}, value: {_NAMED}{place}}}}}"
    if kind == "http" and how == "basic":
        return f"{{basic: {{username: NAME, password: {_NAMED}}}}}"
    if (kind == "http" and how == "bearer") or kind == "openIdConnect":
        return f"{{bearer: {_NAMED}}}"
    if kind == "oauth2":
        return _of_oauth2(scheme, scopes)
    what = f"{kind} in {scheme.text('in')}" if kind == "apiKey" else f"{kind} {how}".strip()
    raise UnfitError(scheme, f'"{name}" is {what or "of no type"}, which "auth" does not support')


def _of_oauth2(scheme: DocumentPart, scopes: DocumentPart) -> str:
    flows = scheme.get("flows")
    flow = flows.get("clientCredentials") if flows is not None else None
    if flow is None:
        # Such tokens come from a person's consent, and are a secret like any other here.
        return f"{{bearer: {_NAMED}}}"
    scope_names = ", ".join(scope for scope in scopes.value if isinstance(scope, str)) if scopes.value else ""
    scope_list = f", scopes: [{scope_names}]" if scope_names else ""
    issuer = flow.text("tokenUrl")
    return f"{{oauth2: {{token_url: {issuer}, client_id: NAME, client_secret: {_NAMED}{scope_list}}}}}"
