"""Reads `date,temperature` lines and writes each as an object, in Celsius.

A program of OneOS: `sys.stdout.json` is one of its record streams (docs/records.md).
"""

import sys

for line in sys.stdin:
    date, _, temperature = line.strip().partition(",")
    try:
        fahrenheit = float(temperature)
    except ValueError:
        continue  # The header.
    sys.stdout.json.write({"date": date, "celsius": round((fahrenheit - 32) / 1.8, 2)})
