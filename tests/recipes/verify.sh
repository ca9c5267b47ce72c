#!/bin/sh
# What the service really does, measured gently on closed days, and then followed. INDIVD_TOKEN=… sh verify.sh
set -eu

# Exit code 1: something that figures depend on does not hold. Then report.md is what Indivd's support needs.
indivd verify --record answers --anonymous --profile indivd.json --markdown >report.md || test $? = 1
head -n 12 report.md

# With the profile, weeks have first days, and line_crosses a clock.
INDIVD_PROFILE=indivd.json indivd fetch line_crosses --start-date 2025-03-03 --end-date 2025-03-16 \
    --aggregate-by week --format csv
