"""
The figures of the README, measured: `python -m benchmarks`, or `--quick` for a look in under a minute.

One script a question; each has a `main(quick)` that returns rows of name, figure reached, target and unit. Client and
server are different processes on one machine. What is compared is measured in turns, each time in a fresh process, so
that noise falls on both sides alike.
"""
