"""Instructions and cycles that the fall detector takes for a sample on a Cortex-M0+, counted one by one. Standard library only.

    python3 arm/cycles.py build/arm/wearable.elf < records        records as for wearable_host, 50 a second

The image runs under qemu (`-machine microbit -singlestep -d exec`), which names every instruction that is executed. Each is weighed with
its time in the Cortex-M0+ Technical Reference Manual r0p1, table 3-1: loads and stores 2, pushes and pops 1 + registers (3 + registers into
the program counter), taken branches 2, calls 3, all else 1, memory without wait states. Both detectors of the image feel every sample, so
the sum is halved.
"""

import binascii
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

RECORD_BYTES = 12
SAMPLES_PER_FRAME = 35
SAMPLES, COUNTED = 0xF0, 0xF1
DETECTORS = 2
DETECTOR = re.compile(
    r"bridge_fall_feed|judge|turn_over|angle|degrees_of|take_mean|root|is_largest|store|bridge_unpack"
    r"|__aeabi_\w+|__udivmoddi4|__gnu_\w+|__\w*div\w*"
)
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)")
EXECUTED = re.compile(r"/([0-9a-f]{8})/")
REGISTER = re.compile(r"\b(?:r\d+|sl|fp|ip|sp|lr|pc)\b")
JUMPS = frozenset({"b", "bl", "bx", "blx"})


def seal(kind: int, payload: bytes) -> bytes:
    """A frame of bridge_frame.h, from address 1."""
    content = struct.pack("<BBHH", 1, kind, 1, 0) + payload
    content += struct.pack("<H", binascii.crc_hqx(content, 0xFFFF))
    return b"\0" + b"".join(bytes([len(run) + 1]) + run for run in content.split(b"\0")) + b"\0"


def listing(image: Path) -> dict[int, tuple[str, str, int]]:
    """Function, operation and cycles of every instruction of the image, a branch as not taken."""
    command = ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(image)]
    found, function = {}, ""
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        if match := FUNCTION.match(line):
            function = match[1]
        elif match := INSTRUCTION.match(line):
            operation = match[2].split(".")[0]
            found[int(match[1], 16)] = function, operation, cycles(operation, match[3])
    return found


def cycles(operation: str, arguments: str) -> int:
    """Cycles of one instruction; of a conditional branch those of one that is not taken."""
    registers = len(REGISTER.findall(arguments[arguments.find("{") :])) if "{" in arguments else 0
    if operation in ("push", "pop") or operation.startswith(("ldm", "stm")):
        return registers + (3 if operation == "pop" and "pc" in arguments else 1)
    if operation.startswith(("ldr", "str")):
        return 2
    return {"bl": 3, "blx": 2, "bx": 2, "b": 2}.get(operation, 1)


def count(log: Path, code: dict[int, tuple[str, str, int]], total: Counter[str]) -> None:
    """Add up what qemu says was executed of the detector, until it ends."""
    before = (0, "", "")
    with log.open() as lines:
        for line in lines:
            match = EXECUTED.search(line)
            if match is None or (at := int(match[1], 16)) not in code:
                continue
            function, operation, took = code[at]
            was_at, was_in, was = before
            if DETECTOR.fullmatch(was_in) and was.startswith("b") and was not in JUMPS | {"bics"} and at != was_at + 2:
                total["cycles"] += 1
            if DETECTOR.fullmatch(function):
                total.update(instructions=1, cycles=took)
            before = at, function, operation


def main(image: Path) -> int:
    records = sys.stdin.buffer.read()
    samples = [records[at : at + 6] + b"\0" for at in range(0, len(records) - RECORD_BYTES + 1, RECORD_BYTES)]
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        os.mkfifo(log)
        counting = threading.Thread(target=count, args=(log, listing(image), total))
        counting.start()
        command = ["qemu-system-arm", "-machine", "microbit", "-display", "none", "-monitor", "none", "-serial", "stdio", "-singlestep"]
        qemu = subprocess.Popen(
            [*command, "-d", "exec,nochain", "-D", log, "-kernel", image], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert qemu.stdin is not None and qemu.stdout is not None
        for at in range(0, len(samples), SAMPLES_PER_FRAME):
            qemu.stdin.write(seal(SAMPLES, b"".join(samples[at : at + SAMPLES_PER_FRAME])))
            said = b""
            while bytes([COUNTED]) not in [frame[2:3] for frame in said.split(b"\0") if len(frame) > 2]:
                said += qemu.stdout.read(4096)
        qemu.kill()
        qemu.wait()
        counting.join()
    per_sample = {name: count / DETECTORS / len(samples) for name, count in total.items()}
    print(f"{len(samples)} samples: {per_sample['instructions']:.1f} instructions, {per_sample['cycles']:.1f} cycles a sample in the mean")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
