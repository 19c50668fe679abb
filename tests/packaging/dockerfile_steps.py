#!/usr/bin/env python3
"""Prints the steps of a Dockerfile's stage or the settings of its final image, for a shell to go through.

    dockerfile_steps.py FILE build     one step a line, parts between tabs: WORKDIR path | COPY source... target | RUN command
    dockerfile_steps.py FILE final     ENV name=value | USER user | HEALTHCHECK json | ENTRYPOINT json | EXPOSE port

It knows what this project's Dockerfile uses and refuses everything else, so that no step is ever passed over.
"""

import json
import shlex
import sys


def instructions(text):
    """(word, rest) for each instruction, with continued lines joined and comments gone."""
    joined = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not (joined or line.strip()):
            continue
        joined += line.rstrip()
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        word, _, rest = joined.strip().partition(" ")
        yield word.upper(), rest.strip()
        joined = ""
    if joined:
        raise ValueError("the last line is continued")


def stages(text):
    """The stages in order: name (None for one without) and instructions."""
    found = []
    for word, rest in instructions(text):
        if word == "FROM":
            parts = rest.split()
            if len(parts) not in (1, 3) or (len(parts) == 3 and parts[1].upper() != "AS"):
                raise ValueError(f"FROM {rest}")
            found.append((parts[2] if len(parts) == 3 else None, []))
        elif found:
            found[-1][1].append((word, rest))
        elif word != "ARG":
            raise ValueError(f"{word} before FROM")
    return found


def build_steps(text):
    steps = []
    for word, rest in dict(stages(text))["build"]:
        if word == "RUN" and not rest.startswith(("[", "-")):
            steps.append([word, rest])
        elif word == "WORKDIR" and rest.startswith("/"):
            steps.append([word, rest])
        elif word == "COPY" and "--" not in rest:
            steps.append([word, *rest.split()])
        else:
            raise ValueError(f"unknown step: {word} {rest}")
    return steps


def final_settings(text):
    settings = []
    for word, rest in stages(text)[-1][1]:
        if word in ("ENV", "USER", "EXPOSE"):
            settings.append([word, *shlex.split(rest)])
        elif word == "HEALTHCHECK":
            settings.append([word, json.dumps(json.loads(rest[rest.index("CMD") + 3:]))])
        elif word == "ENTRYPOINT":
            settings.append([word, json.dumps(json.loads(rest))])
        elif word == "COPY" and rest == "--from=build /image /":
            continue
        elif word not in ("ARG", "LABEL"):
            raise ValueError(f"unknown setting: {word} {rest}")
    return settings


def main(arguments):
    if len(arguments) != 2 or arguments[1] not in ("build", "final"):
        sys.exit(__doc__)
    with open(arguments[0], encoding="utf-8") as file:
        text = file.read()
    for step in build_steps(text) if arguments[1] == "build" else final_settings(text):
        print("\t".join(step))


if __name__ == "__main__":
    main(sys.argv[1:])
