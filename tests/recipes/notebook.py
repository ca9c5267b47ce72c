"""A notebook: each `# %%` is a cell, in Jupyter, VS Code or PyCharm. `await` at the top level, and no nest_asyncio."""

# %%
import matplotlib.pyplot as plt
import polars as pl

from indivd_async import AsyncIndivd

client = AsyncIndivd(progress=True)
await client.locations()

# %%
march = await client.zone_visitors("2025-03-01", "2025-03-31", aggregate_by="year,month,dayofmonth,hour", location=124)
march

# %%
pl.DataFrame(march).group_by("zone_name").agg(pl.sum("visits")).sort("visits")

# %% A line by day.
days = pl.DataFrame(march).group_by(pl.col("bucket_start").dt.date().alias("day")).agg(pl.sum("visits")).sort("day")
figure, axes = plt.subplots()
axes.plot(days["day"], days["visits"])
axes.set(title="Visits by day", ylim=(0, None))
figure.autofmt_xdate()

# %% A heat map: weekday × hour. As words, each stands in its own place, also where a day or an hour has no visits.
grid = pl.DataFrame(march).sort("hour").pivot("hour", index="weekday", values="visits", aggregate_function="sum")
grid = grid.sort("weekday").cast({"weekday": str})
figure, axes = plt.subplots()
picture = axes.pcolormesh(grid.columns[1:], grid["weekday"], grid.drop("weekday"))
axes.set(title="Visits", xlabel="hour", ylabel="weekday, 1 is Monday")
axes.invert_yaxis()
figure.colorbar(picture)

# %% A funnel: passed by, went in, stayed longer than a bounce.
rates = (await client.drop_in_rate("2025-03-01", "2025-03-31", location=124)).summary.current
stayed = march.total("visits") - march.total("bounce")
steps = {"passed by": rates.passing_by, "went in": rates.enter, "visits that stayed": stayed}
figure, axes = plt.subplots()
bars = axes.barh(list(steps), list(steps.values()))
axes.bar_label(bars)
axes.invert_yaxis()

# %%
await client.aclose()
