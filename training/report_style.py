"""The style sheet of the report: for light and dark, phone and desk. It asks for nothing from anywhere."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1b1b; --soft: #667; --line: #d5d8de; --box: #f3f5f8;
  --a: #0072b2; --b: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --ink: #e8eaee; --soft: #9aa3b2; --line: #343b47; --box: #1e232b; --a: #56b4e9;
    --b: #f0a050; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
.warning { border: 2px solid var(--b); border-radius: 6px; padding: .6rem .8rem; font-weight: 600; }
.headline { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .6rem; }
.headline div { background: var(--box); border-radius: 6px; padding: .6rem .8rem; }
.headline b { display: block; font-size: 1.4rem; } .headline span { color: var(--soft); font-size: .85rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--ground);
  white-space: normal; overflow-wrap: anywhere; min-width: min(15rem, 38vw); }
figure { margin: 1.5rem 0; } figcaption { font-size: .85rem; color: var(--soft); overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 1rem; }
.plots figure { margin: 0; }
.plot { width: 100%; max-width: 420px; height: auto; } .plot text { fill: currentColor; font-size: 12px; }
.plot .grid { stroke: var(--line); } .plot .ideal { stroke: var(--soft); stroke-dasharray: 5 4; }
.plot .bar { stroke: var(--a); stroke-width: 1.5; } .plot .dot, .plot .fill { fill: var(--a); }
.plot .hollow { fill: none; stroke: var(--b); stroke-width: 1.5; }
.plot .curve { fill: none; stroke: var(--a); stroke-width: 2; }
.plot .ring { fill: none; stroke: var(--b); stroke-width: 2.5; }
.scene { position: relative; width: 100%; } .scene img { display: block; width: 100%; height: auto; }
.scene svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.scene polygon { fill: none; vector-effect: non-scaling-stroke; pointer-events: all; }
.scene .rim { stroke: #000; stroke-opacity: .55; stroke-width: 4; pointer-events: none; }
.hit { stroke: #2ee6a0; stroke-width: 2; }
.miss { stroke: #ff8c1a; stroke-dasharray: 10 5; stroke-width: 2.5; }
.invention { stroke: #ff5ad9; stroke-dasharray: 2 4; stroke-width: 3; }
.wrong-kind { stroke: #ffe93b; stroke-dasharray: 9 4 2 4; stroke-width: 2.5; }
.ignored { stroke: #d0d0d0; stroke-width: 1; }
.legend { list-style: none; padding: 0; font-size: .85rem; }
.legend li { display: flex; align-items: center; gap: .6rem; margin: .3rem 0; }
.sample { width: 44px; height: 14px; background: #33404d; border-radius: 3px; flex: none; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 1rem; }
.gallery figure { margin: 0; } .gallery img { width: 100%; height: auto; display: block; }
"""
