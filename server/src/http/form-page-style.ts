/** The style of pages with a form: one narrow column; light and dark as the reader's system says. */
import { PALETTE } from './page-style.ts'

export const FORM_STYLE = `${PALETTE}
:root { --bad: #a1261f; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff9f96; --on-accent: #0e141a; } }
* { box-sizing: border-box; }
html { background: var(--raised); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; padding: 1rem; min-height: 100vh; display: grid; align-items: center; justify-items: center; }
main { width: 100%; max-width: 27rem; background: var(--ground); border: 1px solid var(--line); border-radius: 12px;
  padding: clamp(1.25rem, 6vw, 2.25rem); overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; text-wrap: balance; overflow-wrap: break-word; }
h2 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p { margin: .5rem 0; }
.faint { color: var(--faint); font-size: .9375rem; }
a { color: var(--accent); }
form { margin: 1.25rem 0 0; }
label, legend { font-weight: 600; }
.field { margin: 0 0 1rem; }
.field > input, select { display: block; width: 100%; min-height: 2.75rem; margin-top: .25rem; padding: .5rem .75rem;
  font: inherit; color: var(--ink); background: var(--ground); border: 1px solid var(--faint); border-radius: 8px; }
.field > input[aria-invalid] { border: 2px solid var(--bad); }
fieldset { border: 0; margin: 0 0 1rem; padding: 0; min-width: 0; }
legend { padding: 0; margin-bottom: .25rem; }
.choice { display: flex; align-items: center; gap: .625rem; min-height: 2.75rem; padding: .375rem .75rem; margin-top: .5rem;
  border: 1px solid var(--faint); border-radius: 8px; font-weight: 400; }
.choice:has(:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.choice input { width: 1.125rem; height: 1.125rem; margin: 0; flex: none; accent-color: var(--accent); }
ul { margin: .25rem 0 1rem; padding-left: 1.25rem; }
li { margin: .375rem 0; }
button { width: 100%; min-height: 2.75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  border: 1px solid var(--accent); border-radius: 8px; background: var(--accent); color: var(--on-accent); }
button.second { margin-top: .625rem; background: transparent; color: var(--accent); }
button.second, a.button { display: grid; place-items: center; min-height: 2.75rem; padding: .5rem 1rem; border: 1px solid var(--faint); border-radius: 8px;
  font-weight: 600; text-decoration: none; }
a.button { color: var(--ink); }
.elsewhere { list-style: none; padding: 0; margin: 1.25rem 0 0; }
input:focus-visible, select:focus-visible, button:focus-visible, a:focus-visible, summary:focus-visible, .choice:focus-within {
  outline: 3px solid var(--accent); outline-offset: 2px; }
button.small { width: auto; background: transparent; color: var(--accent); min-height: 2.75rem; margin: 0; padding: .25rem .875rem; font-weight: 500; }
.field > button.small { margin-top: .5rem; }
[hidden] { display: none !important; }
.problem, .note { border: 2px solid var(--bad); border-radius: 8px; padding: .625rem .875rem; margin: 1rem 0 0; }
.note { border-color: var(--accent); }
.problem p, .note p { margin: 0; }
.problem p + p { margin-top: .375rem; }
.problem strong { color: var(--bad); }
.or { display: flex; align-items: center; gap: .75rem; color: var(--faint); margin: 1.25rem 0 0; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.or + form { margin-top: 1.25rem; }
.links { list-style: none; padding: 0; margin: 1.25rem 0 0; }
.links a { display: inline-block; padding: .25rem 0; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0 0 1rem; margin: 0 0 1.25rem; border-bottom: 1px solid var(--line); }
nav li { margin: 0; }
nav a { display: inline-block; padding: .25rem 0; }
nav a[aria-current] { color: var(--ink); font-weight: 600; text-decoration: none; }
.things { list-style: none; padding: 0; margin: 1rem 0; }
.things > li { border: 1px solid var(--line); border-radius: 8px; padding: .75rem .875rem; margin: .625rem 0; }
.things p { margin: 0; }
.things form { margin: .625rem 0 0; display: flex; flex-wrap: wrap; gap: .5rem; }
.qr { background: #fff; border-radius: 8px; padding: .75rem; margin: 1rem auto; width: fit-content; }
.qr svg { display: block; width: 12rem; height: 12rem; }
.codes { columns: 10.5rem; white-space: nowrap; font: .875rem/2.1 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; list-style: none; padding: 0; }
.who { padding: .625rem .875rem; border-radius: 8px; background: var(--raised); margin: 1rem 0; }
.who p { margin: 0; }
code { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (forced-colors: active) { .choice:has(:checked) { outline: 2px solid Highlight; } }
`
