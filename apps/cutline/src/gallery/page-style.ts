import { themeStyle } from '../page/theme-style.ts';

/**
 * The page's style: a printed catalogue. One serif for what is read, one sans for what is looked
 * up; prints of a row stand on one line, captions below them; colour is left to the photographs.
 * Text has a contrast of at least 4.5 on its ground, in light and in dark.
 */
export const pageStyle = /* css */ `${themeStyle}
body {
  max-width: 88rem; margin-inline: auto; padding: 0 clamp(1.25rem, 4vw, 4rem);
  background: var(--paper); color: var(--ink);
  font: 0.875rem/1.55 var(--sans); overflow-wrap: break-word;
}
.page-header { padding-block: clamp(2.5rem, 7vw, 6rem) clamp(2rem, 4vw, 3.5rem); }
h1 { margin-block: 0.35rem 0.75rem; font: 400 clamp(2.25rem, 6vw, 4rem)/1.08 var(--serif); letter-spacing: -0.015em; text-wrap: balance; overflow-wrap: anywhere; }
.imprint { display: flex; flex-wrap: wrap; gap: 0.15rem 2rem; color: var(--muted); }
.totals { display: flex; flex-wrap: wrap; gap: 1.25rem clamp(2rem, 5vw, 4.5rem); margin-block: clamp(2rem, 4vw, 3.25rem); }
.totals div { display: flex; flex-direction: column-reverse; }
.totals dt { color: var(--muted); }
.totals dd { font: 400 2.125rem/1.15 var(--serif); font-variant-numeric: lining-nums; }
.legend { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1.75rem 3.5rem; padding-block-start: 1.5rem; border-block-start: 1px solid var(--rule); }
.legend section { max-width: 30rem; }
.legend h2 { margin-block-end: 0.3rem; font-size: inherit; font-weight: 600; }
.legend p { color: var(--muted); text-wrap: pretty; }
.legend sup { line-height: 0; }
.scale { display: flex; align-items: center; gap: 0.7rem; margin-block-start: 0.75rem; font-size: 0.8125rem; }
.scale canvas { width: 9rem; height: 0.625rem; border-radius: 1px; background: #9d978e; }

.controls {
  position: sticky; inset-block-start: 0; z-index: 2;
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1.75rem;
  padding-block: 0.75rem; margin-block-end: 2.5rem;
  background: var(--paper); border-block: 1px solid var(--rule);
  /* Photographs that scroll under it must not show beside it. */
  box-shadow: -1rem 0 var(--paper), 1rem 0 var(--paper);
}
.controls label { display: flex; align-items: center; gap: 0.6rem; color: var(--muted); }
.search { flex: 1 1 14rem; max-width: 28rem; }
input, select { min-height: 2.25rem; border: 0; border-radius: 2px; background: var(--wash); color: var(--ink); font: inherit; }
input { width: 100%; padding-inline: 0.75rem; }
input::-webkit-search-cancel-button { filter: grayscale(1); }
input::placeholder { color: var(--muted); opacity: 1; }
select { padding-inline: 0.6rem; }
.shown { margin-inline-start: auto; color: var(--muted); font-variant-numeric: tabular-nums; }

.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17.5rem), 1fr)); gap: 2.5rem clamp(1.75rem, 3vw, 3rem); list-style: none; }
/*
 * Only what is near the screen is laid out; what would reach beyond a card's padding is cut off
 * (shadows, focus rings). Not a list item, for Chromium renumbers all items for each one it hides:
 * 5 s a search among 2000.
 */
.card { display: block; min-width: 0; margin: -0.75rem; padding: 0.75rem; content-visibility: auto; contain-intrinsic-size: auto 18rem auto 25rem; }
.mat { display: flex; align-items: flex-end; height: 16rem; }
.print { position: relative; max-width: 100%; line-height: 0; box-shadow: 0 0 0 1px light-dark(#0000000f, #ffffff14), 0 0.5rem 1.25rem -0.625rem light-dark(#2a201459, #000); }
.print img { width: auto; height: auto; max-width: 100%; max-height: 16rem; background: var(--wash); }
.heat { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; animation: kindle 160ms ease-out; }
@keyframes kindle { from { opacity: 0; } }
.print a { display: block; line-height: 0; }
.key a { text-decoration: none; }
.key a:hover { text-decoration: underline; }
.no-preview { display: grid; place-items: center; width: 100%; max-width: 18rem; aspect-ratio: 4 / 3; padding: 2rem; border: 1px dashed var(--rule); color: var(--muted); text-align: center; }
.caption { margin-block: 1.125rem 0.5rem; font: 400 1.1875rem/1.4 var(--serif); text-wrap: pretty; }
.word { border-radius: 2px; outline-offset: 1px; transition: background-color 120ms; cursor: default; }
.card:is(:hover, :focus-within) .word { text-decoration: underline dotted 1px color-mix(in srgb, var(--muted) 60%, transparent); text-underline-offset: 0.28em; }
.word[data-shown] { background: color-mix(in srgb, var(--accent) 24%, transparent); box-shadow: 0 0 0 0.15em color-mix(in srgb, var(--accent) 24%, transparent); }
.review { color: var(--accent); font-size: 0.8125rem; }
.caption del { color: var(--muted); }
.facts { display: flex; gap: 1.25rem; color: var(--muted); font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.score { font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts .score { color: var(--ink); font-weight: 600; }
.key { display: flex; align-items: baseline; gap: 0.75rem; color: var(--muted); }
.key code { min-width: 0; }
.card .key code { display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 2; font-size: 0.75rem; }
.card .key:is(:hover, :focus-within) code { -webkit-line-clamp: unset; }
.copy { flex: none; border: 0; background: none; color: var(--accent); font: 0.75rem/1.5 var(--sans); cursor: pointer; }
@media (hover: hover) {
  .copy { opacity: 0; }
  :is(.card, .entry):is(:hover, :focus-within) .copy { opacity: 1; }
}
.copy:hover { text-decoration: underline; }
details { margin-block-start: 0.5rem; font-size: 0.8125rem; }
summary { width: fit-content; color: var(--muted); cursor: pointer; }
summary:hover { color: var(--ink); }
details ol { padding-inline-start: 1.25rem; }
details li { padding-block: 0.3rem; border-block-end: 1px solid var(--rule); }
details li::marker { color: var(--muted); font-variant-numeric: tabular-nums; }
details li .score { float: inline-end; margin-inline-start: 1rem; color: var(--muted); }

.pages { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: center; gap: 0.5rem 1.5rem; margin-block: 0 2.5rem; font-variant-numeric: tabular-nums; }
.cards ~ .pages { margin-block: 3.5rem 0; }
.pages ol { display: flex; gap: 0.25rem; list-style: none; color: var(--muted); }
.pages :is(a, b) { display: inline-block; padding: 0.25rem 0.6rem; border-radius: 2px; }
.pages a { text-decoration: none; }
.pages a:hover { background: var(--wash); text-decoration: underline; text-decoration-color: var(--accent); }
.pages b { background: var(--wash); font-weight: 600; }

.notice, .section-note { color: var(--muted); }
.notice { margin-block-start: 3rem; }
main > section { margin-block-start: clamp(4rem, 8vw, 6.5rem); padding-block-start: 1.5rem; border-block-start: 1px solid var(--rule); }
main > section > h2 { font: 400 1.875rem/1.2 var(--serif); }
.group { display: grid; grid-template-columns: minmax(11rem, 1fr) 3fr; gap: 0 3rem; margin-block-start: 2rem; }
.group h3 { font-size: inherit; font-weight: 600; }
.group .count { margin-inline-start: 0.35rem; color: var(--muted); font-weight: 400; font-variant-numeric: tabular-nums; }
.group .meaning { grid-column: 1; color: var(--muted); font-size: 0.8125rem; text-wrap: pretty; }
.group ul { grid-column: 2; grid-row: 1 / span 3; list-style: none; }
.group .section-note { grid-column: 2; }
.entry { padding-block: 0.5rem; border-block-end: 1px solid var(--rule); }
.entry:first-child { padding-block-start: 0; }
.entry .key { justify-content: space-between; color: var(--ink); }
.message { color: var(--muted); font-size: 0.8125rem; }
.page-footer { margin-block: clamp(4rem, 8vw, 7rem) 3rem; color: var(--muted); font-size: 0.8125rem; }

@media (max-width: 40rem) {
  html { scroll-padding-top: 8rem; }
  .mat, .print img { height: auto; max-height: 22rem; }
  .group { grid-template-columns: 1fr; gap: 0.5rem; }
  .group ul, .group .section-note { grid-column: 1; grid-row: auto; }
  .controls { gap: 0.5rem 0.75rem; }
  .pages { justify-content: space-between; }
  .pages ol { order: 1; flex-basis: 100%; justify-content: center; }
  .search { flex-basis: 100%; max-width: none; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
@media print {
  body { max-width: none; padding: 0; }
  .controls, .copy, .page-footer, #attention-legend { display: none; }
  .card { content-visibility: visible; }
  .card, .entry { break-inside: avoid; }
}
`;
