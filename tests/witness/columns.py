"""Klines read plainly, as decimal strings: a digest per contract of what the binary's columns must hold.

usage: columns.py FOLDER      (prints `SYMBOL bars sha256`, of lines `time open close` without trailing zeros)
"""
import csv
import gzip
import hashlib
import os
import sys


def plain(number):
    return number.rstrip("0").rstrip(".") if "." in number else number


def main():
    folder = sys.argv[1]
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".csv.gz")):
        digest, bars = hashlib.sha256(), 0
        with gzip.open(f"{folder}/{name}", "rt", newline="") as file:
            for row in csv.DictReader(file):
                digest.update(f"{row['open_time']} {plain(row['open'])} {plain(row['close'])}\n".encode())
                bars += 1
        print(name.split("-")[0], bars, digest.hexdigest())


main()
