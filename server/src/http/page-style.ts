/** The style of all pages: readable at 320 pixels, light and dark as the reader's system says. */

/** The colours that every page uses; each pair of text and ground has a contrast of at least 4.5. */
export const PALETTE = `
:root {
  --ground: #fff; --raised: #f6f7f9; --ink: #1a2129; --faint: #5a6673; --line: #d9dee4;
  --accent: #0b5c8a; --good: #1c6b3a; --wait: #8a5300;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161b; --raised: #1a2027; --ink: #e4e8ec; --faint: #9aa6b2; --line: #313a44;
    --accent: #74bdeb; --good: #76cf97; --wait: #e6b566;
  }
}
`

export const STYLE = `${PALETTE}
* { box-sizing: border-box; }
html { background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 66rem; padding: 0 1rem 4rem; }
header nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 1rem 0; border-bottom: 1px solid var(--line); }
header nav a { color: var(--faint); text-decoration: none; padding: .25rem 0; }
header nav a:first-child { font-weight: 700; color: var(--ink); }
header nav a[aria-current] { color: var(--ink); box-shadow: 0 2px var(--accent); }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible, pre:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
h1 { font-size: clamp(1.5rem, 5vw, 2.1rem); line-height: 1.2; margin: 2rem 0 .5rem; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; line-height: 1.4; margin: 0; overflow-wrap: anywhere; }
h4 { font-size: .95rem; margin: 1.1rem 0 .4rem; }
p { margin: .5rem 0; max-width: 44rem; }
.lead { font-size: 1.1rem; color: var(--faint); }
code, pre { font: .875rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; margin: .5rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); margin-top: 1.5rem; }
.card, .route { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; min-width: 0; }
.card h2 { margin: 0 0 .25rem; font-size: 1.15rem; }
.card > p:first-of-type { color: var(--faint); }
.state { display: inline-block; font-size: .8rem; font-weight: 600; margin: 0 0 .5rem; color: var(--wait); }
.state.here { color: var(--good); }
.route { margin: 1rem 0; }
.method { display: inline-block; min-width: 3.4rem; color: var(--accent); font-weight: 700; }
.route h3 + .access + p { font-weight: 600; }
.access { color: var(--faint); font-size: .9rem; margin: .15rem 0 .5rem; }
.index { columns: 18rem; column-gap: 2rem; padding: 0; list-style: none; margin: 1rem 0; }
.index li { break-inside: avoid; padding: .15rem 0; }
dl { margin: 0; }
dt { margin-top: .5rem; }
dt .type { color: var(--faint); font-size: .875rem; }
dd { margin: 0 0 0 1rem; }
details { margin: .35rem 0; }
summary { cursor: pointer; padding: .15rem 0; }
details dl { padding-left: .75rem; border-left: 2px solid var(--line); }
.codes dt { margin-top: 1.25rem; font-size: 1.05rem; }
.codes dd { margin: 0; max-width: 44rem; }
.codes dd + dd { color: var(--faint); }
.codes dt:target { box-shadow: -.5rem 0 var(--ground), -.75rem 0 var(--accent); }
.codes .status { color: var(--faint); font-size: .875rem; }
`
