#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an OpenMetrics text on standard input by the reference parser, strictly, and prints its samples a line each."""
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

count = 0
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        count += 1
        labels = ",".join(f'{k}="{v}"' for k, v in sample.labels.items())
        print(f"{sample.name}{{{labels}}} {sample.value:g} {family.type} {family.unit}")
sys.exit(0 if count else 1)
