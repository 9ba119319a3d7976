/** What Cutline's pages have in common: colours, type, focus. */
export const themeStyle = /* css */ `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fcfbf8, #151413);
  --ink: light-dark(#1f1c19, #ece7df);
  --muted: light-dark(#6b655c, #a49c90);
  --rule: light-dark(#e3ded5, #37332e);
  --wash: light-dark(#f3f0ea, #211f1c);
  --accent: light-dark(#8a4a2f, #e3a683);
  --serif: 'Iowan Old Style', 'Palatino Nova', 'Palatino Linotype', Palatino, P052, 'Book Antiqua', Georgia, serif;
  --sans: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', sans-serif;
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, 'DejaVu Sans Mono', 'Liberation Mono', monospace;
}
* { box-sizing: border-box; margin: 0; padding: 0; }
html { scroll-padding-top: 5rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
a { color: inherit; text-decoration-color: var(--accent); text-underline-offset: 0.2em; text-decoration-thickness: 1px; }
code { font: 0.9em/1.5 var(--mono); overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 2px; }
[hidden] { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.eyebrow { color: var(--accent); font-size: 0.75rem; letter-spacing: 0.14em; text-transform: uppercase; }
kbd { padding: 0 0.35em; border: 1px solid var(--rule); border-radius: 3px; font: inherit; }
`;
