"""A slate for the harness's live channel, made without ffmpeg: its segments contain their own names."""
import json


def write_slate(folder, channel="demo", variants=("v1", "v2"), slot_ms=1000, loop=4):
    """What scripts/make-slate would write for the channel; returns the folder for `slate_folder`."""
    place = folder / "slates" / channel
    renditions = []
    for i, variant in enumerate(variants):
        (place / f"r{i}").mkdir(parents=True, exist_ok=True)
        names = [f"r{i}/{n}.ts" for n in range(loop)]
        for name in names:
            (place / name).write_bytes(f"slate {channel} {name}".encode() * 100)
        renditions.append({"playlist": f"{variant}/index.m3u8", "segments": [{"file": name, "ms": slot_ms} for name in names]})
    (place / "slate.json").write_text(json.dumps({"slot_ms": slot_ms, "renditions": renditions}))
    return str(folder / "slates")


def is_slate(segment):
    return "/slate/" in segment.uri
