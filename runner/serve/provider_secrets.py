"""Checks the provider's secrets before anything is opened: without them no call could be answered."""

from runner.api.webhook import MIN_KEY_BYTES, is_secret
from runner.errors import CannotRunError
from runner.model.settings import Configuration
from runner.serve.secrets import FoundSecrets


def check_webhook_secrets(configuration: Configuration, secrets: FoundSecrets) -> None:
    """Raise CannotRunError unless every webhook can be verified: else whoever knows our address could have us
    accept calls.
    """
    references = configuration.settings.provider.webhook_secrets
    if not references:
        raise CannotRunError("provider.webhook_secrets is empty, so no webhook can be verified")
    for reference, secret in zip(references, secrets.webhook_secrets(), strict=True):
        if not is_secret(secret):
            raise CannotRunError(
                f'{reference} is not a webhook secret, which is "whsec_" and base64 of at least '
                f"{MIN_KEY_BYTES} bytes, as the API shows it"
            )


def check_api_key(configuration: Configuration, secrets: FoundSecrets) -> None:
    """Raise CannotRunError for a key that no header can hold: every call would ring unanswered."""
    if not is_api_key(secrets.api_key()):
        reference = configuration.settings.provider.api_key
        raise CannotRunError(f"{reference} is not an API key, which is printable ASCII without spaces")


def is_api_key(text: str) -> bool:
    """Whether a header can hold this key."""
    return text.isascii() and text.isprintable() and " " not in text
