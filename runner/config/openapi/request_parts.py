"""What a request of an operation carries, as the tool's arguments and as its binding."""

from dataclasses import dataclass

from runner.call.templates.template import compile_template, constant
from runner.config.openapi.body import RequestBody
from runner.config.openapi.parameters import Parameter
from runner.model.template import Template, Templated
from runner.model.tool import Auth, HttpBinding
from runner.model.values import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParts:
    """The parameters and the body of one operation."""

    parameters: tuple[Parameter, ...]
    body: RequestBody | None

    def arguments(self) -> dict[str, Json]:
        """The parameters of the tool."""
        for_model = [parameter for parameter in self.parameters if parameter.fixed is None]
        properties = {parameter.argument: parameter.schema for parameter in for_model}
        required = [parameter.argument for parameter in for_model if parameter.is_required]
        others: Json = False
        words: JsonObject = {}
        if self.body is not None:
            properties |= self.body.arguments
            required += self.body.required
            others, words = self.body.others, self.body.words
        schema: dict[str, Json] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        return {**schema, **words, "additionalProperties": others}

    def binding(self, method: str, url: Template, auth: Auth | None) -> HttpBinding:
        """The request of the tool."""
        in_query = [parameter for parameter in self.parameters if parameter.place == "query"]
        headers: dict[str, Template] = {
            parameter.name: compile_template(parameter.template)
            for parameter in self.parameters
            if parameter.place == "header"
        }
        if self.body is not None and self.body.content_type is not None:
            headers["Content-Type"] = constant(self.body.content_type)
        return HttpBinding(
            method=method,
            url=url,
            query={parameter.name: _query_value(parameter) for parameter in in_query},
            styles={parameter.name: parameter.style for parameter in in_query if parameter.style is not None},
            headers=headers,
            body=self.body.body if self.body is not None else None,
            auth=auth,
        )


def _query_value(parameter: Parameter) -> Templated:
    fixed = parameter.fixed
    if fixed is not None and fixed.expression is None:
        return fixed.tree
    return compile_template(parameter.template)
