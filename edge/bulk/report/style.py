"""The style sheet of the report: for light and dark, phone, desk and paper. It asks for nothing from anywhere."""

STYLE = """
:root { color-scheme: light dark; --ground: #fdfdfc; --ink: #1c2126; --dim: #59636d; --line: #dcdfe2; --rule: #8a939b;
  --link: #0a5580; --tankers: #bf3a14; --vessels: #1b6a9c; --warn: #7a4a00; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14181c; --ink: #e6e9ec; --dim: #a0abb5; --line: #2d353c; --rule: #76828c; --link: #8cc8ee;
    --tankers: #ff7d57; --vessels: #74bdea; --warn: #f0c36d; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.75rem; font-weight: 640; letter-spacing: -.015em; }
h2 { margin: 0 0 .75rem; font-size: 1.3rem; font-weight: 640; letter-spacing: -.01em; }
h3 { margin: 2rem 0 .5rem; font-size: 1rem; font-weight: 640; }
p { margin: .5rem 0; max-width: 44rem; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: .15em; }
code { font: .85em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
section { margin-top: 3rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
.lead, .note, .key { color: var(--dim); } .note, .key { font-size: .875rem; }
.warning { color: var(--warn); font-weight: 600; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }

dl { margin: 0; } dd { margin: 0; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.75rem; margin: 2rem 0 0; }
.figures div { display: flex; flex-direction: column-reverse; }
.figures dt { color: var(--dim); font-size: .875rem; } .figures dd { font-size: 1.75rem; line-height: 1.2; }
.facts div, .guide div { display: grid; grid-template-columns: 15rem 1fr; gap: 0 1.5rem; padding: .4rem 0;
  border-bottom: 1px solid var(--line); }
.facts dt, .guide dt { color: var(--dim); } .facts dd, .guide dd { overflow-wrap: anywhere; max-width: 44rem; }
.facts { font-size: .9rem; }
.guide div { grid-template-columns: 8rem 1fr; border: 0; } .guide dt { color: var(--ink); font-weight: 600; }

.chart { display: block; overflow: visible; }
.chart text { fill: var(--dim); font-size: 12px; } .chart .time { text-anchor: middle; }
.chart .panel { fill: var(--ink); font-size: 13px; font-weight: 600; }
.chart .grid { stroke: var(--line); } .chart .base { stroke: var(--rule); }
.tankers { --series: var(--tankers); } .vessels { --series: var(--vessels); }
.chart g line { stroke: var(--series); stroke-width: 1.5; stroke-opacity: .55; }
.chart circle { fill: var(--series); stroke: var(--series); stroke-width: 1.5; }
.chart circle.part { fill: var(--ground); }
.many g line { stroke-width: 1; stroke-opacity: .4; } .many circle { r: 2.25px; stroke-width: 1; }

.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 0 1rem; }
figure { margin: 0 0 1.25rem; break-inside: avoid; display: grid; grid-template-rows: subgrid; grid-row: span 2; }
figure img { display: block; align-self: end; width: 100%; height: auto; max-height: 16rem; object-fit: contain;
  object-position: bottom left; }
figcaption { margin-top: .4rem; font-size: .8125rem; line-height: 1.4; }
figcaption * { display: block; } figcaption b { font-weight: 600; }
.name { color: var(--dim); overflow-wrap: anywhere; }

.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; }
th, td { padding: .35rem 1rem .35rem 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
thead th { color: var(--dim); font-weight: 500; vertical-align: bottom; border-color: var(--rule); }
tbody th { font-weight: 500; min-width: 9rem; } td { white-space: nowrap; }
tr > :first-child, tbody th, td.words, thead .words { text-align: left; overflow-wrap: anywhere; }
td.words { white-space: normal; min-width: 6rem; }
tr > :last-child { padding-right: 0; }
.bounds { color: var(--dim); }
details { margin-top: 2rem; } summary { cursor: pointer; font-weight: 640; margin-bottom: .5rem; width: fit-content; }

@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; } h1 { font-size: 1.4rem; }
  .figures { gap: .75rem 1.75rem; } .figures dd { font-size: 1.4rem; }
  .facts div, .guide div { grid-template-columns: 1fr; }
  .gallery { grid-template-columns: 1fr 1fr; }
  .many circle { r: 1.75px; }
}
@media print {
  :root { color-scheme: light; --ground: #fff; --ink: #000; --dim: #444; --line: #ccc; --rule: #777; --link: #000;
    --tankers: #bf3a14; --vessels: #1b6a9c; --warn: #000; }
  body { font-size: 10pt; } main { max-width: none; padding: 0; }
  section { margin-top: 1.5rem; } h2, h3, summary { break-after: avoid; } tr, .chart { break-inside: avoid; }
  .wide { overflow: visible; } table, figcaption { font-size: 7.5pt; } th, td { padding-right: .5rem; }
  tbody th, td.words { min-width: 0; }
  .gallery { grid-template-columns: repeat(6, 1fr); }
}
"""
