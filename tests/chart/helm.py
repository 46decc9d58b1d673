"""The chart through a real Helm engine: values in, objects out."""

import copy
import functools
import pathlib

import helm_python
import yaml

CHART = pathlib.Path(__file__).parents[2] / "charts/listwarden"
RELEASE, NAMESPACE = "listwarden", "clinic"


def chart():
    """The chart, opened."""
    return helm_python.Chart.load(CHART)


def cases():
    """The cases in ci/, by name."""
    return {file.name.removesuffix("-values.yaml"): yaml.safe_load(file.read_text())
            for file in sorted((CHART / "ci").glob("*-values.yaml"))}


def lay_over(base, more):
    """What several --values files come to."""
    if not (isinstance(base, dict) and isinstance(more, dict)):
        return more
    return base | {key: lay_over(base.get(key), value) for key, value in more.items()}


def templates(values):
    """Renders as an install would: first the schema, then the templates."""
    with chart() as opened:
        opened.validate_schema(values)
        return opened.render(values, name=RELEASE, namespace=NAMESPACE, is_install=True)


def text(values):
    """Every object of the release, hooks too, as YAML."""
    files = sorted(templates(values).items())
    made = [(path, text.strip()) for path, text in files if path.endswith(".yaml")]
    return "".join(f"# {path}\n{text}\n---\n" for path, text in made if text)


def objects(values):
    """The same, read."""
    return [thing for thing in yaml.safe_load_all(text(values)) if thing]


@functools.cache
def rendered_cases():
    return {name: objects(values) for name, values in cases().items()}


def objects_of_cases():
    """Every object of every case: pairs of the case's name and its objects."""
    return copy.deepcopy(rendered_cases()).items()


def notes(values):
    """What a user reads after an install."""
    return next(text for path, text in templates(values).items() if path.endswith("NOTES.txt"))


def pod(thing):
    """The pod in an object, its metadata beside it; none where there is none."""
    match thing["kind"]:
        case "Pod":
            return thing
        case "CronJob":
            return thing["spec"]["jobTemplate"]["spec"]["template"]
        case "Deployment" | "Job":
            return thing["spec"]["template"]
    return None
