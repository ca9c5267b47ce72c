#!/bin/sh
# A shell script: the week's visits by store and day as CSV, and the store with the most. INDIVD_TOKEN=… sh shell_script.sh
set -eu

first=${1:-2025-03-03} last=${2:-2025-03-09}

indivd fetch zone_visitors --start-date "$first" --end-date "$last" --aggregate-by dayofmonth,month,year \
    --location Drottninggatan --location "Central Station" --format csv --out week.csv

indivd locations --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)), "stores")'

# Exit code 1: something failed or is missing; the file is then not written at all.
cut -d, -f1-8 week.csv | head -n 5
python3 -c '
import collections, csv
visits = collections.Counter()
for row in csv.DictReader(open("week.csv", encoding="utf-8")):
    visits[row["loc_name"]] += int(row["visits"])
print(*visits.most_common(1)[0])'
