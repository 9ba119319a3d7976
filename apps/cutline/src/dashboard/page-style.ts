import { themeStyle } from '../gallery/index.ts';

/** The style of a dashboard: the gallery's, with figures that line up. */
export const pageStyle = /* css */ `${themeStyle}
body { background: var(--paper); color: var(--ink); font: 0.875rem/1.5 var(--sans); overflow-wrap: break-word; }
.bar { display: flex; flex-wrap: wrap; align-items: end; justify-content: space-between; gap: 0.75rem 2.5rem; padding: 1rem clamp(1rem, 2.5vw, 2.5rem); border-block-end: 1px solid var(--rule); }
h1 { font: 400 1.375rem/1.2 var(--serif); }
h2 { margin-block-end: 0.75rem; font: 400 1.25rem/1.2 var(--serif); }
.figures { display: flex; flex-wrap: wrap; gap: 0.25rem 2rem; font-variant-numeric: tabular-nums; }
.figures dt { color: var(--muted); font-size: 0.75rem; }
.trouble { padding: 0.75rem clamp(1rem, 2.5vw, 2.5rem); background: var(--accent); color: var(--paper); font-weight: 600; }
main { display: grid; gap: 2.5rem; max-width: 90rem; padding: 1.5rem clamp(1rem, 2.5vw, 2.5rem) 2.5rem; }
main.is-stale { opacity: 0.45; }
section { min-width: 0; }
.empty { color: var(--muted); }
.foot { padding: 0.75rem clamp(1rem, 2.5vw, 2.5rem); border-block-start: 1px solid var(--rule); color: var(--muted); font-size: 0.75rem; }

.run { padding-block: 1rem; border-block-start: 1px solid var(--rule); }
.run > header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }
.run h3 { min-width: 0; font: 400 1.125rem/1.3 var(--serif); }
.state { color: var(--muted); }
.state.is-trouble { color: var(--accent); font-weight: 600; }
.model { margin-inline-start: auto; color: var(--muted); font-size: 0.75rem; }
.share { display: flex; height: 6px; margin-block: 0.6rem; border-radius: 3px; background: var(--rule); overflow: hidden; }
.share i { display: block; }
.share .captioned { background: var(--ink); }
.share .skipped { background: var(--muted); }
.share .failed { background: var(--accent); }
.share .encoded { background: color-mix(in srgb, var(--ink) 28%, var(--rule)); }
.classes { display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; margin-block-start: 0.6rem; }
button { padding: 0.1rem 0.6rem; border: 1px solid var(--rule); border-radius: 3px; background: var(--paper); color: var(--ink); font: inherit; font-size: 0.8125rem; cursor: pointer; }
button:hover, button[aria-expanded='true'] { border-color: var(--accent); color: var(--accent); }
.examples { margin-block-start: 0.6rem; list-style: none; }
.examples li { display: grid; grid-template-columns: 7rem minmax(8rem, 1fr) 2fr; gap: 0 1rem; padding-block: 0.25rem; border-block-start: 1px solid var(--rule); font-size: 0.8125rem; }
.examples .note { display: block; color: var(--muted); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 1.25rem 0.35rem 0; border-block-end: 1px solid var(--rule); text-align: start; white-space: nowrap; }
th { color: var(--muted); font-size: 0.75rem; font-weight: 400; }
:is(th, td):last-child { padding-inline-end: 0; }
td:last-child { font-size: 0.75rem; }
.n { text-align: end; }
td.is-trouble { color: var(--accent); font-weight: 600; }
.is-silent { color: var(--muted); }

@media (max-width: 40rem) {
  .model { flex-basis: 100%; margin: 0; }
  .examples li { grid-template-columns: 1fr; }
  th, td { padding-inline-end: 0.875rem; }
}
`;
