"""Zone files and route queries for tests of node selection."""
import json

LIVE_NODES = ("stadium", "city")


def zones(prefix, group="stadium"):
    return json.dumps({"zones": [{"name": "stands", "group": group, "prefixes": [prefix], "fallback": ["city"], "deep": True}]})


def start_with_zones(event, text, **routing):
    """Starts both nodes and a balancer with this text in its zone file; the file."""
    file = event.folder / "zones.json"
    file.write_text(text)
    rules = {"zones_file": str(file), "poll": "100ms", "drain_time": "0ms", **routing}
    event.start(nodes=LIVE_NODES, balancer={"balancer": {"routing": rules}})
    return file


def why(event, client, **more):
    query = "&".join(f"{k}={v}" for k, v in {"client": client, "channel": "demo", **more}.items())
    return event.balancer.admin("/status/route?" + query).json


def choice(event, client, **more):
    answer = why(event, client, **more)
    return answer["node"], answer["reason"]
