import { themeStyle } from '../gallery/index.ts';

/**
 * The style of a review: the gallery's, as a desk. The image has all the room there is; on wide
 * screens the caption stands beside it, on narrow ones below, and the buttons are where thumbs are.
 */
export const pageStyle = /* css */ `${themeStyle}
body {
  display: grid; grid-template-rows: auto auto 1fr auto; height: 100dvh;
  background: var(--paper); color: var(--ink);
  font: 0.875rem/1.5 var(--sans); overflow-wrap: break-word;
}
button { min-height: 2.25rem; padding: 0.25rem 0.875rem; border: 1px solid var(--rule); border-radius: 3px; background: var(--paper); color: var(--ink); font: inherit; cursor: pointer; }
button:hover { background: var(--wash); }
button:disabled { color: var(--muted); opacity: 0.6; cursor: default; }
button kbd { margin-inline-start: 0.35em; color: var(--muted); font-size: 0.75rem; }
input, select { min-height: 2.25rem; padding-inline: 0.6rem; border: 0; border-radius: 2px; background: var(--wash); color: var(--ink); font: inherit; }
input::placeholder, textarea::placeholder { color: var(--muted); opacity: 1; }

.bar { display: grid; grid-template-columns: minmax(0, auto) minmax(12rem, 1fr) auto; align-items: center; gap: 0.5rem clamp(1.25rem, 3vw, 3rem); padding: 0.75rem clamp(1rem, 2.5vw, 2.5rem); border-block-end: 1px solid var(--rule); }
.bar h1 { overflow: hidden; font: 400 1.375rem/1.2 var(--serif); text-overflow: ellipsis; white-space: nowrap; }
.progress { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.25rem; color: var(--muted); font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.progress strong { color: var(--ink); font-weight: 600; }
progress { flex: 0 0 100%; height: 3px; margin-block-end: 0.3rem; border: 0; border-radius: 2px; background: var(--rule); appearance: none; }
progress::-webkit-progress-bar { border-radius: 2px; background: var(--rule); }
progress::-webkit-progress-value { border-radius: 2px; background: var(--accent); transition: width 160ms; }
progress::-moz-progress-bar { border-radius: 2px; background: var(--accent); }
.quiet { margin-inline-start: auto; }
.is-trouble { color: var(--accent); font-weight: 600; }
.tools { display: flex; gap: 0.5rem; }
#show-filters.is-on { border-color: var(--accent); color: var(--accent); }

.filters { display: flex; flex-wrap: wrap; align-items: end; gap: 0.5rem 1rem; padding: 0.75rem clamp(1rem, 2.5vw, 2.5rem); border-block-end: 1px solid var(--rule); }
.filters label, .filters fieldset { color: var(--muted); font-size: 0.8125rem; }
.filters label > span:not(.unseen), .filters legend { display: block; }
.filters :is(input, select) { font-size: 0.875rem; }
.filters fieldset { border: 0; }
.filters fieldset label { display: inline-block; }
.filters .search { flex: 1 1 9rem; }
.filters .search input { width: 100%; }

main { display: grid; grid-row: 3; grid-template-columns: minmax(0, 1fr) minmax(20rem, 28rem); min-height: 0; }
.mat { display: grid; place-items: center; min-width: 0; min-height: 0; padding: clamp(1rem, 2.5vw, 2.5rem); background: var(--wash); overflow: hidden; cursor: zoom-in; }
.mat img { max-width: 100%; max-height: 100%; min-height: 0; box-shadow: 0 0 0 1px light-dark(#0000000f, #ffffff14), 0 0.5rem 1.25rem -0.625rem light-dark(#2a201459, #000); }
.mat:not([data-state='shown']) img { visibility: hidden; }
.mat .no-picture { display: none; color: var(--muted); }
.mat[data-state='missing'] .no-picture { display: block; }
.mat[data-state='missing'] img { display: none; }
.mat.is-zoomed { place-items: start; padding: 0; overflow: auto; cursor: zoom-out; }
.mat.is-zoomed img { max-width: none; max-height: none; min-width: 100%; margin: auto; }

.desk { display: flex; flex-direction: column; gap: 1rem; min-height: 0; padding: clamp(1rem, 2.5vw, 2.5rem); border-inline-start: 1px solid var(--rule); overflow-y: auto; }
.review { color: var(--accent); font-size: 0.8125rem; }
[data-decision='rejected'] #caption { color: var(--muted); text-decoration: line-through; }
#caption { flex: none; width: calc(100% + 1.5rem); max-height: 40vh; margin-inline: -0.75rem; padding: 0.5rem 0.75rem; border: 1px solid transparent; border-radius: 3px; background: transparent; color: var(--ink); font: 400 1.5rem/1.35 var(--serif); resize: none; field-sizing: content; }
#caption:hover { border-color: var(--rule); }
#caption:focus { border-color: var(--accent); outline: none; text-decoration: none; }
.is-written #caption { border-color: var(--accent); }
.notes { color: var(--muted); font-size: 0.8125rem; list-style: none; }
.notes:empty { display: none; }
.actions { display: grid; grid-template-columns: 2fr 1fr; gap: 0.5rem; }
.actions button { min-height: 2.75rem; }
.main { border-color: var(--accent); background: var(--accent); color: var(--paper); font-weight: 600; }
.main:hover:not(:disabled) { background: color-mix(in srgb, var(--accent) 88%, var(--ink)); }
.main kbd { border-color: color-mix(in srgb, var(--paper) 45%, transparent); color: inherit; }
.candidates { list-style: none; }
.candidates li { border-block-end: 1px solid var(--rule); }
.candidate { display: flex; align-items: baseline; gap: 0.75rem; width: calc(100% + 1rem); margin-inline: -0.5rem; padding: 0.5rem; border: 0; text-align: start; }
.candidate kbd { flex: none; margin: 0; }
.candidate span[dir] { flex: 1; min-width: 0; }
.score { color: var(--muted); font-size: 0.8125rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts { display: flex; justify-content: space-between; gap: 1rem; margin-block-start: auto; color: var(--muted); font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
#facts { display: flex; gap: 1.25rem; }
#facts .score { color: var(--ink); font-weight: 600; }
.key { color: var(--muted); font-size: 0.75rem; }

.finished { display: grid; grid-column: 1 / -1; place-content: center; justify-items: center; gap: 1rem; padding: 2rem; text-align: center; }
.finished h2 { font: 400 2rem/1.2 var(--serif); }
.finished p { color: var(--muted); }
.foot { grid-row: 4; padding: 0.4rem clamp(1rem, 2.5vw, 2.5rem); border-block-start: 1px solid var(--rule); color: var(--muted); font-size: 0.75rem; }
.said { position: fixed; inset: auto 1rem 1rem; z-index: 3; display: grid; justify-items: center; pointer-events: none; }
.note { display: flex; align-items: center; gap: 1rem; max-width: 44rem; padding: 0.75rem 1rem; border: 1px solid var(--accent); border-radius: 4px; background: var(--paper); box-shadow: 0 0.5rem 1.5rem -0.5rem #0006; pointer-events: auto; }
.note p { min-width: 0; overflow-wrap: anywhere; }
.note button { flex: none; }
dialog { max-width: min(34rem, calc(100vw - 2rem)); margin: auto; padding: 1.5rem 2rem; border: 1px solid var(--rule); border-radius: 4px; background: var(--paper); color: var(--ink); }
dialog::backdrop { background: #0006; }
dialog h2 { margin-block-end: 1rem; font: 400 1.5rem/1.2 var(--serif); }
dialog dl div { display: grid; grid-template-columns: 8rem 1fr; gap: 1rem; padding-block: 0.35rem; border-block-end: 1px solid var(--rule); }
dialog form { margin-block-start: 1.25rem; text-align: end; }

@media (max-width: 56rem) {
  body { display: block; height: auto; min-height: 100dvh; }
  main { display: block; }
  .mat { height: 52vh; }
  .desk { padding-block-end: 6.5rem; border: 0; }
  .actions { position: fixed; inset: auto 0 0; z-index: 2; grid-template-columns: 2fr 1fr 1fr 1fr; padding: 0.625rem 0.75rem calc(0.625rem + env(safe-area-inset-bottom)); border-block-start: 1px solid var(--rule); background: var(--paper); }
  .said { inset-block-end: 5.5rem; }
  .finished { min-height: 60vh; }
  .foot { display: none; }
}
@media (max-width: 40rem) {
  .bar { grid-template-columns: minmax(0, 1fr) auto; }
  .bar .progress { grid-column: 1 / -1; grid-row: 2; }
  .mat { height: 44vh; padding: 0; }
  #caption { font-size: 1.3125rem; }
  /* Below 16 pixels, phones zoom in on a field that is touched. */
  .filters :is(input, select) { font-size: 1rem; }
}
@media (hover: none) { #show-keys, kbd { display: none; } .candidate kbd { display: inline; } }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
