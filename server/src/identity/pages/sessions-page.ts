/** Where somebody is signed in, and ending it. */
import { html, type Markup, type RenderedPage } from '../../http/index.ts'
import { deviceInWords } from '../device-words.ts'
import type { Session } from '../session.ts'
import { accountPage, type OwnPlace, buttonForm, timeInWords } from './account-page.ts'

export interface SessionsView extends OwnPlace {
  readonly sessions: readonly Session[]
  /** The id of the one in which the page is looked at. */
  readonly current: string
  readonly problem?: string | undefined
}

export function sessionsPage(view: SessionsView): RenderedPage {
  const { action, sessions, current, problem } = view
  return accountPage({
    path: action,
    back: view.back,
    title: 'Sessions',
    problem,
    body: html`<p>
        Where you are signed in. If you do not know one of these, end it and change your password.
      </p>
      <ul class="things">
        ${sessions.map(one)}
      </ul>
      ${
        sessions.length > 1 &&
        buttonForm(view, { name: 'end', value: 'others', label: 'End all others', about: 'sessions' })
      }`,
  })

  function one(session: Session): Markup {
    const { id, userAgent, lastUsedNetwork, lastUsedAtMs, createdAtMs } = session
    const device = deviceInWords(userAgent)
    return html`<li>
      <p><strong>${device}</strong>${id === current && html` – this one`}</p>
      <p class="faint">
        Last used ${timeInWords(lastUsedAtMs)} from ${lastUsedNetwork}, signed in ${timeInWords(createdAtMs)}
      </p>
      ${
        id !== current &&
        buttonForm(view, {
          name: 'end',
          value: id,
          label: 'End it',
          about: `${device}, ${timeInWords(lastUsedAtMs)}`,
        })
      }
    </li>`
  }
}
