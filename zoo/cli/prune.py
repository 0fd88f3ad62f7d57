"""zoo prune."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import console
from ..errors import ZooError
from .costs import priced
from .evaluate import report as say_skipped
from .evaluate import show
from .options import Cache, Dataset, Json, Mirror, Overwrite, Photos, Scale, Teacher, examples
from .train import claim

if TYPE_CHECKING:
    from ..prune.netadapt import Iteration
    from ..variant import Variant

COMMAND = "prune"
RECIPES = Path(__file__).parent.parent / "recipes"


def prune(
    out: Annotated[Path, typer.Option("-o", "--out", help="Checkpoint folder to write; a stopped search goes on.")],
    model: Annotated[str, typer.Option("-m", "--model", help="A variant or a checkpoint folder.")] = "fastdepth",
    to: Annotated[str | None, typer.Option(help="Variant whose widths to cut to, without a search.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="Share of the cost that is to be left.")
    ] = None,
    cost: Annotated[str, typer.Option(help="macs, params, or latency:DEVICE (zoo devices).")] = "macs",
    uniform: Annotated[bool, typer.Option("--uniform", help="Narrow all blocks alike, without a search.")] = False,
    dataset: Dataset | None = None,
    scale: Scale = None,
    hold_out: Annotated[int, typer.Option(min=1, help="Frames, the last by name, that nothing is chosen by.")] = 80,
    choose_by: Annotated[int, typer.Option(min=1, help="Frames before those, by which proposals are compared.")] = 40,
    photos: Photos = None,
    teacher: Teacher = None,
    mirror: Mirror = False,
    multiple: Annotated[
        int | None, typer.Option(min=1, max=64, help="Widths are multiples of this; default 8, or a device's lanes.")
    ] = None,
    first: Annotated[
        float, typer.Option(min=1e-4, max=0.5, help="Share of the cost to save in the first step.")
    ] = 0.025,
    name: Annotated[str | None, typer.Option(help="Of the variant; default: MODEL_netadapt.")] = None,
    short: Annotated[
        Path | None, typer.Option(help="Recipe for each proposal; default zoo/recipes/netadapt_short.toml.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Recipe for the network found; default zoo/recipes/netadapt_long.toml.")
    ] = None,
    cache: Cache = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Proposals trained at a time.")] = 2,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Make a network cheaper: by NetAdapt's search for widths, by one factor, or to the widths of another variant."""
    from ..weights.load import identify, load

    if (to is None) == (budget is None):
        raise ZooError("give either --to VARIANT or --budget SHARE")
    variant, _ = identify(model)
    price, unit, lanes = priced(cost)
    multiple = multiple or max(8, lanes)
    if budget is None or uniform:
        from ..prune.proposals import uniform as narrow
        from ..variant import variant as find

        if budget is None:
            smaller = find(str(to))
        else:
            smaller = narrow(variant, price, budget * price(variant), multiple)
            smaller = replace(smaller, name=name or f"{variant.name}_uniform", **_origin(variant, cost, "one factor"))
        _cut(model, smaller, out, json, overwrite=overwrite)
        return
    if dataset is None:
        raise ZooError("a search needs --dataset to train and evaluate on")

    import torch

    from .. import outputs
    from ..data.sources import Request, prepare
    from ..evaluation.evaluate import evaluation_frames
    from ..evaluation.protocols import PROTOCOLS
    from ..files import write_atomic
    from ..prune.netadapt import Search, netadapt, targets
    from ..training.recipe import Recipe
    from ..training.train import train

    search = Search(
        budget * price(variant), unit, Recipe.read(short or RECIPES / "netadapt_short.toml"), first, multiple=multiple
    )
    long = Recipe.read(config or RECIPES / "netadapt_long.toml")
    told_in = out / "search.json"
    claim(
        out, cache or out / "data", [model, *(teacher or ())], [(told_in, outputs.marked(COMMAND))], overwrite=overwrite
    )
    targets(search, price(variant))  # before anything is read: can it be reached?
    network = load(model)
    network.variant = replace(variant, name=name or f"{variant.name}_netadapt", **_origin(variant, cost, "NetAdapt"))
    table = console.table("iteration ", "blocks", "width ", f"{unit} ", "delta1 ")
    report: dict[str, Any] = {
        "software": outputs.mark(COMMAND),
        "from": model,
        "cost": cost,
        "unit": unit,
        "start": price(variant),
        "search": search.record(),
    }
    report["iterations"] = []

    def told(iteration: Iteration) -> None:
        report["iterations"].append(asdict(iteration))
        widths = f"{iteration.before} to {iteration.width}"
        shown = (f"{iteration.cost:.4g}", f"{iteration.delta1:.3f}")
        table.add_row(str(iteration.number), " + ".join(iteration.group), widths, *shown)
        console.say(
            f"[dim]iteration {iteration.number}: {' + '.join(iteration.group)} {widths}, {shown[0]} {unit}[/dim]"
        )
        write_atomic(told_in, console.dumps(report).encode())

    with console.progress(f"pruning {variant.name}") as on_progress:
        request = Request(
            dataset,
            cache or out / "data",
            scale=scale,
            hold_out=hold_out + choose_by,
            photos=photos,
            teachers=teacher or (),
            mirror=mirror,
        )
        data = prepare(request, on_progress)
        how = PROTOCOLS["published"]
        chosen_by, unfit = evaluation_frames(data.held_out[:-hold_out], how, on_progress)
        frames, skipped = evaluation_frames(data.held_out[-hold_out:], how, on_progress)
        say_skipped([*unfit, *skipped, *data.skipped])
        torch.set_num_threads(1)
        found, _ = netadapt(
            network,
            search,
            price,
            data.stores,
            chosen_by,
            out / "search",
            workers=threads,
            on_progress=on_progress,
            told=told,
        )
        torch.set_num_threads(threads)
        scores = train(found.variant, long, data.stores, frames, out, found, on_progress)
    report |= {"variant": found.variant.name, "folder": str(out), "left": price(found.variant) / price(variant)}
    if not json:
        console.heading(f"{out}: {found.variant.name}, {report['left']:.0%} of the {unit} of {variant.name}")
        console.out.print(table)
    show(f"{out}: {found.variant.name}", how, len(frames), scores, json, report)


