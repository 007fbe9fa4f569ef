#!/usr/bin/python3
"""Stands in for a Kinco FD5P servo drive, for tests of the real driver.

The idea: written from the maker's register tables and from the CiA 402 state diagram with another
library (pymodbus, Debian package python3-pymodbus), so that a mistake in the product's profile or
in its simulator cannot hide here. Every request is logged as received, with CLOCK_MONOTONIC. It
refuses registers that it does not know (exception 2), and to judge what it is sent.

    kinco_peer.py --port 0 --log FILE [--unit 1] [--start COUNTS] [--remote 0|1]

Prints the port as the only line on standard output, then serves until it is killed.
"""
import argparse
import asyncio
import json
import math
import time

from pymodbus.datastore import ModbusServerContext
from pymodbus.framer.socket_framer import ModbusSocketFramer
from pymodbus.interfaces import IModbusSlaveContext
from pymodbus.server.async_io import ModbusTcpServer

# Objects by their Modbus address; each takes two registers, the low word first.
CONTROL, STATUS, MODE = 0x3100, 0x3200, 0x3500
ACTUAL_POSITION, ACTUAL_SPEED, TARGET_POSITION = 0x3700, 0x3B00, 0x4000
PROFILE_SPEED, PROFILE_ACC, PROFILE_DEC = 0x4A00, 0x4B00, 0x4C00
TARGET_SPEED, ERROR_STATE, HOME_METHOD = 0x6F00, 0x1F00, 0x4D00
WRITABLE = {CONTROL, MODE, TARGET_POSITION, PROFILE_SPEED, PROFILE_ACC, PROFILE_DEC, TARGET_SPEED,
            HOME_METHOD}
READABLE = WRITABLE | {STATUS, ACTUAL_POSITION, ACTUAL_SPEED, ERROR_STATE}

# DEC per count/s: rpm x 512 x resolution / 1875; per count/s2: rps/s x 65536 x resolution / 4e6.
SPEED_DEC = 60 * 512 / 1875
ACC_DEC = 65536 / 4e6
SLICE_S = 0.001
QUICK_DEC = 2_000_000.0
HOME_SPEED, HOME_CREEP, HOME_ACC = 40_000.0, 4_000.0, 400_000.0
WINDOW = 10


