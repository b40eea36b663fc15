"""The tools that the model may call, and their effects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, TypeAlias

from runner.model.declaration import DeclarationKind
from runner.model.template import Template, Templated
from runner.model.values import Json, JsonObject


class BodyKind(Enum):
    """How a request's body is written."""

    JSON = "json"
    FORM = "form"
    MULTIPART = "multipart"
    """`multipart/form-data` (RFC 7578), of fields without files."""
    TEXT = "text"


class ParameterStyle(Enum):
    """How a list or an object is written into a query or a form (OpenAPI 3.1, 4.8.12.3 and RFC 6570)."""

    NAMES = "names"
    """A list repeats the name, an object's keys are names of their own (`form`, exploded)."""
    COMMAS = "commas"
    SPACES = "spaces"
    PIPES = "pipes"
    BRACKETS = "brackets"
    """`name[key]`, at any depth (`deepObject`)."""
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A declared request body. `content` None stands for the model's arguments."""

    kind: BodyKind
    content: Templated = None
    is_arguments: bool = False
    apart: frozenset[str] = frozenset()
    """Arguments that travel elsewhere, when the others are the body."""
    fixed: Mapping[str, Templated] = field(default_factory=dict)
    """Additional fields, when the arguments are the body."""
    is_optional: bool = False
    """No body is sent when it would be null or empty."""
    styles: Mapping[str, ParameterStyle] = field(default_factory=dict)
    """For the fields of a form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """`Authorization: Bearer …`."""

    token: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """`Authorization: Basic …` (RFC 7617, UTF-8)."""

    username: Template
    password: Template


class KeyIn(Enum):
    """Where an API key travels."""

    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key in a header or in the query."""

    name: str
    value: Template
    location: KeyIn = KeyIn.HEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """A bearer token from the client credentials grant (RFC 6749, 4.4)."""

    token_url: str
    client_id: Template
    client_secret: Template
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    """Not in the RFC: some issuers require the audience of the token."""


Auth: TypeAlias = Bearer | Basic | ApiKey | ClientCredentials


STAGGER = 0.5
"""By how much of itself a wait before a retry may be longer than declared: calls do not retry together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a request is tried. `attempts` counts all tries, the first included."""

    attempts: int = 1
    backoff_s: float = 0.2
    """The wait before the second try; it doubles with each further one."""
    on: frozenset[int | str] = frozenset()
    """Statuses, and the words `timeout` and `connection`."""


class BindingFacts:
    """What a binding means to the rest of the program, which never has to ask for its type."""

    __slots__ = ()

    declares: ClassVar[DeclarationKind] = DeclarationKind.TOOL
    """The kind of declaration that scenarios cover with the tool."""
    sends_request: ClassVar[bool] = False
    """Whether it sends a request to the user's endpoint."""
    needs_telephone: ClassVar[bool] = False
    """Whether a caller from a browser cannot have it."""

    @property
    def only_reads(self) -> bool:
        """Whether a repeated request does no harm whatever the endpoint does (RFC 9110, 9.2.2)."""
        return False

    @property
    def hands_to(self) -> str | None:
        """The agent that takes the call over."""
        return None

    @property
    def choices(self) -> Mapping[str, Template]:
        """The destinations among which the model chooses, by name; each is declared and covered by itself."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpBinding(BindingFacts):
    """A request to the user's endpoint."""

    sends_request: ClassVar[bool] = True

    method: str
    url: Template
    query: Mapping[str, Templated] = field(default_factory=dict)
    styles: Mapping[str, ParameterStyle] = field(default_factory=dict)
    """For the query. Without one, a list repeats the name and an object is JSON."""
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Body | None = None
    auth: Auth | None = None
    sign: Template | None = None
    """The secret for a Standard Webhooks signature."""
    timeout_s: float = 10.0
    """For one attempt, connecting and reading included."""
    retries: Retries = field(default_factory=Retries)

    @property
    def only_reads(self) -> bool:
        """Whether the method is safe."""
        return self.method in {"GET", "HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferBinding(BindingFacts):
    """Hand the caller to a named destination (SIP REFER). The model chooses a name, never an address."""

    declares: ClassVar[DeclarationKind] = DeclarationKind.TRANSFER
    needs_telephone: ClassVar[bool] = True

    destinations: Mapping[str, Template]
    fallback: str | None = None
    """The destination that is tried when the chosen one did not take the call."""
    say: Template | None = None
    if_not_completed: Template | None = None

    @property
    def choices(self) -> Mapping[str, Template]:
        """The destinations."""
        return self.destinations


@dataclass(frozen=True, slots=True, kw_only=True)
class HangupBinding(BindingFacts):
    """End the call, once a sentence has been heard."""

    say: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBinding(BindingFacts):
    """A fixed answer."""

    answer: Templated

    @property
    def only_reads(self) -> bool:
        """Nobody is asked."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffBinding(BindingFacts):
    """Another agent serves the call; the conversation and the variables stay."""

    declares: ClassVar[DeclarationKind] = DeclarationKind.HANDOFF

    agent: str

    @property
    def hands_to(self) -> str | None:
        """The agent."""
        return self.agent


Binding: TypeAlias = HttpBinding | TransferBinding | HangupBinding | HandoffBinding | StaticBinding


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """The tools of an MCP server, which the API itself calls."""

    label: str
    settings: Mapping[str, Templated]
    """The API's own MCP object without `type`; its strings are templates, which may name secrets."""
    approved: frozenset[str] = frozenset()
    """Tools that may run although the API asks for approval. Nobody is there to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStep:
    """A sentence, or an instruction for the model, once a tool has been running for a while."""

    after_s: float
    say: tuple[Template, ...] = ()
    """One of them is chosen."""
    tell: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultSpec:
    """How a reply becomes the model's output."""

    select: str | None = None
    """A JMESPath expression over the JSON reply."""
    on_error: Template | None = None
    example: Json = None
    has_example: bool = False
    sets: Mapping[str, str] = field(default_factory=dict)
    """Variables, and the JMESPath expressions over the JSON reply that they are set from."""
    max_chars: int = 8000
    """The API refuses outputs over about 8 kB now and then, and they cost tokens in each later turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool of an agent. `parameters` is passed to the model as it is (JSON Schema 2020-12)."""

    name: str
    description: str
    parameters: JsonObject
    binding: Binding
    result: ResultSpec = field(default_factory=ResultSpec)
    while_waiting: tuple[WaitingStep, ...] = ()
    background: bool = False
    """The model gets an answer at once and the result when it comes."""
    idempotent: bool = False
    """Whether a repeated request does no harm."""
    when: Template | None = None
    """An expression; the tool is refused while it is false."""
    otherwise: Template | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether its request may be sent again though it may have been carried out."""
        return self.idempotent or self.binding.only_reads
