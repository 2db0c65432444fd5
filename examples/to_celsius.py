"""Turns readings `date,temperature` in Fahrenheit into one Celsius value a line."""

import sys

next(sys.stdin)  # The header.
for line in sys.stdin:
    date, fahrenheit = line.split(",")
    print(f"{(float(fahrenheit) - 32) * 5 / 9:.2f}")