def signed32(value):
    """The 32-bit pattern as a signed number."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


class Drive:
    """The drive and its shaft. The switch of the machine is at 0 counts of `shaft`."""

    def __init__(self, start, remote):
        self.objects = {address: 0 for address in WRITABLE}
        self.objects.update({MODE: 1, PROFILE_ACC: 20_000, PROFILE_DEC: 20_000, HOME_METHOD: 17})
        self.state = "disabled"
        self.control = 0
        self.remote = remote
        self.shaft = float(start)
        self.speed = 0.0
        self.zero = float(start)
        self.goal = None
        self.queued = None
        self.acknowledge = False
        self.homed = False
        self.home_phase = None
        self.home_done = False
        self.at = time.monotonic()

    # -- time -----------------------------------------------------------------------------------
    def advance(self):
        """Catches up with the clock."""
        now = time.monotonic()
        while self.at < now:
            step = min(SLICE_S, now - self.at)
            self.move(step)
            self.at += step

    def move(self, seconds):
        """One slice of motion towards what is wanted now."""
        acc = self.objects[PROFILE_ACC] / ACC_DEC
        dec = self.objects[PROFILE_DEC] / ACC_DEC
        if self.state == "quick stop":
            self.run(0.0, acc, QUICK_DEC, seconds)
        elif self.state != "enabled":
            self.run(0.0, acc, 4 * QUICK_DEC, seconds)
        elif self.control & 0x100:
            self.run(0.0, acc, dec, seconds)
        elif self.objects[MODE] == 1 and self.goal is not None:
            self.go(self.goal + self.zero, self.objects[PROFILE_SPEED] / SPEED_DEC, acc, dec, seconds)
            if self.arrived() and self.queued is not None:
                self.goal, self.queued = self.queued, None
                self.acknowledge = bool(self.control & 0x10)
        elif self.objects[MODE] == 3:
            self.run(signed32(self.objects[TARGET_SPEED]) / SPEED_DEC, acc, dec, seconds)
        elif self.objects[MODE] == 6 and self.home_phase is not None:
            self.home(seconds)
        else:
            self.run(0.0, acc, dec, seconds)

    def home(self, seconds):
        """Down to the switch, then slowly back to its edge."""
        if self.home_phase == "down":
            self.run(-HOME_SPEED, HOME_ACC, HOME_ACC, seconds)
            if self.shaft <= 0:
                self.home_phase = "edge"
            return
        self.go(0.0, HOME_CREEP, HOME_ACC, HOME_ACC, seconds)
        if self.shaft == 0 and self.speed == 0:
            self.home_phase, self.home_done, self.homed, self.zero = None, True, True, 0.0

    def run(self, wanted, acc, dec, seconds):
        """Brings the speed to `wanted` within the ramps."""
        if wanted * self.speed < 0:
            wanted = 0.0
        limit = (dec if abs(wanted) < abs(self.speed) else acc) * seconds
        self.speed += max(-limit, min(limit, wanted - self.speed))
        self.shaft += self.speed * seconds

    def go(self, target, speed, acc, dec, seconds):
        """A trapezoid that ends at `target`."""
        way = target - self.shaft
        slow = dec * seconds
        if abs(way) <= max(0.5, slow * seconds) and abs(self.speed) <= slow:
            self.shaft, self.speed = target, 0.0
            return
        brake = math.sqrt(slow * slow + 2 * dec * abs(way)) - slow
        self.run(math.copysign(min(abs(speed), brake), way), acc, dec, seconds)

    def arrived(self):
        """At the end of the path that was last taken."""
        goal = self.shaft if self.goal is None else self.goal + self.zero
        return self.speed == 0 and abs(goal - self.shaft) <= WINDOW

    # -- words ----------------------------------------------------------------------------------
    def status(self):
        """The status word, bit by bit as the manual lists them."""
        bits = {"disabled": 0x40, "ready": 0x31, "switched on": 0x33, "enabled": 0x37,
                "quick stop": 0x17}[self.state]
        mode = self.objects[MODE]
        if self.remote:
            bits |= 1 << 9
        if self.state == "enabled":
            still = self.speed == 0
            if self.control & 0x100:
                reached = still
            elif mode == 6:
                reached = still and self.home_phase is None
            elif mode == 3:
                wanted = signed32(self.objects[TARGET_SPEED]) / SPEED_DEC
                reached = abs(self.speed - wanted) < 1
            else:
                reached = self.arrived()
            bits |= (1 << 10) if reached else 0
        twelve = {1: self.acknowledge, 6: self.home_done, 3: self.speed == 0}.get(mode, False)
        bits |= (1 << 12) if twelve else 0
        bits |= 1 << 14  # Commutation found: set from the first enable on in the manual's traces.
        bits |= (1 << 15) if self.homed else 0
        return bits

    def take_control(self, word):
        """A control word has been written."""
        before, self.control = self.control, word
        self.power(word)
        rose = word & 0x10 and not before & 0x10
        fell = before & 0x10 and not word & 0x10
        if fell and self.queued is None:
            self.acknowledge = False
        if fell and self.home_phase is not None:
            self.home_phase = None
        if self.state != "enabled" or not rose:
            return
        if self.objects[MODE] == 6:
            self.homed, self.home_done, self.home_phase = False, False, "down"
        elif self.objects[MODE] == 1:
            self.take_target(word)

    def take_target(self, word):
        """A rising edge of bit 4 in position mode."""
        target = signed32(self.objects[TARGET_POSITION])
        if word & 0x40:
            last = self.queued if self.queued is not None else self.goal
            target += self.shaft - self.zero if last is None else last
        busy = self.goal is not None and not self.arrived()
        if busy and not word & 0x20:
            if self.queued is None:
                self.queued, self.acknowledge = target, True
            return
        self.goal, self.queued, self.acknowledge = target, None, True

    def power(self, word):
        """The CiA 402 state diagram; quick stop stands until 0x06."""
        before = self.state
        if word & 0x80 or not self.remote:
            return
        if not word & 2:
            self.state = "disabled"
        elif not word & 4:
            self.state = "quick stop" if before in ("enabled", "quick stop") else "disabled"
        elif not word & 1:
            self.state = "ready"
        elif before in ("ready", "switched on", "enabled"):
            self.state = "enabled" if word & 8 else "switched on"
        if self.state != before:
            self.goal = self.queued = self.home_phase = None
            self.acknowledge = False

    def read(self, address):
        """One register."""
        base = address & ~1
        value = self.objects.get(base)
        if base == STATUS:
            value = self.status()
        elif base == ACTUAL_POSITION:
            value = round(self.shaft - self.zero)
        elif base == ACTUAL_SPEED:
            value = round(self.speed * SPEED_DEC)
        elif base == ERROR_STATE:
            value = 0
        return ((value & 0xFFFFFFFF) >> (16 * (address & 1))) & 0xFFFF

    def write(self, address, words):
        """Registers in a row, one object or a part of it."""
        mode = self.objects[MODE]
        for offset, word in enumerate(words):
            base, high = (address + offset) & ~1, (address + offset) & 1
            keep = 0x0000FFFF if high else 0xFFFF0000
            self.objects[base] = (self.objects[base] & keep) | (word << (16 * high))
        if self.objects[MODE] != mode:
            self.goal = self.queued = self.home_phase = None
            self.acknowledge = self.home_done = False
        if address & ~1 == CONTROL:
            self.take_control(self.objects[CONTROL] & 0xFFFF)


class Registers(IModbusSlaveContext):
    """What pymodbus asks of a slave, answered by the drive."""

    def __init__(self, drive):
        self.drive = drive

    def __str__(self):
        return "Kinco drive"

    def reset(self):
        """Nothing to take back."""

    def validate(self, fc_as_hex, address, count=1):
        """False gives exception 2."""
        known = READABLE if fc_as_hex == 3 else WRITABLE
        if fc_as_hex not in (3, 6, 16):
            return False
        return all(((address + i) & ~1) in known for i in range(count))

    def getValues(self, fc_as_hex, address, count=1):  # pylint: disable=invalid-name
        """Reads, and the echo of a write."""
        self.drive.advance()
        return [self.drive.read(address + i) for i in range(count)]

    def setValues(self, fc_as_hex, address, values):  # pylint: disable=invalid-name
        """Writes."""
        self.drive.advance()
        self.drive.write(address, values)


def logging_framer(log):
    """A framer that logs each whole request before it is carried out."""

    class Framer(ModbusSocketFramer):
        """One request at a time, also when bytes come in pieces."""

        def __init__(self, decoder, client=None):
            super().__init__(decoder, client)
            self.pieces = b""

        def processIncomingPacket(self, data, callback, unit, **kwargs):
            """Cuts the stream into frames."""
            self.pieces += data
            while len(self.pieces) >= 7:
                end = 6 + int.from_bytes(self.pieces[4:6], "big")
                if len(self.pieces) < end:
                    return
                frame, self.pieces = self.pieces[:end], self.pieces[end:]
                line = {"tMs": time.monotonic() * 1000, "unit": frame[6], "pdu": frame[7:].hex(),
                        "frame": frame.hex()}
                log.write(json.dumps(line) + "\n")
                log.flush()
                super().processIncomingPacket(frame, callback, unit, **kwargs)

    return Framer


async def main():
    """Serves until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", default="/dev/null")
    parser.add_argument("--unit", type=int, default=1)
    parser.add_argument("--start", type=int, default=60_000)
    parser.add_argument("--remote", type=int, default=1)
    options = parser.parse_args()
    drive = Drive(options.start, bool(options.remote))
    context = ModbusServerContext(slaves={options.unit: Registers(drive)}, single=False)
    with open(options.log, "a", encoding="utf8") as log:
        server = ModbusTcpServer(context, framer=logging_framer(log),
                                 address=("127.0.0.1", options.port))
        serving = asyncio.ensure_future(server.serve_forever())
        while server.server is None or not server.server.sockets:
            await asyncio.sleep(0.005)
        print(server.server.sockets[0].getsockname()[1], flush=True)
        await serving


if __name__ == "__main__":
    asyncio.run(main())
