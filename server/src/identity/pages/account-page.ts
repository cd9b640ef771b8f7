/** The shell of the account's pages: where one is, and what else there is. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import type { WayBack } from '../stronger/way-back.ts'
import { type FormPlace, formStart, problemBox } from './parts-page.ts'

/** In the order in which they are shown. */
const SECTIONS = [
  ['/account', 'Account'],
  ['/account/passkeys', 'Passkeys'],
  ['/account/password', 'Password'],
  ['/account/second-factor', 'Second factor'],
  ['/account/connections', 'Other sign-ins'],
  ['/account/sessions', 'Sessions'],
] as const

export interface AccountPage {
  readonly path: string
  readonly title: string
  readonly body: Markup
  /** A sentence about what was posted. */
  readonly problem?: string | undefined
  readonly script?: string | undefined
  readonly back: WayBack | undefined
}

/** Where a page of the account stands: its form's place, and the application that waits for its user meanwhile. */
export interface OwnPlace extends FormPlace {
  readonly back?: WayBack | undefined
}

export function accountPage({ path, title, body, problem, script, back }: AccountPage): RenderedPage {
  return renderFormPage({
    title: `${problem === undefined ? '' : 'Error: '}${title} – Postern`,
    script,
    body: html`<nav aria-label="Account">
        <ul>
          ${SECTIONS.map(
            ([href, name]) =>
              html`<li><a href="${href}" ${href === path && html`aria-current="page"`}>${name}</a></li>`,
          )}
          <li><a href="/sign-out">Sign out</a></li>
        </ul>
      </nav>
      ${back && html`<p class="note"><a href="${back.href}">Go back to ${back.name}</a>, which waits for you.</p>`}
      <h1>${title}</h1>
      ${problem !== undefined && problemBox(html`<p>${problem}</p>`)} ${body}`,
  })
}

/** A form that is one button about one thing. */
export function buttonForm(
  place: FormPlace,
  { name, value, label, about }: { name: string; value: string; label: string; about: string },
): Markup {
  return html`<form method="post" action="${place.action}">
    ${formStart(place)}
    <button
      type="submit"
      class="small second"
      name="${name}"
      value="${value}"
      aria-label="${label}: ${about}"
    >
      ${label}
    </button>
  </form>`
}

/** A day, as the page's language writes it; UTC, so that a page is the same for whoever looks at it. */
export function dayInWords(ms: number): string {
  return new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' }).format(ms)
}

export function timeInWords(ms: number): string {
  const text = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })
  return `${text.format(ms)} UTC`
}