def _origin(variant: Variant, cost: str, how: str) -> dict[str, Any]:
    """What a narrowed variant says of itself."""
    came = f"{variant.name}, narrowed by {how} for {cost}"
    return {"summary": came, "widths_from": f"zoo prune: {came}", "weights": None, "claims": ()}


def _cut(model: str, smaller: Variant, out: Path, json: bool, *, overwrite: bool) -> None:
    from .. import outputs
    from ..prune.cost import macs
    from ..prune.surgery import cut, strongest
    from ..weights import checkpoint
    from ..weights.load import load

    targets = [(out / name, checkpoint.noted("cut_from")) for name in checkpoint.FILES]
    outputs.claim(targets, [Path(model) / name for name in checkpoint.FILES], overwrite=overwrite)
    network = load(model)
    made = cut(network, strongest(network, smaller), smaller)
    checkpoint.save(made, out, {"cut_from": model, "to": smaller.name})
    before, after = macs(network.variant), macs(smaller)
    if json:
        console.show_json({"folder": str(out), "variant": smaller.name, "macs_before": before, "macs": after})
        return
    console.out.print(
        f"{out}: {before / 1e6:.0f} -> {after / 1e6:.0f} M multiply-accumulates; "
        f"next: zoo train -m {out} --init {out} --dataset …",
        soft_wrap=True,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples(
            "zoo prune -m fastdepth --budget 0.5 --dataset nyu_train/ -o runs/half",
            "zoo prune -m fastdepth --budget 0.6 --cost latency:tx2-cpu --dataset nyu_train/ -o runs/tx2",
            "zoo prune -m fastdepth --to fastdepth_pruned -o runs/cut",
        )
    )(prune)
