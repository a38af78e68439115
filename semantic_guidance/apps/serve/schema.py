"""The shapes of what is sent and answered, checked by pydantic and told in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from semantic_guidance.apps.serve import offer
from semantic_guidance.apps.serve.records import Limits
from semantic_guidance.core.config import finite
from semantic_guidance.painter.variations import COUNTS

LONGEST_ID = 64
PNG = "data:image/png;base64,"
DOCUMENT = 'Guidance, as `--guidance FILE.json` keeps it: docs/formats.md, "Guidance to keep and edit".'
JOB = "JobOptions"
"""Name of the schema of a job's options."""

Id = Annotated[str, Field(max_length=LONGEST_ID, description="an ID, as it was given")]


class Asked(BaseModel):
    """What is sent: exactly the fields that there are, of exactly their kinds."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """Why something is not done."""

    detail: str = Field(description="one sentence, for people")


def _numbers(value: list[Any], count: int) -> bool:
    return len(value) == count and all(
        isinstance(n, int | float) and not isinstance(n, bool) and finite(n) for n in value
    )


def _point(value: list[Any]) -> list[Any]:
    if len(value) != 3 or not _numbers(value[:2], 2) or not isinstance(value[2], bool):
        raise ValueError("wanted [x, y, true or false]")
    return value


def _box(value: list[Any]) -> list[Any]:
    if not _numbers(value, 4) or min(value[2:]) <= 0:
        raise ValueError("wanted [x, y, width, height], the last two above 0")
    return value


def _items(items: list[dict[str, Any]]) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    )


NUMBER = {"type": "number"}
Place = Annotated[list[Any], AfterValidator(_point), _items([NUMBER, NUMBER, {"type": "boolean"}])]
Box = Annotated[
    list[Any], AfterValidator(_box), _items([NUMBER, NUMBER, *2 * [{**NUMBER, "exclusiveMinimum": 0}]])
]
Guidance = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "required": ["instances"],
            "properties": {"instances": {"type": "array", "items": {"type": "object"}}},
            "description": DOCUMENT,
        }
    ),
]
JobOptions = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "title": JOB})]


class Question(Asked):
    """What is to be found in a picture; coordinates in pixels of the upright picture."""

    rough: bool = Field(False, description="what one glance tells, soon; all else asked for does not count")
    whole: bool = Field(False, description="everything that matters, with the focus")
    points: list[Place] = Field(
        [], max_length=64, description="[x, y, whether it is of an object or of none], ..."
    )
    boxes: list[Box] = Field([], max_length=64, description="[x, y, width, height] round objects")
    text: str | None = Field(None, max_length=100, description="what the object is, such as dog")
    guidance: Guidance | None = Field(None, description="what is known already, to be changed")


class Variation(Asked):
    """Which of several variations of a job."""

    number: int = Field(ge=0, lt=COUNTS[1], description="counted from 0, which is the job itself")
    count: int = Field(4, ge=COUNTS[0], le=COUNTS[1])


class PaintingOrder(Asked):
    """What is to be painted."""

    picture: Id
    job: JobOptions = Field({}, description="how; all that is not given is usual")
    guidance: Guidance | None = Field(None, description="what is known of the picture; null: it is found")
    attended: bool = Field(False, description="stop, and keep what is there, once nobody follows its events")
    variation: Variation | None = None
    of: Id | None = Field(None, description="the painting of which a region is painted over")
    region: str | None = Field(
        None,
        max_length=8 << 20,
        pattern=f"^{PNG}[A-Za-z0-9+/]+={{0,2}}$",
        description="of it, a PNG, bright where to paint",
    )
    erase: bool = Field(False, description="first take away strokes that lie wholly in the region")


class ZipOrder(Asked):
    """Which files of which paintings."""

    paintings: list[Id] = Field(min_length=1, max_length=200)
    formats: list[str] = Field(["png"], min_length=1, max_length=20)
    options: dict[str, Any] = Field({}, description="of the files, as in the query of /files")


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok", "starting"]
    version: str
    workers: int = Field(description="processes that paint")
    running: int = Field(description="paintings under way")
    waiting: int = Field(description="paintings that wait")


class Example(BaseModel):
    """A photograph that comes with the studio."""

    name: str
    title: str
    credit: str
    url: str
    thumbnail: str


class Picture(BaseModel):
    """A picture that was sent."""

    id: str
    name: str
    width: int = Field(description="in pixels, of the upright picture")
    height: int
    note: str | None = Field(description="what a person should be told of it")
    preview: str = Field(description="where a JPEG of it is, at most 1600 pixels long")


class Painting(BaseModel):
    """A painting, as it is now."""

    id: str
    picture: str
    state: Literal["queued", "running", "done", "stopped", "failed", "cancelled"]
    position: int | None = Field(description="in the queue, 1 is next; null if it does not wait")
    stage: str
    share: float = Field(description="of the stage, 0 to 1")
    message: str = Field(description="what a person should be told")
    strokes: int
    job: dict[str, Any] = Field(description="the options that paint it again")
    of: str | None = Field(description="the painting of which a region was painted over")
    seconds: float
    errors: dict[str, float | None] | None = Field(description="mean squared errors")
    shares: list[float] | None = Field(description="of the strokes, of each object")
    style: str = Field(description="in which it is painted, once it is known")
    width: int = Field(description="in pixels; 0 as long as it is not known")
    height: int


class Project(BaseModel):
    """A project that was opened again."""

    picture: Picture
    guidance: Guidance | None
    job: dict[str, Any]
    painting: Painting | None


class Option(BaseModel):
    """Something to choose."""

    name: str
    kind: str = Field(description=" ".join(str(offer.kind.__doc__).split()))
    default: Any
    min: float | None = None
    max: float | None = None
    above: float | None = None
    choices: list[str] | None = None
    group: str
    help: str


class Style(BaseModel):
    """A manner of painting."""

    name: str
    summary: str


class Format(BaseModel):
    """A kind of file."""

    name: str
    summary: str
    film: bool
    still: bool
    transparent: bool
    suffix: str


class Offer(BaseModel):
    """What can be asked for."""

    version: str
    options: list[Option] = Field(description="of a painting: the job")
    file_options: list[Option] = Field(description="of a file: the query")
    styles: list[Style]
    presets: list[str]
    brushes: list[str]
    variations: dict[str, int]
    formats: list[Format]
    limits: dict[str, float]


def job_schema(limits: Limits) -> dict[str, Any]:
    """The JSON Schema of a job's options, from where they are declared."""
    most = {"strokes": limits.strokes, "size": limits.size}
    return {
        "title": JOB,
        "type": "object",
        "additionalProperties": False,
        "properties": {item.name: offer.schema(item, most) for item in offer.job_options()},
        "description": "The options of `semantic-guidance paint`; palette_from, background and start_canvas"
        " may be IDs of pictures.",
    }


def file_parameters(limits: Limits) -> list[dict[str, Any]]:
    """The parameters of a file's query, from where they are declared."""
    most = offer.most_of_file(limits)
    return [
        {
            "name": item.name,
            "in": "query",
            "required": False,
            "schema": _in_query(offer.schema(item, most)),
            "description": offer.help_of(item),
        }
        for item in offer.file_options()
    ]


def _in_query(schema: dict[str, Any]) -> dict[str, Any]:
    """The same of a text in a query: it is there or not, and lists are spelled with commas."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each["type"] not in ("array", "null")]
    plain = [{key: part for key, part in each.items() if key != "description"} for each in kinds]
    return plain[0] if len(plain) == 1 else {"anyOf": plain}


def sentence(errors: list[Any]) -> str:
    """What pydantic complains of, the first of it, as one sentence.

    >>> sentence([{"type": "missing", "loc": ("body", "picture"), "msg": "Field required"}])
    'picture is missing.'
    """
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    if first["type"] == "missing":
        return f"{place} is missing."
    if first["type"] == "json_invalid":
        return "The body is not JSON."
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}."
