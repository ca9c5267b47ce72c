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

# %% A heat map: weekday × hour.
grid = pl.DataFrame(march).pivot("hour", index="weekday", values="visits", aggregate_function="sum", sort_columns=True)
figure, axes = plt.subplots()
picture = axes.imshow(grid.sort("weekday").drop("weekday"), aspect="auto")
axes.set(title="Visits", xlabel="hour", yticks=range(7), yticklabels=["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"])
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
