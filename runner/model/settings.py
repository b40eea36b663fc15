"""The settings of runner.yaml: how the process runs and what all agents share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from runner.model.agent import Agent
from runner.model.price import PriceList
from runner.model.route import RoutingSettings
from runner.model.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """Where a secret is: an environment variable or a file, exactly one. Never the secret itself."""

    env: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        return f"environment variable {self.env}" if self.env is not None else f"file {self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The voice API."""

    api_key: SecretRef = SecretRef(env="OPENAI_API_KEY")
    webhook_secrets: tuple[SecretRef, ...] = (SecretRef(env="OPENAI_WEBHOOK_SECRET"),)
    base_url: str | None = None
    """The API's URL; None: the environment's, else the API's default."""
    key_header: str | None = None
    """The header that carries the key alone; None: `Authorization`, as a bearer token."""
    prices: PriceList = field(default_factory=PriceList)
    """Of the API's models, with those that the user has declared."""


class May(Enum):
    """What the holder of an admin token may do. The value is the language's."""

    STEER = "steer"
    """Also act on calls, and load the configuration again."""
    WATCH = "watch"
    """Read calls and records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminToken:
    """A token of the admin API: where it is, and what its holder may do."""

    ref: SecretRef
    may: May = May.STEER


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """The admin API and the console: their listener, and who may use them."""

    host: str = "127.0.0.1"
    port: int = 8081
    tokens: Mapping[str, AdminToken] = field(default_factory=dict)
    """By name, which appears in records."""
    address: str | None = None
    """Where other runners reach this one; None: at host and port."""
    hosts: tuple[str, ...] = ()
    """Further names under which it can be reached."""
    transfer_to: tuple[str, ...] = ()
    """Where a person may transfer to, besides the destinations that agents declare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Calls from browsers."""

    secret: SecretRef | None = None
    """Verifies the tokens that the user's backend signs. None accepts callers without a token: on loopback
    only.
    """
    origins: tuple[str, ...] = ()
    """The sites whose pages may call."""
    has_data_channel: bool = False
    """Whether pages may read the session, and change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where webhooks arrive."""

    host: str = "127.0.0.1"
    port: int = 8080
    drain_timeout_s: float = 60.0
    max_call_age_s: float = 120.0
    admin: Admin | None = None
    browser: Browser | None = None
    """None: no calls from browsers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Where tools may connect to."""

    allow: tuple[str, ...] = ()
    """Host names, `*` for any characters, that may resolve to private addresses."""
    private_networks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """How records of calls are kept."""

    keep_s: float | None = None
    """How long; None keeps them until somebody deletes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of runner.yaml except `tools` and `defaults`, which are part of each agent."""

    provider: Provider = field(default_factory=Provider)
    server: Server = field(default_factory=Server)
    store: str | SecretRef = "sqlite:calls.db"
    """Its URL, or where that is, since it may hold a password."""
    records: Records = field(default_factory=Records)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    egress: Egress = field(default_factory=Egress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One directory, loaded and checked."""

    directory: str
    settings: Settings = field(default_factory=Settings)
    agents: Mapping[str, Agent] = field(default_factory=dict)
